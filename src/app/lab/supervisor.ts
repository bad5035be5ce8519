/**
 * The process behind a lab. It lives in the fabric's namespace, serves the API there, starts an agent in each node, attaches the pods
 * and answers the lab's commands until it is told to take all down.
 */
import { mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type AgentStatus, CONFIG_KEY, CONFIG_MAP } from '#app/agent/index.ts';
import { startApiServer } from '#app/apiserver/index.ts';
import { familyOf, type IpAddress, type IpFamily, prefixParts } from '#base/ip/index.ts';
import { PLUGIN_TYPES } from '#core/cni/index.ts';
import {
  addressesOf,
  apiAddresses,
  type LabPod,
  networkFamilies,
  type ProbeOutcome,
  probesOf,
  type Topology,
} from '#core/lab/index.ts';
import { LEASE_NAMESPACE } from '#core/lease/index.ts';
import { RESOURCES } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { createKubeStore, type KubeStore, kubeConfigFor } from '#io/kube/index.ts';
import { openNamespace } from '#io/namespace/index.ts';
import { addonPath } from '#io/native/index.ts';
import { PROBE_PORT, type ProbedEndpoint, Prober } from '#io/probe/index.ts';
import { LabAgents } from './agents.ts';
import { makeBgp, untilRouted } from './bgp.ts';
import { makeCredentials, makeKubeconfig } from './certificate.ts';
import type { LabDir } from './lab-dir.ts';
import { buildUnderlay } from './members.ts';
import { attachPod } from './pods.ts';
import { expectationOf, makePolicies, readPolicies } from './policies.ts';
import { isPrivileged } from './privilege.ts';
import { endProcesses, identify, namespaceOf, type ProcessIdentity } from './processes.ts';
import { clearAway, occupantsOf } from './removal.ts';
import { startRouter } from './routers.ts';

const API_PORT = 6443;

export interface LabMember {
  readonly name: string;
  readonly kind: 'node' | 'pod';
  readonly node: string;
  readonly addresses: readonly string[];
  readonly netns: string;
}

/** What the supervisor knows of its lab. */
export interface LabState {
  readonly topology: Topology;
  readonly members: readonly LabMember[];
  readonly agents: readonly { readonly node: string; readonly status: AgentStatus | null }[];
  readonly kubeconfig: string;
  readonly pid: number;
  readonly rootless: boolean;
  /** When it was begun, ISO 8601. */
  readonly since: string;
}

export class Lab {
  private readonly topology: Topology;
  private readonly dir: LabDir;
  private readonly agents: LabAgents;
  private readonly resources = new AsyncDisposableStack();
  private readonly routers: ProcessIdentity[] = [];
  private readonly podAddresses = new Map<string, readonly string[]>();
  private readonly since = new Date().toISOString();
  private readonly ending = new AbortController();
  private store: KubeStore | undefined;
  private building: Promise<void> | undefined;
  private removing: Promise<void> | undefined;

  constructor(topology: Topology, dir: LabDir) {
    this.topology = topology;
    this.dir = dir;
    const flags = topology.bgp === undefined ? [] : ['--bgp'];
    this.agents = new LabAgents(dir, flags, () => this.writeRecord());
  }

  get isGoingDown(): boolean {
    return this.ending.signal.aborted;
  }

  /** Builds everything; `progress` is told each step before it begins. Rejects if it fails or down() is called; then call that. */
  up(progress: (step: string) => void): Promise<void> {
    this.building ??= this.build(progress);
    return this.building;
  }

  /** Ends all that runs in the lab and removes all namespaces and files; the same end however often it is called. */
  down(): Promise<void> {
    this.removing ??= this.remove();
    return this.removing;
  }

  private async build(progress: (step: string) => void): Promise<void> {
    const { nodes, pods, subnets } = this.topology;
    const { signal } = this.ending;
    const count = (length: number, what: string) => `${length} ${what}${length === 1 ? '' : 's'}`;
    this.writeRecord();
    progress(
      `${count(nodes.length, 'node')} and ${count(pods.length, 'pod')} as network namespaces, ${count(subnets.length, 'subnet')} and a router`,
    );
    await buildUnderlay(this.topology, this.dir, signal);
    signal.throwIfAborted();
    progress('API server in the fabric');
    const store = await this.startStore();
    signal.throwIfAborted();
    progress(`${count(nodes.length, 'agent')}: subnet leases and the overlay`);
    this.startRouters();
    for (const node of nodes) this.agents.start(node.name);
    const statuses = await this.agents.allReady(
      nodes.map((node) => node.name),
      signal,
    );
    progress(`${count(pods.length, 'pod')} attached by CNI`);
    this.linkPlugins();
    await Promise.all(
      nodes.map(async ({ name }) => {
        // One after the other on a node, so that addresses follow the order of the file.
        for (const pod of pods.filter(({ node }) => node === name)) {
          signal.throwIfAborted();
          await this.addPod(store, pod, statuses.get(name)?.lease);
        }
      }),
    );
    if (this.topology.bgp === undefined) return;
    progress('BGP: sessions, and the way to all nodes');
    await untilRouted(this.topology, (node) => this.agents.status(node), signal);
  }

