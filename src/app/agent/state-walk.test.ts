/**
 * Nodes of one cluster walk through joins, losses, moves, restarts, outages and tampering in any order. Wherever they went, each ends
 * with the kernel of a node that was brought up against the final store, and no two nodes ever use one subnet.
 */
import fc from 'fast-check';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { prefixesOverlap } from '#base/ip/index.ts';
import {
  type ApplyOutcome,
  CNI,
  type Kernel,
  type KernelListener,
  type KernelObject,
  type KernelOp,
  type KernelState,
  keyOf,
  type Link,
  type OpFailure,
  OVERLAY,
  ownerOf,
  type Plan,
  plan,
} from '#core/kernel/index.ts';
import { LEASE_NAMESPACE, leaseToObject, type NetConf, type VxlanConfig } from '#core/lease/index.ts';
import { vtepMac, vxlanBackend } from '#core/overlay/index.ts';
import {
  type Follower,
  type KubeObject,
  type ListOptions,
  RESOURCES,
  type ResourcePath,
  StoreError,
} from '#core/store/index.ts';
import { FakeKernel } from '#testing/fake-kernel/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { KernelLoop } from './kernel-loop.ts';
import { loopOfNetwork } from './network-loop.ts';
import { OverlayMember } from './overlay-member.ts';
import { LeaseObjects } from './registries/lease-objects.ts';

const OWNERS = [OVERLAY, CNI];
const LEASE_TIMES = { durationSec: 600, renewMarginSec: 120, clockSkewSec: 30 };
/** Long enough for every lease to run out and be given to another, and for every wait to end. */
const SETTLED_MS = 1_500_000;
/** Long enough for every retry of what a kernel refused; and for the full comparison that finds what nobody told. */
const RETRIED_MS = 11_000;
const RESYNCED_MS = 71_000;
/** Changes that come one after another are carried out together after so long at most; and what follows from them. */
const COLLECTED_MS = 300;
const NODES = 4;
const SUBNETS = 8;
const NET_CONF: NetConf = {
  ipv4: {
    network: '10.10.0.0/16',
    subnetLen: 24,
    subnetMin: '10.10.0.0',
    subnetMax: `10.10.${SUBNETS - 1}.0`,
  },
  ipv6: {
    network: 'fd10::/48',
    subnetLen: 64,
    subnetMin: 'fd10::',
    subnetMax: `fd10:0:0:${SUBNETS - 1}::`,
  },
  enableNFTables: false,
  backend: { type: 'vxlan', vni: 1, port: 8472, gbp: false, directRouting: false, learning: false },
};
const BACKEND = vxlanBackend(NET_CONF.backend as VxlanConfig, {
  link: 'eth0',
  mtuBytes: 1500,
  prefixes: [],
  advertisedLinks: [],
});
const FAMILIES = [4, 6] as const;
const logger = pino({ level: 'silent' });

const subnetOf = (family: 4 | 6, n: number) =>
  family === 4 ? `10.10.${n}.0/24` : n === 0 ? 'fd10::/64' : `fd10:0:0:${n}::/64`;
const publicIpOf = (family: 4 | 6, host: number) =>
  family === 4 ? `192.0.2.${host}` : `2001:db8::${host.toString(16)}`;

/** What other software has on a host. */
const FOREIGN: readonly KernelObject[] = [
  { kind: 'link', name: 'ext0', detail: { type: 'dummy' }, up: true },
  { kind: 'address', link: 'ext0', address: '198.51.100.1/24' },
  { kind: 'address', link: 'ext0', address: '2001:db8:e::1/64' },
  { kind: 'route', dst: '203.0.113.0/24', nextHops: [{ link: 'ext0' }], protocol: 4 },
  { kind: 'route', dst: '2001:db8:f::/48', nextHops: [{ link: 'ext0' }], protocol: 4 },
  { kind: 'rule', family: 4, priority: 500, table: 500, protocol: 4 },
  { kind: 'neighbour', link: 'ext0', address: '198.51.100.9', mac: '02:00:00:00:00:09', protocol: 0 },
  { kind: 'nft-table', family: 'inet', name: 'other' },
  { kind: 'nft-chain', family: 'inet', table: 'other', name: 'input', rules: [] },
];

