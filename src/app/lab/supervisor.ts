/**
 * The process behind a lab. It lives in the fabric's namespace, serves the API there, starts an agent in each node, attaches the pods
 * and answers the lab's commands until it is told to take all down.
 */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type AgentStatus, CONFIG_KEY, CONFIG_MAP } from '#app/agent/index.ts';
import { startApiServer } from '#app/apiserver/index.ts';
import { prefixParts } from '#base/ip/index.ts';
import { PLUGIN_TYPES } from '#core/cni/index.ts';
import { apiAddresses, type LabPod, type ProbeOutcome, probesOf, type Topology } from '#core/lab/index.ts';
import { LEASE_NAMESPACE } from '#core/lease/index.ts';
import { RESOURCES } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { createKubeStore, type KubeStore, kubeConfigFor } from '#io/kube/index.ts';
import { openNamespace } from '#io/namespace/index.ts';
import { addonPath } from '#io/native/index.ts';
import { type ProbedEndpoint, Prober } from '#io/probe/index.ts';
import { LabAgents } from './agents.ts';
import { makeCredentials, makeKubeconfig } from './certificate.ts';
import { isRealRoot, type LabDir, type LabRecord } from './lab-dir.ts';
import { buildUnderlay, removeMembers } from './members.ts';
import { attachPod } from './pods.ts';
import { identify } from './processes.ts';

const API_PORT = 6443;

export interface LabMember {
  readonly name: string;
  readonly kind: 'node' | 'pod';
  readonly node: string;
  readonly addresses: readonly string[];
  readonly netns: string;
}

/** What `poplin lab status` shows. */
export interface LabState {
  readonly topology: Topology;
  readonly members: readonly LabMember[];
  readonly agents: readonly { readonly node: string; readonly status: AgentStatus | null }[];
  readonly kubeconfig: string;
  readonly pid: number;
  readonly rootless: boolean;
}

export class Lab {
  private readonly topology: Topology;
  private readonly dir: LabDir;
  private readonly agents: LabAgents;
  private readonly resources = new AsyncDisposableStack();
  private readonly podAddresses = new Map<string, readonly string[]>();
  private readonly since = new Date().toISOString();

  constructor(topology: Topology, dir: LabDir) {
    this.topology = topology;
    this.dir = dir;
    this.agents = new LabAgents(dir, () => this.writeRecord());
  }

  /** Builds everything; `progress` is told each step before it begins. After a rejection, call down(). */
  async up(progress: (step: string) => void): Promise<void> {
    const { nodes, pods, subnets } = this.topology;
    this.writeRecord();
    progress(
      `${nodes.length} nodes, ${pods.length} pods as network namespaces, ${subnets.length} subnets and a router`,
    );
    await buildUnderlay(this.topology, this.dir);
    progress('API server in the fabric');
    const store = await this.startStore();
    progress(`${nodes.length} agents: subnet leases and the VXLAN overlay`);
    for (const node of nodes) this.agents.start(node.name);
    const statuses = new Map<string, AgentStatus>();
    await Promise.all(nodes.map(async ({ name }) => statuses.set(name, await this.agents.ready(name))));
    progress(`${pods.length} pods attached by CNI`);
    this.linkPlugins();
    for (const pod of pods) await this.addPod(store, pod, statuses.get(pod.node)?.lease);
  }

  async state(): Promise<LabState> {
    const { topology, dir } = this;
    const agents = await Promise.all(
      topology.nodes.map(async ({ name }) => ({
        node: name,
        status: (await this.agents.status(name)) ?? null,
      })),
    );
    return {
      topology,
      members: this.members(),
      agents,
      kubeconfig: dir.file('kubeconfig'),
      pid: process.pid,
      rootless: !isRealRoot(),
    };
  }

  /** Every pair, with real packets. */
  async probe(): Promise<{ endpoints: ProbedEndpoint[]; outcomes: ProbeOutcome[] }> {
    const endpoints = this.members().map((member) => ({
      name: member.name,
      kind: member.kind,
      netns: member.netns,
      targets: member.addresses,
      own: ownAddresses(member.netns),
    }));
    await using prober = await Prober.open(endpoints);
    return { endpoints, outcomes: await prober.run(probesOf(endpoints)) };
  }