  private async remove(): Promise<void> {
    const occupants = occupantsOf(this.dir);
    this.ending.abort();
    await this.building?.catch(() => undefined);
    await this.agents.end();
    await endProcesses(this.routers);
    await this.resources.disposeAsync();
    await endProcesses(occupants());
    clearAway(this.dir);
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
      rootless: !isPrivileged(),
      since: this.since,
    };
  }

  /** Every pair, with real packets; and what the policies that are there now say of it. */
  async probe(): Promise<{ endpoints: ProbedEndpoint[]; outcomes: ProbeOutcome[] }> {
    const families = networkFamilies(this.topology);
    const endpoints = this.members().map((member) => ({
      name: member.name,
      kind: member.kind,
      netns: member.netns,
      targets: member.addresses.filter((address) => families.includes(familyOf(address))),
      own: ownAddresses(member.netns, families),
    }));
    const policies = this.store && (await readPolicies(this.store));
    const nodeOf = (name: string) => this.topology.pods.find((pod) => pod.name === name)?.node;
    const probes = probesOf(endpoints).map((probe) =>
      policies === undefined
        ? probe
        : { ...probe, expected: expectationOf(policies, probe, { port: PROBE_PORT, nodeOf }) },
    );
    await using prober = await Prober.open(endpoints);
    return { endpoints, outcomes: await prober.run(probes) };
  }

  private async startStore(): Promise<KubeStore> {
    const [host, ...others] = apiAddresses(this.topology);
    if (host === undefined) throw new RangeError('the first subnet has no addresses');
    const credentials = await makeCredentials([host, ...others]);
    const server = await startApiServer({
      host,
      port: API_PORT,
      databasePath: this.dir.file('store.sqlite'),
      tls: { cert: credentials.cert, key: credentials.key },
      token: credentials.token,
    });
    this.resources.defer(() => server.close());
    this.dir.write('kubeconfig', makeKubeconfig(server.url, credentials));
    const kubeconfigPath = this.dir.file('kubeconfig');
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
    await makePolicies(store, this.topology);
    await makeBgp(store, this.topology);
    this.store = store;
    return store;
  }

  private startRouters(): void {
    for (const router of this.topology.routers ?? []) {
      const identity = startRouter(this.dir, router);
      if (identity !== undefined) this.routers.push(identity);
    }
    this.writeRecord();
  }

  private async addPod(
    store: KubeStore,
    pod: LabPod,
    lease: AgentStatus['lease'] | undefined,
  ): Promise<void> {
    const { namespace, labels } = pod;
    await store.create(
      RESOURCES.pods,
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: pod.name, labels: { ...labels } },
        spec: { nodeName: pod.node, containers: [{ name: 'namespace', image: 'none' }] },
      },
      { namespace },
    );
    const subnets = [lease?.ipv4, lease?.ipv6].filter((subnet) => typeof subnet === 'string');
    const addresses = await attachPod(this.dir, pod, subnets);
    this.podAddresses.set(pod.name, addresses);
    const now = new Date().toISOString();
    const status = {
      phase: 'Running',
      podIP: addresses[0],
      podIPs: addresses.map((ip) => ({ ip })),
      startTime: now,
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now }],
      containerStatuses: [
        {
          name: 'namespace',
          ready: true,
          restartCount: 0,
          image: 'none',
          imageID: '',
          state: { running: { startedAt: now } },
        },
      ],
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
        addresses: addressesOf(node),
        netns: this.dir.namespace(node.name),
      })),
    ];
  }

  private writeRecord(): void {
    const supervisor = identify(process.pid);
    if (supervisor === undefined || this.ending.signal.aborted) return;
    const userNamespace = isPrivileged() ? undefined : namespaceOf('self', 'user');
    this.dir.writeRecord({
      supervisor,
      agents: [...this.agents.processes(), ...this.routers],
      ...(userNamespace !== undefined && { userNamespace }),
    });
  }
}

/** The addresses in a namespace that a probe of these families may come from. */
function ownAddresses(netns: string, families: readonly IpFamily[]): IpAddress[] {
  using namespace = openNamespace(netns);
  using kernel = RealKernel.open(namespace);
  return [...kernel.state().values()].flatMap((object) => {
    if (object.kind !== 'address' || object.link === 'lo') return [];
    const { address, family } = prefixParts(object.address);
    return families.includes(family) && !address.startsWith('fe80:') ? [address] : [];
  });
}