/** Objects that carry our mark and that nobody wants. */
const STRAYS: readonly KernelObject[] = [
  { kind: 'route', dst: '10.99.0.0/16', type: 'blackhole', nextHops: [], protocol: OVERLAY.protocol },
  { kind: 'route', dst: 'fd99::/64', type: 'blackhole', nextHops: [], protocol: OVERLAY.protocol },
  { kind: 'address', link: 'flannel.1', address: '10.99.0.1/32' },
  { kind: 'fdb', link: 'flannel-v6.1', mac: '02:00:00:00:00:99', dst: '2001:db8::99' },
  { kind: 'rule', family: 6, priority: 9, table: 9, protocol: OVERLAY.protocol },
  { kind: 'nft-element', family: 'inet', table: 'poplin-overlay', set: 'peers4', key: ['192.0.2.250'] },
  { kind: 'link', name: 'old0', detail: { type: 'dummy' }, alias: OVERLAY.alias },
];

/** A FakeKernel that loses notifications and refuses operations when told to. */
class UnreliableKernel implements Kernel {
  readonly fake = new FakeKernel();
  private readonly listeners = new Set<KernelListener>();
  private deaf = false;
  /** False once it was deaf or refused something: until it settles, an agent may lag behind. */
  reliable = true;
  refuseAlways: (object: KernelObject) => boolean = () => false;
  private refusals = 0;

  constructor() {
    this.fake.watch({
      changed: (keys) => {
        if (!this.deaf) for (const listener of this.listeners) listener.changed(keys);
      },
      resynced: () => undefined,
    });
  }

  state(): KernelState {
    return this.fake.state();
  }

  refresh(): void {
    this.fake.refresh();
  }

  trackSysctls(paths: Iterable<string>): void {
    this.fake.trackSysctls(paths);
  }

  async apply(ops: readonly KernelOp[]): Promise<ApplyOutcome> {
    const mayRefuse = ops.filter((op) => !op.object.kind.startsWith('nft-'));
    const next = mayRefuse.slice(0, this.refusals);
    this.refusals -= next.length;
    const refused = mayRefuse.filter((op) => next.includes(op) || this.refuseAlways(op.object));
    const { applied, failures } = await this.fake.apply(ops.filter((op) => !refused.includes(op)));
    const refusals = refused.map((op) => ({
      op,
      code: 'ENOBUFS',
      message: `${op.verb} ${keyOf(op.object)}: ENOBUFS`,
    }));
    return { applied, failures: [...failures, ...refusals] };
  }

  removeAside(links: readonly Link[]): Promise<readonly OpFailure[]> {
    return this.fake.removeAside(links);
  }

  watch(listener: KernelListener): Disposable {
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => this.listeners.delete(listener) };
  }

  /** Notifications are lost from now on. */
  deafen(): void {
    this.deaf = true;
    this.reliable = false;
  }

  refuse(operations: number): void {
    this.refusals = operations;
    this.reliable = false;
  }

  /** Notifications arrive again; `told` if the kernel says that some were lost. */
  hear(told: boolean): void {
    this.deaf = false;
    if (told) for (const listener of this.listeners) listener.resynced();
  }

  /** As another program would; what the kernel refuses does not happen. */
  tamper(op: KernelOp): void {
    try {
      this.fake.foreign(op);
    } catch (error) {
      if ((error as Error).name !== 'FakeErrno') throw error;
    }
  }

  /** Everything in comparable form. */
  dump(): string {
    const objects = [...this.fake.state()].map(([key, object]) => `${key} ${JSON.stringify(sorted(object))}`);
    return `${this.fake.dump()}\n\n${objects.sort().join('\n')}`;
  }

  [Symbol.dispose](): void {
    this.listeners.clear();
    this.fake[Symbol.dispose]();
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
}

/** Lists at once; follows only while open. */
class SlowToFollow extends FakeStore {
  private gate = Promise.withResolvers<void>();

  open(): void {
    this.gate.resolve();
  }

  close(): void {
    this.gate = Promise.withResolvers<void>();
  }

  override async follow<T extends KubeObject>(
    resource: ResourcePath,
    options: ListOptions & { signal: AbortSignal },
    follower: Follower<T>,
  ): Promise<void> {
    await this.gate.promise;
    return super.follow(resource, options, follower);
  }
}

class Host {
  readonly name: string;
  readonly uid: string;
  readonly number: number;
  readonly kernel = new UnreliableKernel();
  readonly foreign: KernelObject[] = [];
  previous: { ipv4?: string; ipv6?: string } | undefined;
  /** The subnets the agent was told it may use, each time. */
  readonly told: (string[] | undefined)[] = [];
  loop: KernelLoop | undefined;
  member: OverlayMember | undefined;

