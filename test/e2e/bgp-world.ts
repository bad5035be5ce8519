/**
 * Hosts that speak BGP: agents as plain processes on a network of their own for the API server, pods by the plugin, and beside it leaves:
 * routers of others, each with an Ethernet in every rack. Everything of it is gone after `await using`.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { BgpLan } from '../interop/bgp/lan.ts';
import { Station } from './agent-station.ts';
import { inNetns, PROGRAM } from './agent-world.ts';

const EXAMPLES = join(import.meta.dirname, '../../docs/examples/bgp');
const CRDS = join(import.meta.dirname, '../../deploy/kubernetes/bgp-crds.yaml');

export interface BgpPod {
  readonly node: string;
  readonly netns: string;
  readonly 4: string;
  readonly 6: string;
}

export interface BgpNode {
  readonly name: string;
  readonly rack?: string;
  readonly asn?: number;
  readonly clusterId?: string;
}

const NET_CONF = {
  Network: '10.10.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd10::/48',
  Backend: { Type: 'alloc' },
};
/** Six agents that start at once keep a busy machine for a while. */
const CONVERGED_MS = 60_000;
const CALICO = '/apis/projectcalico.org/v3';

export class BgpWorld implements AsyncDisposable {
  readonly station: Station;
  readonly nodes: readonly BgpNode[];

  private constructor(station: Station, nodes: readonly BgpNode[]) {
    this.station = station;
    this.nodes = nodes;
  }

