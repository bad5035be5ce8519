/**
 * Two pods that talk, on two nodes on a wire of their own, with one way between them: a backend as an agent puts it into the kernel, or a
 * plain veth from pod to pod, which nothing can be faster than.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { TunnelCarrier } from '#app/agent/index.ts';
import { OVERLAY, plan, stateOf } from '#core/kernel/index.ts';
import {
  type Backend,
  hostGwBackend,
  type LocalSubnet,
  type Underlay,
  udpBackend,
  vxlanBackend,
} from '#core/overlay/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { createNamespace, type Namespace, removeNamespace, writeSysctl } from '#io/namespace/index.ts';
import { type CountersByFamily, endTunnel } from '#io/tunnel/index.ts';

export const WAYS = ['veth', 'hostgw', 'vxlan', 'udp'] as const;
export type Way = (typeof WAYS)[number];
export type Family = 4 | 6;
const FAMILIES: readonly Family[] = [4, 6];

const PORT = 8285;
const UNDERLAY: Underlay = {
  link: 'eth0',
  mtuBytes: 1500,
  prefixes: ['192.0.2.0/24', '2001:db8::/64'],
  advertisedLinks: [],
};

const backendOf: Readonly<Record<Exclude<Way, 'veth'>, () => Backend>> = {
  hostgw: () => hostGwBackend({ type: 'host-gw' }, UNDERLAY),
  vxlan: () =>
    vxlanBackend(
      { type: 'vxlan', vni: 1, port: 8472, gbp: false, learning: false, directRouting: false },
      UNDERLAY,
    ),
  udp: () => udpBackend({ type: 'udp', port: PORT }, UNDERLAY),
};

const ADDRESSES = {
  4: (at: number) => ({
    public: `192.0.2.${at}/24`,
    subnet: `10.60.${at}.0/24`,
    gateway: `10.60.${at}.1/24`,
    pod: `10.60.${at}.2/24`,
  }),
  6: (at: number) => ({
    public: `2001:db8::${at}/64`,
    subnet: `fd60:0:0:${at}::/64`,
    gateway: `fd60:0:0:${at}::1/64`,
    pod: `fd60:0:0:${at}::2/64`,
  }),
} as const;

const bare = (address: string) => address.slice(0, address.indexOf('/'));

export class PodPair implements AsyncDisposable {
  readonly way: Way;
  private readonly folder: string;
  private readonly made: Namespace[] = [];
  private readonly carriers: TunnelCarrier[] = [];

  private constructor(way: Way, parent: string) {
    this.way = way;
    this.folder = mkdtempSync(join(parent, `${way}-`));
  }

  static async open(way: Way, parent: string): Promise<PodPair> {
    const pair = new PodPair(way, parent);
    try {
      await pair.lay();
      return pair;
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The path of a pod's namespace; 1 is the one that asks, 2 the one that serves. */
  pod(at: 1 | 2): string {
    return join(this.folder, `pod${at}`);
  }

  address(at: 1 | 2, family: Family): string {
    return bare(ADDRESSES[family](at).pod);
  }

  /** What the tunnels of both nodes counted; empty where there are none. */
  async counters(): Promise<readonly CountersByFamily[]> {
    const found = await Promise.all(this.carriers.map((carrier) => carrier.counters()));
    return found.filter((each) => each !== undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const carrier of this.carriers) await carrier[Symbol.asyncDispose]();
    for (const at of [1, 2] as const) await endTunnel(this.socketPath(at));
    for (const namespace of this.made) {
      namespace.close();
      removeNamespace(namespace.path);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  private socketPath(at: number): string {
    return join(this.folder, `tunnel${at}.sock`);
  }

  private make(name: string): Namespace {
    const namespace = createNamespace(join(this.folder, name));
    this.made.push(namespace);
    // Else IPv6 begins two seconds late.
    writeSysctl(namespace, 'net/ipv6/conf/default/accept_dad', '0');
    ip(namespace, 'link set lo up');
    return namespace;
  }

  private async lay(): Promise<void> {
    const pods = [this.make('pod1'), this.make('pod2')] as const;
    if (this.way === 'veth') return joinDirectly(pods);
    const nodes = [this.make('node1'), this.make('node2')] as const;
    ip(nodes[0], `link add eth0 type veth peer name eth0 netns ${nodes[1].path}`);
    for (const at of [1, 2] as const) layNode(nodes[at - 1] as Namespace, pods[at - 1] as Namespace, at);
    const backend = backendOf[this.way]();
    for (const at of [1, 2] as const) {
      const mtuBytes = backend.podMtuBytes(FAMILIES);
      ip(pods[at - 1] as Namespace, `link set eth0 mtu ${mtuBytes}`);
      await program(nodes[at - 1] as Namespace, backend, at);
      if (this.way === 'udp') await this.carry(nodes[at - 1] as Namespace, at);
    }
  }

  private async carry(namespace: Namespace, at: 1 | 2): Promise<void> {
    const carrier = new TunnelCarrier({
      namespace,
      socketPath: this.socketPath(at),
      port: PORT,
      clock: systemClock,
      random: systemRandom,
      logger: pino({ level: 'silent' }),
    });
    this.carriers.push(carrier);
    for (const remote of leases(at === 1 ? 2 : 1)) carrier.upsert(`${remote.family}`, remote);
    await carrier.local(leases(at));
  }
}

function leases(at: number): LocalSubnet[] {
  return FAMILIES.map((family) => {
    const { subnet, public: publicIp } = ADDRESSES[family](at);
    return { node: `node${at}`, family, subnet, publicIp: bare(publicIp) };
  });
}

/** What the agent does for these leases: planned, applied, and nothing left to plan. */
async function program(namespace: Namespace, backend: Backend, at: 1 | 2): Promise<void> {
  using kernel = RealKernel.open(namespace);
  const remotes = leases(at === 1 ? 2 : 1).map((lease) => ({
    ...lease,
    backendData: backend.offer(lease.node, lease.family) ?? {},
  }));
  const objects = [...backend.planLocal(leases(at)), ...remotes.flatMap((remote) => planOf(backend, remote))];
  kernel.trackSysctls(objects.flatMap((object) => (object.kind === 'sysctl' ? [object.path] : [])));
  const { ops, conflicts } = plan(stateOf(objects), kernel.state(), { owners: [OVERLAY] });
  const { failures } = await kernel.apply(ops);
  const problem = failures[0]?.message ?? conflicts[0]?.message;
  if (problem !== undefined) throw new Error(problem);
}

function planOf(backend: Backend, remote: Parameters<Backend['planRemote']>[0]) {
  const objects = backend.planRemote(remote);
  if (typeof objects === 'string') throw new Error(objects);
  return objects;
}

function layNode(node: Namespace, pod: Namespace, at: 1 | 2): void {
  ip(node, `link add pod0 type veth peer name eth0 netns ${pod.path}`);
  for (const link of ['eth0', 'pod0']) ip(node, `link set ${link} up`);
  ip(pod, 'link set eth0 up');
  for (const family of FAMILIES) {
    const addresses = ADDRESSES[family](at);
    ip(node, `address add ${addresses.public} dev eth0`);
    ip(node, `address add ${addresses.gateway} dev pod0`);
    ip(pod, `address add ${addresses.pod} dev eth0`);
    ip(pod, `-${family} route add default via ${bare(addresses.gateway)}`);
  }
}

function joinDirectly([one, two]: readonly [Namespace, Namespace]): void {
  ip(one, `link add eth0 type veth peer name eth0 netns ${two.path}`);
  for (const [at, namespace] of [
    [1, one],
    [2, two],
  ] as const) {
    ip(namespace, 'link set eth0 up');
    for (const family of FAMILIES) {
      ip(namespace, `address add ${ADDRESSES[family](at).pod} dev eth0`);
      ip(namespace, `-${family} route add default dev eth0`);
    }
  }
}

function ip(namespace: Namespace, line: string): void {
  execFileSync('nsenter', [`--net=${namespace.path}`, 'ip', ...line.split(' ')], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