  constructor(name: string, uid: string, number: number) {
    this.name = name;
    this.uid = uid;
    this.number = number;
    this.addForeign({
      kind: 'link',
      name: 'eth0',
      detail: { type: 'other', linkKind: 'physical' },
      up: true,
    });
    this.addForeign({ kind: 'address', link: 'eth0', address: `${publicIpOf(4, number)}/24` });
    this.addForeign({ kind: 'address', link: 'eth0', address: `${publicIpOf(6, number)}/64` });
  }

  addForeign(object: KernelObject): void {
    if (this.kernel.fake.find(object) !== undefined) return;
    this.kernel.fake.foreign({ verb: 'add', object });
    this.foreign.push(object);
  }

  /** Another host with everything that is not Poplin's, and what Poplin has on disk. */
  twin(): Host {
    const twin = new Host(this.name, this.uid, this.number);
    for (const object of this.foreign) twin.addForeign(object);
    twin.previous = this.previous;
    return twin;
  }

  get running(): boolean {
    return this.member !== undefined;
  }
}

class World {
  readonly clock = new SimClock();
  readonly store: FakeStore;
  readonly hosts: Host[];
  private readonly seed: number;
  private draws = 0;
  private uids = NODES;
  private hostNumbers = NODES;
  down = false;
  /** So many further steps follow at once, before nodes have done what they have to. */
  hasty = 0;

  constructor(seed: number, store?: FakeStore) {
    this.seed = seed;
    this.store = store ?? new FakeStore({ now: () => new Date(this.clock.now()) });
    this.hosts = Array.from({ length: NODES }, (_, i) => new Host(`node-${i}`, `uid-${i}`, i + 1));
  }

  private readonly random = () => {
    const x = Math.sin(this.seed + ++this.draws) * 10_000;
    return x - Math.floor(x);
  };

  host(i: number): Host {
    return this.hosts[i] as Host;
  }

  start(host: Host, clock: SimClock = this.clock): void {
    if (host.running) return;
    const { store, random } = this;
    const loop = new KernelLoop({ kernel: host.kernel, owners: OWNERS, clock, random, logger });
    const publicIps = { ipv4: publicIpOf(4, host.number), ipv6: publicIpOf(6, host.number) };
    const offer = (family: 4 | 6, publicIp: string) => {
      const backendData = BACKEND.offer(host.name, family);
      return { publicIp, ...(backendData !== undefined && { backendData }) };
    };
    const registry = new LeaseObjects({
      store,
      clock,
      random,
      logger,
      node: host.name,
      ownerUid: host.uid,
      netConf: NET_CONF,
      offer: {
        backendType: BACKEND.type,
        ipv4: offer(4, publicIps.ipv4),
        ipv6: offer(6, publicIps.ipv6),
      },
      publicIps,
      leaseTimes: LEASE_TIMES,
      ...(host.previous && { previous: host.previous }),
    });
    const member = new OverlayMember({
      registry,
      loop: loopOfNetwork(loop, 0),
      logger,
      node: host.name,
      netConf: NET_CONF,
      backend: BACKEND,
      publicIps,
      held: (locals) => host.told.push(locals?.map((local) => local.subnet)),
      inPlace: ({ ipv4, ipv6 }) => {
        host.previous = { ...(ipv4 && { ipv4: ipv4.subnet }), ...(ipv6 && { ipv6: ipv6.subnet }) };
        return Promise.resolve();
      },
    });
    Object.assign(host, { loop, member });
    member.start();
  }

  async stop(host: Host): Promise<void> {
    const { member, loop } = host;
    Object.assign(host, { loop: undefined, member: undefined });
    await member?.[Symbol.asyncDispose]();
    await loop?.[Symbol.asyncDispose]();
  }

  /** The node gets another machine, with its own addresses and an empty kernel. */
  async move(i: number, sameUid: boolean): Promise<void> {
    const old = this.host(i);
    await this.stop(old);
    const uid = sameUid ? old.uid : `uid-${++this.uids}`;
    this.hosts[i] = new Host(old.name, uid, ++this.hostNumbers);
    this.start(this.host(i));
  }

  leases(): Promise<readonly KubeObject[]> {
    return this.store.list(RESOURCES.leases).then(({ items }) => items);
  }