  /** An API server with Calico's kinds, and hosts without agents. */
  static async open(nodes: readonly BgpNode[], netConf: object = NET_CONF): Promise<BgpWorld> {
    const station = await Station.open(JSON.stringify(netConf));
    const world = new BgpWorld(station, nodes);
    for (const document of parseAllDocuments(readFileSync(CRDS, 'utf8')))
      station.api(
        'POST',
        '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
        document.toJS() as object,
      );
    nodes.forEach(({ name, rack, asn, clusterId }, at) => {
      station.addHost(name, 11 + at);
      station.sh(name, 'for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $file; done');
      const annotations = {
        ...(asn !== undefined && { 'projectcalico.org/ASNumber': String(asn) }),
        ...(clusterId !== undefined && { 'projectcalico.org/RouteReflectorClusterID': clusterId }),
      };
      const labels = {
        'kubernetes.io/hostname': name,
        ...(rack !== undefined && { rack }),
        ...(clusterId !== undefined && { reflector: 'true' }),
      };
      station.api('POST', '/api/v1/nodes', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, labels, annotations },
        spec: {},
      });
    });
    return world;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.station[Symbol.asyncDispose]();
  }

  /** Makes Calico's objects out of an example of the documentation. */
  apply(example: 'mesh' | 'reflectors' | 'leaf-spine' | 'unnumbered'): void {
    const yaml = readFileSync(join(EXAMPLES, `${example}.yaml`), 'utf8');
    for (const document of parseAllDocuments(yaml)) {
      const object = document.toJS() as { readonly kind: string };
      this.station.api('POST', `${CALICO}/${object.kind.toLowerCase()}s`, object);
    }
  }

  /** Starts the agents, or one of them. */
  startAgents(...names: readonly string[]): void {
    this.nodes.forEach(({ name }, at) => {
      if (names.length === 0 || names.includes(name)) this.station.startAgent(name, 11 + at);
    });
  }

  /** Resolves when the agents are ready and all their sessions up. */
  async converged(sessions: (node: BgpNode) => number): Promise<void> {
    for (const node of this.nodes) await this.#untilUp(node.name, sessions(node));
  }

  async #untilUp(node: string, sessions: number): Promise<void> {
    try {
      await this.station.statusWhere(
        node,
        `${sessions} sessions`,
        ({ ready, bgp }) =>
          ready &&
          bgp?.isRestarting === false &&
          bgp.neighbors.filter(({ isUp }) => isUp).length === sessions,
        CONVERGED_MS,
      );
    } catch (error) {
      const status = await this.station.status(node);
      const { bgp, problems } = status ?? {};
      throw new Error(`${String(error)}: ${JSON.stringify({ bgp, problems })}`, { cause: error });
    }
  }

  /** A pod by the plugin. */
  async pod(node: string): Promise<BgpPod> {
    const netns = this.station.pod(node);
    inNetns(netns, 'sh', '-c', 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; ip link set lo up');
    const { exitCode, json } = await this.station.plugin(node, {
      plugin: 'poplin',
      command: 'ADD',
      containerId: `c-${node}`,
      netns,
      stdin: '{"cniVersion": "1.0.0", "name": "pods", "type": "poplin"}',
    });
    if (exitCode !== 0) throw new Error(JSON.stringify(json));
    const ips = (json?.['ips'] ?? []) as readonly { readonly address: string }[];
    const of = (isIpv6: boolean): string =>
      ips
        .map(({ address }) => address.split('/')[0] ?? '')
        .find((address) => address.includes(':') === isIpv6) ?? '';
    return { node, netns, 4: of(false), 6: of(true) };
  }

  /**
   * A router `number` (1, 2) with a link to every node: 10.NUMBER.RACK.254 and fd0NUMBER:RACK::fe, the node at 10.NUMBER.RACK.N and
   * fd0NUMBER:RACK::N on its link `up NUMBER`. An Ethernet between keeps their links up when it is cut.
   */
  leaf(number: number, racks: readonly string[]): LeafPlace {
    // FRR gives its rights away.
    chmodSync(this.station.folder, 0o711);
    const name = `leaf${number}`;
    const netns = this.station.pod(name);
    const fabric = this.station.pod(`fabric${number}`);
    const run = (at: string, script: string): string => inNetns(at, 'sh', '-ec', script);
    run(
      netns,
      `ip link set lo up; echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
      for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $file; done
      echo 1 > /proc/sys/net/ipv4/fib_multipath_hash_policy; echo 0 > /proc/sys/net/ipv4/conf/all/send_redirects`,
    );
    racks.forEach((rack, at) => {
      const bridge = `rack-${rack}`;
      run(
        fabric,
        `ip link add ${bridge} type bridge; ip link set ${bridge} up
        ip link add leaf-${rack} type veth peer name ${bridge} netns ${netns}; ip link set leaf-${rack} master ${bridge} up`,
      );
      run(
        netns,
        `ip link set ${bridge} up; ip address add 10.${number}.${at + 1}.254/24 dev ${bridge}
        ip address add fd0${number}:${at + 1}::fe/64 dev ${bridge} nodad
        echo 0 > /proc/sys/net/ipv4/conf/${bridge}/send_redirects`,
      );
      this.nodes.forEach((node, index) => {
        if (node.rack !== rack) return;
        const host = this.station.file(`host-${node.name}`);
        run(
          fabric,
          `ip link add ${node.name} type veth peer name up${number} netns ${host}; ip link set ${node.name} master ${bridge} up`,
        );
        run(
          host,
          `ip link set up${number} up; ip address add 10.${number}.${at + 1}.${index + 1}/24 dev up${number}
          ip address add fd0${number}:${at + 1}::${index + 1}/64 dev up${number} nodad
          echo 0 > /proc/sys/net/ipv4/conf/up${number}/rp_filter`,
        );
      });
    });
    const ports = racks.map((rack) => `leaf-${rack}`);
    return {
      lan: lanOf(this.station.folder, name, netns),
      name,
      netns,
      cut: () => ports.forEach((port) => run(fabric, `ip link set ${port} nomaster`)),
      mend: () => racks.forEach((rack) => run(fabric, `ip link set leaf-${rack} master rack-${rack}`)),
    };
  }

  /** What `poplin bgp` prints on a node, whether it succeeds or not. */
  bgp(node: string, ...args: readonly string[]): string {
    const command = [process.execPath, PROGRAM, 'bgp', ...args, '--root-dir', this.station.file(node)];
    const { stdout, stderr } = spawnSync(
      'nsenter',
      [`--net=${this.station.file(`host-${node}`)}`, ...command],
      { encoding: 'utf8' },
    );
    return stdout + stderr;
  }

  /** A node's routes of BGP. */
  routes(node: string, family: 4 | 6): string {
    return this.station.sh(node, `ip -${family} route show proto 116`);
  }
}

export interface LeafPlace {
  /** For the speakers of test/interop/bgp. */
  readonly lan: BgpLan;
  readonly name: string;
  readonly netns: string;
  /** Nothing passes any more, though all links stay up. */
  readonly cut: () => void;
  readonly mend: () => void;
}

/** A place for one speaker, in the words of the interop tests. */
function lanOf(folder: string, name: string, path: string): BgpLan {
  const node = { name, namespace: { path }, ipv4: '0.0.0.0', ipv6: '::' };
  return { folder, node: () => node } as unknown as BgpLan;
}