  /** Ends all processes and removes all namespaces and files. */
  async down(): Promise<void> {
    await this.agents.end();
    await this.resources.disposeAsync();
    removeMembers(this.topology, this.dir);
    rmSync(this.dir.path, { recursive: true, force: true });
  }

  private async startStore(): Promise<KubeStore> {
    const [address, ...others] = apiAddresses(this.topology);
    const credentials = await makeCredentials([address, ...others]);
    const server = await startApiServer({
      host: address,
      port: API_PORT,
      databasePath: this.dir.file('store.sqlite'),
      tls: { cert: credentials.cert, key: credentials.key },
      token: credentials.token,
    });
    this.resources.defer(() => server.close());
    const kubeconfigPath = this.dir.file('kubeconfig');
    writeFileSync(kubeconfigPath, makeKubeconfig(server.url, credentials), { mode: 0o600 });
    const store = this.resources.use(
      createKubeStore(kubeConfigFor({ kubeconfigPath }), { clock: systemClock, random: systemRandom }),
    );
    await store.create(RESOURCES.namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: LEASE_NAMESPACE },
    });
    const data = { [CONFIG_KEY]: JSON.stringify(this.topology.netConf, undefined, 2) };
    const config = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: CONFIG_MAP }, data };
    await store.create(RESOURCES.configMaps, config, { namespace: LEASE_NAMESPACE });
    return store;
  }

  private async addPod(
    store: KubeStore,
    pod: LabPod,
    lease: AgentStatus['lease'] | undefined,
  ): Promise<void> {
    const namespace = 'default';
    await store.create(
      RESOURCES.pods,
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: pod.name, labels: { app: pod.name } },
        spec: { nodeName: pod.node, containers: [{ name: 'namespace', image: 'none' }] },
      },
      { namespace },
    );
    const subnets = [lease?.ipv4, lease?.ipv6].filter((subnet) => typeof subnet === 'string');
    const addresses = await attachPod(this.dir, pod, subnets);
    this.podAddresses.set(pod.name, addresses);
    const status = {
      phase: 'Running',
      podIP: addresses[0],
      podIPs: addresses.map((ip) => ({ ip })),
      containerStatuses: [{ name: 'namespace', ready: true, restartCount: 0, image: 'none', imageID: '' }],
    };
    await store.patch(RESOURCES.pods, pod.name, 'merge', { status }, { namespace, subresource: 'status' });
  }

  /** The plugin on disk under every name it serves. */
  private linkPlugins(): void {
    const bin = this.dir.file('bin');
    mkdirSync(bin, { recursive: true });
    const client = join(dirname(addonPath()), 'poplin-cni');
    for (const type of PLUGIN_TYPES) symlinkSync(client, join(bin, type));
  }

  private members(): LabMember[] {
    const { nodes, pods } = this.topology;
    return [
      ...pods.map((pod) => ({
        name: pod.name,
        kind: 'pod' as const,
        node: pod.node,
        addresses: this.podAddresses.get(pod.name) ?? [],
        netns: this.dir.namespace(pod.name),
      })),
      ...nodes.map((node) => ({
        name: node.name,
        kind: 'node' as const,
        node: node.name,
        addresses: [node.ipv4, node.ipv6],
        netns: this.dir.namespace(node.name),
      })),
    ];
  }

  private writeRecord(): void {
    const own = identify(process.pid);
    const record: LabRecord = {
      topology: this.topology,
      supervisorPid: process.pid,
      processes: [...(own === undefined ? [] : [own]), ...this.agents.processes()],
      rootless: !isRealRoot(),
      since: this.since,
    };
    writeFileSync(this.dir.file('lab.json'), JSON.stringify(record), { mode: 0o600 });
  }
}

/** All addresses in a namespace that packets may leave it with. */
function ownAddresses(netns: string): string[] {
  using namespace = openNamespace(netns);
  using kernel = RealKernel.open(namespace);
  return [...kernel.state().values()].flatMap((object) =>
    object.kind === 'address' && object.link !== 'lo' ? [prefixParts(object.address).address] : [],
  );
}