  /** What an administrator does to the store; nothing while it is away. */
  async administer(work: (leases: readonly KubeObject[]) => Promise<unknown>): Promise<void> {
    if (this.down) return;
    try {
      await work(await this.leases());
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }

  /** The lease of a node that runs flannel, on another host each time. */
  peerLease(peer: number, family: 4 | 6, subnet: number, host: number): KubeObject {
    return leaseToObject({
      family,
      subnet: subnetOf(family, subnet),
      node: `flannel-${peer}`,
      ownerUid: `uid-flannel-${peer}`,
      publicIp: publicIpOf(family, 100 + host),
      backendType: 'vxlan',
      backendData: { VNI: 1, VtepMAC: `02:f1:00:00:0${family}:0${host}` },
      acquiredAtMs: this.clock.now(),
      renewedAtMs: this.clock.now(),
      durationSec: 600,
      reserved: false,
    });
  }

  setStore(state: 'up' | 'down'): void {
    if (this.down === (state === 'down')) return;
    this.down = state === 'down';
    this.store.outage(state);
  }

  /** Subnets that two running nodes use at once. */
  doubleOwners(): string[] {
    const used = this.hosts.map(({ member }) =>
      [member?.lease?.ipv4?.subnet, member?.lease?.ipv6?.subnet].filter((subnet) => subnet !== undefined),
    );
    return used.flatMap((mine, i) =>
      used.slice(i + 1).flatMap((theirs) => mine.filter((a) => theirs.some((b) => prefixesOverlap(a, b)))),
    );
  }

  /** All is well from now on; `told` if kernels say that they have lost notifications. */
  async calm(told: boolean): Promise<void> {
    this.setStore('up');
    for (const { kernel } of this.hosts) {
      kernel.refuse(0);
      kernel.hear(told);
    }
    await this.pass(told ? RETRIED_MS : RESYNCED_MS);
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
    await settle();
  }

  /** A node brought up from nothing against what the store holds now. */
  async freshDump(host: Host): Promise<string> {
    const twin = host.twin();
    const clock = new SimClock(this.clock.now());
    this.start(twin, clock);
    await clock.advanceAsync(COLLECTED_MS);
    const dump = twin.kernel.dump();
    await this.stop(twin);
    return dump;
  }

  async end(): Promise<void> {
    for (const host of this.hosts) await this.stop(host);
  }
}

/** What a node would still do; before its first lease it does nothing at all. */
function leftToDo({ loop, kernel }: Host): Plan {
  if (loop?.status().firstPassOps === undefined) return { ops: [], conflicts: [] };
  return plan(loop.desired.state, kernel.state(), { owners: OWNERS });
}

function expectDone(host: Host): void {
  if (host.loop?.status().firstPassOps === undefined) return;
  expect(leftToDo(host), host.name).toEqual({ ops: [], conflicts: [] });
  expect(host.loop.status(), host.name).toMatchObject({ failures: [], conflicts: [] });
}

/** The same, where the last changes may have come a moment ago. */
async function expectDoneSoon(world: World, host: Host): Promise<void> {
  for (let tries = 0; tries < 5 && leftToDo(host).ops.length > 0; tries++) await world.pass(COLLECTED_MS);
  expectDone(host);
}

/** Each node that holds a lease is as a fresh one would be, and others' objects were left alone. */
async function expectAsFresh(world: World): Promise<void> {
  for (const host of world.hosts) {
    for (const object of host.foreign) expect(host.kernel.fake.find(object), keyOf(object)).toEqual(object);
    expectDone(host);
    if (host.member?.lease !== undefined)
      expect(host.kernel.dump(), host.name).toBe(await world.freshDump(host));
  }
  expect(world.doubleOwners()).toEqual([]);
}

/** In the end every running node holds a lease, and a fresh one finds nothing to write. */
async function expectServed(world: World): Promise<void> {
  const version = world.store.resourceVersion;
  await expectAsFresh(world);
  for (const host of world.hosts)
    if (host.running) expect(host.member?.lease, `${host.name} holds no lease`).toBeDefined();
  expect(world.store.resourceVersion).toBe(version);
}

interface Step extends fc.AsyncCommand<object, World> {}

function step(text: string, run: (world: World) => unknown): Step {
  return {
    check: () => true,
    toString: () => text,
    run: async (_, world) => {
      await run(world);
      await settle();
      expect(world.doubleOwners()).toEqual([]);
      if (world.hasty-- > 0) return;
      await world.pass(COLLECTED_MS);
      for (const host of world.hosts)
        if (host.kernel.reliable && host.member?.lease) await expectDoneSoon(world, host);
    },
  };
}

const node = fc.nat({ max: NODES - 1 });
const pick = fc.nat({ max: 99 });
const family = fc.constantFrom(...FAMILIES);
const at = <T>(list: readonly T[], index: number): T | undefined => list[index % Math.max(1, list.length)];
const scope = { namespace: LEASE_NAMESPACE };

function ours(host: Host): KernelObject[] {
  const state = host.kernel.state();
  return [...state.values()].filter(
    (object) => ownerOf(object, state) === OVERLAY || object.kind === 'sysctl',
  );
}

/** Another value for something of ours. */
function altered(object: KernelObject, remake: boolean): KernelObject {
  switch (object.kind) {
    case 'link':
      if (object.detail.type === 'vxlan' && remake)
        return { ...object, detail: { ...object.detail, port: 4789 } };
      return { ...object, mtuBytes: 1400, mac: '02:00:00:00:00:55' };
    case 'neighbour':
      return { ...object, mac: '02:00:00:00:00:56' };
    case 'fdb':
      return { ...object, dst: object.dst.includes(':') ? '2001:db8::77' : '192.0.2.77' };
    case 'route':
      return { ...object, mtuBytes: 1300 };
    case 'sysctl':
      return { ...object, value: '0' };
    case 'nft-chain':
      return { ...object, rules: [] };
    default:
      return object;
  }
}

const peerPart = fc.record({
  peer: fc.nat({ max: 1 }),
  family,
  subnet: fc.nat({ max: SUBNETS - 1 }),
  host: fc.nat({ max: 3 }),
});

const STEPS: readonly (readonly [weight: number, fc.Arbitrary<Step>])[] = [
  [6, node.map((i) => step(`node ${i} starts`, (world) => world.start(world.host(i))))],
  [2, node.map((i) => step(`agent ${i} is killed`, (world) => world.stop(world.host(i))))],
  [
    2,
    node.map((i) =>
      step(`agent ${i} is killed and comes back`, async (world) => {
        await world.stop(world.host(i));
        world.start(world.host(i));
      }),
    ),
  ],
  [
    1,
    node.map((i) =>
      step(`node ${i} leaves and its leases are deleted`, async (world) => {
        await world.stop(world.host(i));
        await world.administer(async (leases) => {
          for (const lease of leases)
            if (holderOf(lease) === world.host(i).name)
              await world.store.delete(RESOURCES.leases, lease.metadata.name, scope);
        });
      }),
    ),
  ],
  [1, node.map((i) => step(`node ${i} moves to another host`, (world) => world.move(i, true)))],
  [1, node.map((i) => step(`node ${i} is registered anew on another host`, (world) => world.move(i, false)))],
  [
    2,
    peerPart.map((p) =>
      step(`flannel ${p.peer} has ${subnetOf(p.family, p.subnet)} on host ${p.host}`, (world) =>
        world.administer(async (leases) => {
          const object = world.peerLease(p.peer, p.family, p.subnet, p.host);
          const existing = leases.find(({ metadata }) => metadata.name === object.metadata.name);
          if (existing === undefined) await world.store.create(RESOURCES.leases, object, scope);
          else if (holderOf(existing)?.startsWith('flannel'))
            await world.store.replace(RESOURCES.leases, object, scope);
        }),
      ),
    ),
  ],
  [
    1,
    pick.map((k) =>
      step(`an administrator deletes lease ${k}`, (world) =>
        world.administer(async (leases) => {
          const lease = at(leases, k);
          if (lease) await world.store.delete(RESOURCES.leases, lease.metadata.name, scope);
        }),
      ),
    ),
  ],
  [
    1,
    fc
      .tuple(pick, node)
      .map(([k, i]) =>
        step(`an administrator gives lease ${k} to node ${i}`, (world) =>
          world.administer((leases) =>
            giveLease(world, at(leases, k), world.host(i).name, world.host(i).uid),
          ),
        ),
      ),
  ],
  [
    1,
    pick.map((k) =>
      step(`an administrator gives lease ${k} to flannel`, (world) =>
        world.administer((leases) => giveLease(world, at(leases, k), 'flannel-0', 'uid-flannel-0')),
      ),
    ),
  ],
  [
    1,
    fc
      .tuple(family, fc.nat({ max: 4 }))
      .map(([f, kind]) =>
        step(`a lease that cannot be used (${f}, ${kind}) is written`, (world) =>
          world.administer(() => world.store.create(RESOURCES.leases, unusable(world, f, kind), scope)),
        ),
      ),
  ],
  [
    1,
    fc.tuple(pick, fc.boolean()).map(([k, isGiven]) =>
      step(`watches break off while lease ${k} is ${isGiven ? 'given to flannel' : 'deleted'}`, (world) =>
        world.administer(async (leases) => {
          const lease = at(leases, k);
          world.store.endWatches(new StoreError(410, 'Expired', 'too old'));
          if (isGiven) await giveLease(world, lease, 'flannel-1', 'uid-flannel-1');
          else if (lease) await world.store.delete(RESOURCES.leases, lease.metadata.name, scope);
        }),
      ),
    ),
  ],
  [2, fc.constant(step('the store goes away', (world) => world.setStore('down')))],
  [3, fc.constant(step('the store is back', (world) => world.setStore('up')))],
  [
    1,
    fc.boolean().map((gone) =>
      step(`watches end${gone ? ' and the history is lost' : ''}`, (world) => {
        if (gone) world.store.compact();
        world.store.endWatches(gone ? new StoreError(410, 'Expired', 'too old') : undefined);
      }),
    ),
  ],
  [
    3,
    fc.tuple(node, pick).map(([i, k]) =>
      step(`somebody removes object ${k} of node ${i}`, (world) => {
        const object = at(ours(world.host(i)), k);
        if (object !== undefined && object.kind !== 'sysctl')
          world.host(i).kernel.tamper({ verb: 'remove', object });
      }),
    ),
  ],
  [
    2,
    fc.tuple(node, pick).map(([i, k]) =>
      step(`somebody alters object ${k} of node ${i}`, (world) => {
        const object = at(ours(world.host(i)), k);
        if (object !== undefined)
          world
            .host(i)
            .kernel.tamper({ verb: 'replace', object: altered(object, k % 2 === 0), previous: object });
      }),
    ),
  ],
  [
    1,
    fc.tuple(node, fc.boolean()).map(([i, isTable]) =>
      step(`somebody deletes ${isTable ? 'the table' : 'the tunnel device'} of node ${i}`, (world) => {
        const gone = (object: KernelObject) =>
          isTable ? object.kind === 'nft-table' : object.kind === 'link' && object.name === 'flannel.1';
        const object = ours(world.host(i)).find(gone);
        if (object) world.host(i).kernel.tamper({ verb: 'remove', object });
      }),
    ),
  ],
  [
    1,
    fc
      .tuple(node, pick)
      .map(([i, k]) =>
        step(`an unwanted object ${k} with our mark comes to node ${i}`, (world) =>
          world.host(i).kernel.tamper({ verb: 'add', object: at(STRAYS, k) as KernelObject }),
        ),
      ),
  ],
  [
    2,
    fc.tuple(node, fc.nat({ max: FOREIGN.length })).map(([i, k]) =>
      step(`${k} foreign objects on node ${i}`, (world) => {
        for (const object of FOREIGN.slice(0, k)) world.host(i).addForeign(object);
      }),
    ),
  ],
  [
    1,
    node.map((i) => step(`node ${i} hears nothing of its kernel`, (world) => world.host(i).kernel.deafen())),
  ],
  [
    1,
    fc
      .tuple(node, fc.boolean())
      .map(([i, told]) =>
        step(`node ${i} hears its kernel again, ${told ? 'told of the loss' : 'not told'}`, (world) =>
          world.host(i).kernel.hear(told),
        ),
      ),
  ],
  [
    1,
    fc.tuple(node, fc.nat({ max: 5 })).map(([i, n]) =>
      step(`the kernel of node ${i} refuses the next ${n} operations`, (world) => {
        world.host(i).kernel.refuse(n);
      }),
    ),
  ],
  [
    2,
    fc.nat({ max: 5 }).map((n) =>
      step(`the next ${n} happen at once`, (world) => {
        world.hasty = n + 1;
      }),
    ),
  ],
  [
    4,
    fc
      .constantFrom(200, 1000, 20_000, 61_000, 490_000, 640_000)
      .map((ms) => step(`${ms / 1000} s pass`, (world) => world.clock.advanceAsync(ms))),
  ],
];

function holderOf(lease: KubeObject): string | undefined {
  return (lease['spec'] as { holderIdentity?: string } | undefined)?.holderIdentity;
}

/** Rewrites whose lease it is; flannel's nodes publish their own addresses with it. */
async function giveLease(
  world: World,
  lease: KubeObject | undefined,
  node: string,
  uid: string,
): Promise<void> {
  if (lease === undefined) return;
  const family = lease.metadata.name.includes('10.10.') ? 4 : 6;
  const { metadata } = world.peerLease(Number(node.at(-1)), family, 0, Number(node.at(-1)));
  const annotations = node.startsWith('flannel') ? { ...metadata.annotations } : {};
  delete annotations['poplin.dev/subnet'];
  const patch = {
    metadata: { annotations: { ...annotations, 'poplin.dev/owner-uid': uid } },
    spec: { holderIdentity: node },
  };
  await world.store.patch(RESOURCES.leases, lease.metadata.name, 'merge', patch, scope);
}

/** A lease in the last subnet that no node can use. */
function unusable(world: World, family: 4 | 6, kind: number): KubeObject {
  const object = world.peerLease(9, family, SUBNETS - 1, 9);
  const set = (name: string, value: string) => {
    (object.metadata.annotations as Record<string, string>)[`poplin.dev/${name}`] = value;
  };
  if (kind === 0) set('backend-data', '{"VNI":1,"VtepMAC":"no address"}');
  else if (kind === 1) set('backend-data', '{"VNI":1,"VtepMAC":"01:00:5e:00:00:01"}');
  else if (kind === 2) set('public-ip', publicIpOf(family === 4 ? 6 : 4, 9));
  else if (kind === 3) set('backend-data', '{"VNI":2,"VtepMAC":"02:00:00:00:00:01"}');
  else set('backend-type', 'host-gw');
  return object;
}

const walks = fc.commands(
  STEPS.flatMap(([weight, command]) => Array.from({ length: weight }, () => command)),
  { maxCommands: 30, size: 'max' },
);

describe('nodes of one cluster', () => {
  let world: World | undefined;
  afterEach(() => world?.end());

  it('end as fresh nodes would, whatever happened in whatever order', { timeout: 600_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(walks, fc.nat(), fc.boolean(), async (commands, seed, told) => {
        const each = new World(seed);
        try {
          await fc.asyncModelRun(() => ({ model: {}, real: each }), commands);
          await each.calm(told);
          await expectAsFresh(each);
          await each.pass(SETTLED_MS);
          await expectServed(each);
        } finally {
          await each.end();
        }
      }),
      { numRuns: process.env['POPLIN_SOAK'] === undefined ? 60 : 5000 },
    );
  });

  it('touch nothing when an agent comes back and nothing has changed', async () => {
    world = new World(1);
    for (const host of world.hosts) world.start(host);
    await world.pass(COLLECTED_MS);
    for (const host of world.hosts) {
      const before = host.kernel.dump();
      host.kernel.fake.journal.length = 0;
      await world.stop(host);
      world.start(host);
      await world.pass(COLLECTED_MS);
      expect(host.loop?.status().firstPassOps, host.name).toBe(0);
      expect(host.kernel.fake.journal).toEqual([]);
      expect(host.kernel.dump()).toBe(before);
    }
  });

  it('touch nothing when an agent comes back and learns of the others last', async () => {
    const store = new SlowToFollow();
    world = new World(1, store);
    for (const host of world.hosts) world.start(host);
    store.open();
    await world.pass(COLLECTED_MS);
    const host = world.host(0);
    await world.stop(host);
    store.close();
    world.start(host);
    await world.pass(COLLECTED_MS);
    expect(host.member?.lease).toBeDefined();
    expect(host.loop?.status().firstPassOps).toBeUndefined();
    store.open();
    await world.pass(COLLECTED_MS);
    expect(host.loop?.status().firstPassOps).toBe(0);
  });

  it('leave the network as it is while an agent that comes back finds no store', async () => {
    world = new World(1);
    for (const host of world.hosts) world.start(host);
    await world.pass(COLLECTED_MS);
    const host = world.host(0);
    const before = host.kernel.dump();
    await world.stop(host);
    world.setStore('down');
    world.start(host);
    await world.clock.advanceAsync(300_000);
    expect(host.kernel.dump()).toBe(before);
    world.setStore('up');
    await world.clock.advanceAsync(61_000);
    expect(host.loop?.status().firstPassOps).toBe(0);
    expect(host.kernel.dump()).toBe(before);
  });

  it('reach each other at the new host when a node was registered anew there', async () => {
    world = new World(1);
    for (const host of world.hosts.slice(0, 2)) world.start(host);
    await world.clock.advanceAsync(1000);
    await world.move(1, false);
    await world.pass(COLLECTED_MS);
    const moved = world.host(1);
    const mac = vtepMac('node-1', 4, 1);
    const fdb = { kind: 'fdb', link: 'flannel.1', mac, dst: publicIpOf(4, moved.number) } as const;
    expect(world.host(0).kernel.fake.find(fdb)).toEqual(fdb);
  });

  it('give up a subnet that an administrator gave to another at once, and take the next', async () => {
    world = new World(1);
    const host = world.host(0);
    world.start(host);
    await world.pass(COLLECTED_MS);
    expect(host.member?.lease?.ipv4?.subnet).toBe('10.10.0.0/24');
    await world.administer((leases) =>
      giveLease(world as World, leaseOn(leases, '10.10.0.0'), 'flannel-0', 'uid'),
    );
    await world.pass(COLLECTED_MS);
    expect(host.member?.lease?.ipv4?.subnet).toBe('10.10.1.0/24');
    expect(addressesOn(host)).toEqual(['10.10.1.0/32', 'fd10::/128']);
  });

  it('take down their side of a family whose subnet is gone while there is no other', async () => {
    world = new World(1);
    const host = world.host(0);
    world.start(host);
    await world.pass(COLLECTED_MS);
    for (let n = 1; n < SUBNETS; n++)
      await world.store.create(RESOURCES.leases, world.peerLease(1, 4, n, n), scope);
    await world.administer((leases) =>
      giveLease(world as World, leaseOn(leases, '10.10.0.0'), 'flannel-0', 'uid'),
    );
    await world.pass(COLLECTED_MS);
    expect(host.member?.lease).toBeUndefined();
    expect(host.told.at(-1)).toBeUndefined();
    expect(host.member?.problemTexts()).toEqual([
      'subnet 10.10.0.0/24 was given to node flannel-0 (lease subnet-10.10.0.0-24) while this node was away',
      'out of subnets: all 8 subnets of /24 in 10.10.0.0/16 from 10.10.0.0 to 10.10.7.0 are taken; free one, or widen the range',
    ]);
    expect(addressesOn(host)).toEqual(['fd10::/128']);
    expectDone(host);
    await world.store.delete(RESOURCES.leases, 'subnet-10.10.5.0-24', scope);
    await world.pass(COLLECTED_MS);
    expect(addressesOn(host)).toEqual(['10.10.5.0/32', 'fd10::/128']);
    expect(host.told.at(-1)).toEqual(['10.10.5.0/24', 'fd10::/64']);
    expect(host.member?.problemTexts()).toEqual([]);
    expectDone(host);
  });

  it('write their lease again as soon as somebody has deleted it', async () => {
    world = new World(1);
    const host = world.host(0);
    world.start(host);
    await world.pass(COLLECTED_MS);
    const before = host.kernel.dump();
    await world.store.delete(RESOURCES.leases, 'subnet-10.10.0.0-24', scope);
    await world.pass(COLLECTED_MS);
    expect((await world.leases()).map(holderOf)).toEqual(['node-0', 'node-0']);
    expect(host.kernel.dump()).toBe(before);
  });

  it("are ready although another node's lease cannot be carried out", async () => {
    world = new World(1);
    const host = world.host(0);
    await world.store.create(RESOURCES.leases, world.peerLease(1, 4, 3, 3), scope);
    host.kernel.refuseAlways = (object) => object.kind === 'route' && object.dst === '10.10.3.0/24';
    world.start(host);
    await world.pass(COLLECTED_MS);
    expect(host.previous).toEqual({ ipv4: '10.10.0.0/24', ipv6: 'fd10::/64' });
    expect(host.loop?.status().failures).toEqual(['add route 10.10.3.0/24 table 254 metric 0: ENOBUFS']);
    await world.store.create(RESOURCES.leases, world.peerLease(1, 4, 4, 4), scope);
    await world.pass(COLLECTED_MS);
    const route = planRemoteRoute('10.10.4.0');
    expect(host.kernel.fake.find(route)).toMatchObject(route);
  });
});

function leaseOn(leases: readonly KubeObject[], address: string): KubeObject | undefined {
  return leases.find(({ metadata }) => metadata.name.startsWith(`subnet-${address}-`));
}

function planRemoteRoute(address: string): KernelObject {
  const nextHops = [{ via: address, link: 'flannel.1', onlink: true }];
  return { kind: 'route', dst: `${address}/24`, nextHops, protocol: OVERLAY.protocol };
}

/** The addresses of a node's tunnel devices. */
function addressesOn(host: Host): string[] {
  return [...host.kernel.state().values()]
    .flatMap((object) =>
      object.kind === 'address' && object.link.startsWith('flannel') ? [object.address] : [],
    )
    .sort();
}
