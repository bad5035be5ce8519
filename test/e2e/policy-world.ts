/** Hosts whose agents carry out policies: pods are objects of the API server first, and are then attached as a kubelet's runtime does it. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { prefixParts } from '#base/ip/index.ts';
import { Station } from './agent-station.ts';
import { inNetns } from './agent-world.ts';

const NET_CONF =
  '{"Network": "10.10.0.0/16", "EnableIPv6": true, "IPv6Network": "fd10::/48", "Backend": {"Type": "vxlan"}}';
export type Plugin = 'poplin' | 'bridge';
const FLOOD = join(import.meta.dirname, 'policy-flood.py');

export interface TestPod {
  readonly node: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly netns: string;
  readonly plugin: Plugin;
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface PodWish {
  readonly node: string;
  readonly namespace: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly plugin?: Plugin;
}

export class PolicyWorld implements AsyncDisposable {
  readonly station: Station;
  #made = 0;

  private constructor(station: Station) {
    this.station = station;
  }

  /** `flags`: of the agents, by node; `prepare`: what the API server is to know before them. */
  static async open(
    nodes: readonly string[],
    {
      flags = {},
      prepare,
    }: {
      flags?: Readonly<Record<string, readonly string[]>>;
      prepare?: (station: Station) => void;
    } = {},
  ): Promise<PolicyWorld> {
    const station = await Station.open(NET_CONF);
    const world = new PolicyWorld(station);
    prepare?.(station);
    for (const [at, node] of nodes.entries()) station.startAgent(node, 11 + at, flags[node]);
    for (const node of nodes) await station.statusWhere(node, 'ready', (status) => status.ready);
    return world;
  }

  addNamespace(name: string, labels: Readonly<Record<string, string>> = {}): void {
    this.station.api('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    });
  }

  /** Makes or replaces a NetworkPolicy. */
  setPolicy(namespace: string, name: string, spec: object): void {
    this.removePolicy(namespace, name);
    this.station.api('POST', `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name, namespace },
      spec,
    });
  }

  removePolicy(namespace: string, name: string): void {
    const path = `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies/${name}`;
    try {
      this.station.api('DELETE', path);
    } catch {
      // There was none.
    }
  }

  setLabels(pod: TestPod, labels: Readonly<Record<string, string>>): void {
    const { namespace, name } = pod;
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    const object = this.station.api('GET', path) as { metadata: { labels: object } };
    this.station.api('PUT', path, { ...object, metadata: { ...object.metadata, labels } });
  }

  /** The object in the API server alone. */
  declare({ node, namespace, name, labels = {} }: PodWish): string {
    const object = this.station.api('POST', `/api/v1/namespaces/${namespace}/pods`, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace, labels },
      spec: { nodeName: node, containers: [{ name: 'main', image: 'none' }] },
    }) as { metadata: { uid: string } };
    return object.metadata.uid;
  }

  /** Declares and attaches; its addresses are told to the API server, as a kubelet does. */
  async addPod(wish: PodWish): Promise<TestPod> {
    const uid = this.declare(wish);
    const pod = await this.attach(wish, uid, this.newNamespace());
    this.publish(pod);
    return pod;
  }

  publish({ namespace, name, ipv4, ipv6 }: TestPod): void {
    const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
    const object = this.station.api('GET', path) as object;
    this.station.api('PUT', `${path}/status`, {
      ...object,
      status: { phase: 'Running', podIP: ipv4, podIPs: [{ ip: ipv4 }, { ip: ipv6 }] },
    });
  }

  newNamespace(): string {
    const netns = this.station.pod(`${++this.#made}`);
    inNetns(netns, 'sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; ip link set lo up');
    return netns;
  }

  /** Rejects with the plugin's error. */
  async attach(wish: PodWish, uid: string, netns: string): Promise<TestPod> {
    const { node, namespace, name, plugin = 'poplin' } = wish;
    const pod = { node, namespace, name, uid, netns, plugin };
    const { exitCode, json } = await this.#run('ADD', pod);
    if (exitCode !== 0) throw new Error(JSON.stringify(json));
    const ips = (json?.['ips'] ?? []) as readonly { readonly address: string }[];
    const addresses = ips.map(({ address }) => prefixParts(address).address);
    const [ipv4 = '', ipv6 = ''] = [false, true].map((isIpv6) =>
      addresses.find((each) => each.includes(':') === isIpv6),
    );
    return { ...pod, ipv4, ipv6 };
  }

  async detach(pod: TestPod): Promise<void> {
    await this.#run('DEL', pod);
  }

  /** Whether a ping is answered, in each family. */
  pings(from: TestPod, to: TestPod): readonly [boolean, boolean] {
    const answered = (address: string): boolean => {
      try {
        inNetns(from.netns, 'ping', '-nqc1', '-W0.3', address);
        return true;
      } catch {
        return false;
      }
    };
    return [answered(to.ipv4), answered(to.ipv6)];
  }

  /** Whether a connection comes about, in each family. */
  connects(from: TestPod, to: TestPod, port: number): readonly [boolean, boolean] {
    const answered = (address: string): boolean => {
      try {
        inNetns(
          from.netns,
          'socat',
          '-u',
          '-T0.7',
          `TCP:${address}:${port},connect-timeout=0.5`,
          '/dev/null',
        );
        return true;
      } catch {
        return false;
      }
    };
    return [answered(to.ipv4), answered(`[${to.ipv6}]`)];
  }

  /** Sends to addresses from a namespace as soon as and as often as that goes, until disposed. */
  async flood(netns: string, addresses: readonly string[]): Promise<AsyncDisposable> {
    const child = spawn('nsenter', [`--net=${netns}`, 'python3', FLOOD, 'send', ...addresses], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
    return {
      [Symbol.asyncDispose]: async () => {
        const ended = new Promise((resolve) => child.once('close', resolve));
        child.kill('SIGKILL');
        await ended;
      },
    };
  }

  /** Counts what floods bring to a pod. */
  async count(pod: TestPod): Promise<{ readonly taken: () => number } & AsyncDisposable> {
    const child = spawn('nsenter', [`--net=${pod.netns}`, 'python3', FLOOD, 'count'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let taken = 0;
    const first = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()));
    createInterface({ input: child.stdout }).on('line', (line) => {
      taken = Number(line);
    });
    await first;
    return {
      taken: () => taken,
      [Symbol.asyncDispose]: async () => {
        const ended = new Promise((resolve) => child.once('close', resolve));
        child.kill('SIGKILL');
        await ended;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.station[Symbol.asyncDispose]();
  }

  #run(command: string, pod: Omit<TestPod, 'ipv4' | 'ipv6'>) {
    const { node, namespace, name, uid, netns, plugin } = pod;
    return this.station.plugin(node, {
      plugin: plugin === 'bridge' ? 'flannel' : 'poplin',
      command,
      containerId: `c-${namespace}-${name}`,
      netns,
      args: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_UID=${uid}`,
      stdin: JSON.stringify({
        cniVersion: '1.0.0',
        name: 'pods',
        ...(plugin === 'poplin'
          ? { type: 'poplin' }
          : {
              type: 'flannel',
              subnetFile: this.station.paths(node).subnetEnv,
              // Else it is the host's, and stays when a test does not detach its pods.
              dataDir: this.station.file(`${node}/flannel`),
              delegate: { isDefaultGateway: true, ipMasq: false },
            }),
      }),
    });
  }
}
