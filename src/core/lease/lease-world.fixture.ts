/**
 * A small world for tests of the acquire protocol: one store with compare-and-swap, nodes with their own clocks, and
 * everything between them that can go wrong: lost answers, calls that land late, pauses, crashes, outages.
 */
import { prefixesOverlap } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { stepLease } from './acquirer.ts';
import type {
  AcquirerConfig,
  CallFailure,
  EventStamp,
  LeaseAction,
  LeaseEvent,
  LeaseState,
} from './acquirer-types.ts';
import { type LeaseReading, leaseFromObject } from './lease-object.ts';
import { initialLeaseState, isConfirmed } from './lease-state.ts';
import { FAMILY_KEYS, isExpired } from './model.ts';
import type { NetConf } from './net-conf.ts';

export type Outcome =
  | { readonly ok: true; readonly object?: KubeObject; readonly items?: readonly KubeObject[] }
  | { readonly ok: false; readonly failure: CallFailure };

type WithoutStamp<E> = E extends LeaseEvent ? Omit<E, keyof EventStamp> : never;
/** An event as a test writes it; the world adds clock and chance. */
export type Happening = WithoutStamp<LeaseEvent>;

type Call = Extract<LeaseAction, { call: number }>;

/** Leases by name, with resource versions as an API server counts them. */
export class CasStore {
  readonly objects = new Map<string, KubeObject>();
  private version = 0;
  nowMs = 0;

  apply(call: Call): Outcome {
    if (call.type === 'list') return { ok: true, items: [...this.objects.values()] };
    const name = call.type === 'delete' ? call.name : call.object.metadata.name;
    const stored = this.objects.get(name);
    if (call.type === 'create') {
      if (stored !== undefined) return { ok: false, failure: 'already-exists' };
      const creationTimestamp = `t${String(Math.floor(this.nowMs / 1000)).padStart(12, '0')}`;
      return { ok: true, object: this.put(call.object, { uid: `uid-${this.version}`, creationTimestamp }) };
    }
    if (stored === undefined) return { ok: false, failure: 'not-found' };
    const expected = call.type === 'delete' ? call.resourceVersion : call.object.metadata.resourceVersion;
    if (expected !== stored.metadata.resourceVersion) return { ok: false, failure: 'conflict' };
    if (call.type === 'replace') return { ok: true, object: this.put(call.object, {}) };
    this.objects.delete(name);
    return { ok: true };
  }

  private put(object: KubeObject, extra: object): KubeObject {
    this.version++;
    const metadata = { ...object.metadata, ...extra, resourceVersion: String(this.version) };
    const stored = structuredClone({ ...object, metadata });
    this.objects.set(metadata.name, stored);
    return stored;
  }
}

export interface WorldNode {
  readonly index: number;
  readonly name: string;
  readonly skewMs: number;
  running: boolean;
  paused: boolean;
  state: LeaseState | undefined;
  pending: Call[];
  wakeAtMs: number | undefined;
  readonly log: LeaseAction[];
  /** What a restart must bring back, as long as time has not gone on much. */
  expected: { ipv4?: string; ipv6?: string } | undefined;
  previous: { ipv4?: string; ipv6?: string };
}

/** How an answer travels: told; carried out but lost; lost before the store and never carried out; carried out later. */
export type Delivery = 'told' | 'lost-answer' | 'lost-call' | 'late';

export class LeaseWorld {
  readonly store = new CasStore();
  readonly nodes: WorldNode[];
  isDown = false;
  readonly late: Call[] = [];
  private readonly netConfOf: (index: number) => NetConf;
  private seed: number;

  constructor(count: number, netConf: NetConf | ((index: number) => NetConf), seed = 1, skewMs = 0) {
    this.netConfOf = typeof netConf === 'function' ? netConf : () => netConf;
    this.seed = seed;
    this.nodes = Array.from({ length: count }, (_, index) => ({
      index,
      name: `node-${index}`,
      skewMs: index % 2 === 0 ? skewMs : -skewMs,
      running: false,
      paused: false,
      state: undefined,
      pending: [],
      wakeAtMs: undefined,
      log: [],
      expected: undefined,
      previous: {},
    }));
  }

  node(index: number): WorldNode {
    return this.nodes[index % this.nodes.length] as WorldNode;
  }

  clockOf(node: WorldNode): number {
    return this.store.nowMs + node.skewMs;
  }

  private random(): number {
    this.seed = (Math.imul(this.seed, 1_664_525) + 1_013_904_223) >>> 0;
    return this.seed / 2 ** 32;
  }

  start(node: WorldNode, config: Partial<AcquirerConfig> = {}): void {
    if (node.running) return;
    node.running = true;
    node.paused = false;
    const isHeldInStore = FAMILY_KEYS.every((key) => {
      const subnet = node.previous[key];
      const readings = [...this.store.objects.values()].map((object) => leaseFromObject(object));
      const isMine = (reading: LeaseReading) =>
        reading.ok &&
        reading.record.subnet === subnet &&
        reading.record.ownerUid === `uid-of-${node.name}` &&
        !isExpired(reading.record, this.clockOf(node) + 600_000);
      return subnet === undefined || readings.some(isMine);
    });
    node.expected = isHeldInStore ? node.previous : undefined;
    node.state = initialLeaseState({
      node: node.name,
      ownerUid: `uid-of-${node.name}`,
      netConf: this.netConfOf(node.index),
      offer: { backendType: 'vxlan', ipv4: { publicIp: `192.0.2.${node.index + 1}` } },
      previous: node.previous,
      ...config,
    });
    this.feed(node, { type: 'start' });
  }

  /** The process dies; what it sent may still be carried out. */
  crash(node: WorldNode): void {
    this.late.push(...node.pending);
    Object.assign(node, {
      running: false,
      paused: false,
      state: undefined,
      pending: [],
      wakeAtMs: undefined,
    });
  }

  feed(node: WorldNode, event: Happening): void {
    if (node.state === undefined) return;
    const stamped = { ...event, nowMs: this.clockOf(node), random: this.random() } as LeaseEvent;
    const { state, actions } = stepLease(node.state, stamped);
    node.state = state;
    for (const action of actions) this.carryOut(node, action);
  }

  private carryOut(node: WorldNode, action: LeaseAction): void {
    node.log.push(action);
    if ('call' in action) node.pending.push(action);
    else if (action.type === 'wake') node.wakeAtMs = action.atMs;
    else if (action.type === 'held') {
      const previous = {
        ...(action.lease.ipv4 ? { ipv4: action.lease.ipv4.subnet } : {}),
        ...(action.lease.ipv6 ? { ipv6: action.lease.ipv6.subnet } : {}),
      };
      for (const key of FAMILY_KEYS) {
        const expected = node.expected?.[key];
        if (expected !== undefined && expected !== previous[key])
          throw new Error(`${node.name} came back with ${previous[key]} instead of ${expected}`);
      }
      node.expected = undefined;
      node.previous = previous;
    } else if (action.type === 'stopped') {
      this.crash(node);
    }
  }

  /** Carries out a node's oldest call, in one of the ways of the world. */
  deliver(node: WorldNode, how: Delivery = 'told'): boolean {
    if (!node.running || node.paused) return false;
    const call = node.pending.shift();
    if (call === undefined) return false;
    const { call: id } = call;
    const unavailable: Happening = { type: 'failed', call: id, failure: 'unavailable', message: 'no answer' };
    if (this.isDown || how === 'lost-call') this.feed(node, unavailable);
    else if (how === 'late') {
      this.late.push(call);
      this.feed(node, unavailable);
    } else {
      const outcome = this.store.apply(call);
      this.feed(node, how === 'lost-answer' ? unavailable : answerOf(id, outcome));
    }
    return true;
  }

  landLate(index: number): void {
    const [call] = this.late.splice(index % Math.max(1, this.late.length), 1);
    if (call !== undefined && !this.isDown) this.store.apply(call);
  }

  advance(ms: number): void {
    this.store.nowMs += ms;
    for (const node of this.nodes) {
      if (ms >= 3_600_000) node.expected = undefined;
      if (!node.paused) this.wake(node);
    }
  }

  resume(node: WorldNode): void {
    node.paused = false;
    this.wake(node);
  }

  private wake(node: WorldNode): void {
    if (!node.running || node.wakeAtMs === undefined || node.wakeAtMs > this.clockOf(node)) return;
    node.wakeAtMs = undefined;
    this.feed(node, { type: 'wake' });
  }

  /** Answers every call in turn until no node waits for the store. */
  drain(limit = 5000): void {
    for (let steps = 0; steps < limit; steps++) {
      if (!this.nodes.map((node) => this.deliver(node)).includes(true)) return;
    }
    throw new Error('the nodes do not come to rest');
  }

  /** Lets time pass in short steps, all well, until every running node holds its lease or the time is over. */
  settle(forMs: number): void {
    this.isDown = false;
    for (const node of this.nodes) this.resume(node);
    this.drain();
    const end = this.store.nowMs + forMs;
    while (this.store.nowMs < end && !this.running().every((node) => this.isConfirmed(node))) {
      this.advance(600_000);
      this.drain();
    }
  }

  running(): WorldNode[] {
    return this.nodes.filter((node) => node.running);
  }

  isConfirmed(node: WorldNode): boolean {
    return node.state !== undefined && isConfirmed(node.state, this.clockOf(node));
  }

  /** The subnets a node is sure of. */
  confirmed(node: WorldNode): string[] {
    if (node.state === undefined || !this.isConfirmed(node)) return [];
    return FAMILY_KEYS.flatMap((key) => node.state?.families[key]?.held?.record.subnet ?? []);
  }

  /** Names of nodes that are sure of overlapping subnets: always empty, or the protocol is wrong. */
  doubleOwners(): string[] {
    const found: string[] = [];
    const owned = this.nodes.map((node) => this.confirmed(node));
    for (const [i, mine] of owned.entries())
      for (const [j, theirs] of owned.entries())
        if (i < j && mine.some((a) => theirs.some((b) => prefixesOverlap(a, b))))
          found.push(`node-${i} ${mine.join()} and node-${j} ${theirs.join()}`);
    return found;
  }
}

function answerOf(call: number, outcome: Outcome): Happening {
  if (!outcome.ok) return { type: 'failed', call, failure: outcome.failure, message: outcome.failure };
  if (outcome.items !== undefined) return { type: 'listed', call, items: outcome.items };
  if (outcome.object !== undefined) return { type: 'stored', call, object: outcome.object };
  return { type: 'deleted', call };
}
