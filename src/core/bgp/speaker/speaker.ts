/**
 * A speaker without its sockets: a configuration and news of sessions in; sessions to begin and end, routes to send and to program out. It
 * keeps no time: `wake` says when it wants to be asked again. Sessions are run by others, in the words of ports.ts; each says when it can take more.
 */
import type { IpPrefix } from '#base/ip/index.ts';
import type { RouteFamily } from '../model.ts';
import type { SessionNews, SessionSend } from '../ports.ts';
import { type BestChange, type LocalRoute, type MetricOf, Rib, type RibEvent } from '../rib/index.ts';
import { isSame, type NeighborChange, neighborChanges } from './changes.ts';
import type { NeighborConfig, SpeakerConfig } from './config.ts';
import { type PolicyPorts, peerPolicy } from './policy.ts';

export interface SpeakerPorts extends PolicyPorts {
  /** What it costs to reach a next hop; undefined if it cannot be reached. */
  readonly metricOf?: MetricOf;
}

export type SpeakerAction =
  /** Begin a session, or have the one that is there be another from the next time on. */
  | { readonly type: 'open'; readonly neighbor: NeighborConfig }
  | { readonly type: 'settings'; readonly neighbor: NeighborConfig }
  /** End it, for good (`removed`, `shutdown`), to begin anew (`changed`), or for a while (`limit`). */
  | {
      readonly type: 'close';
      readonly peer: string;
      readonly reason: 'removed' | 'shutdown' | 'changed' | 'limit';
    }
  | { readonly type: 'send'; readonly peer: string; readonly sends: readonly SessionSend[] }
  | { readonly type: 'program'; readonly changes: readonly BestChange[] }
  | { readonly type: 'event'; readonly event: RibEvent };

/** Prefixes a session is given at a time: of very many sessions each gets fewer, for all that is given at once is in memory at once. */
const SEND_BUDGET = 1024;
const LEAST_SEND_BUDGET = 256;
const SEND_BUDGET_OF_ALL = 16_384;
const PROGRAM_BUDGET = 4096;

export class Speaker {
  /** For views. */
  readonly rib: Rib;
  readonly #ports: SpeakerPorts;
  #config: SpeakerConfig;
  readonly #neighbors = new Map<string, NeighborConfig>();
  /** Sessions that are up and have not been given more than they have taken. */
  readonly #ready = new Set<string>();
  readonly #up = new Map<string, number>();
  /** Sessions that were asked for, up or not. */
  readonly #opened = new Set<string>();
  #actions: SpeakerAction[] = [];

  /** `isRestarting`: what is learned is waited for before anything is told (RFC 4724 section 4.1). */
  constructor(config: SpeakerConfig, ports: SpeakerPorts, now: number, isRestarting = false) {
    this.#ports = ports;
    const { metricOf } = ports;
    this.#config = { ...config, neighbors: [], routes: [], aggregates: [] };
    this.rib = new Rib(config, metricOf === undefined ? {} : { metricOf });
    if (isRestarting) this.rib.defer(now);
    this.configure(config, now);
  }

  get config(): SpeakerConfig {
    return this.#config;
  }

  /** The neighbour of a key. */
  neighbor(key: string): NeighborConfig | undefined {
    return this.#neighbors.get(key);
  }

  /** Since when a session is up, in milliseconds; undefined if it is down. */
  upSince(key: string): number | undefined {
    return this.#up.get(key);
  }

  /** Takes another configuration. Sessions end only where they must. Throws a RangeError, having changed nothing, if it makes no sense. */
  configure(config: SpeakerConfig, now: number): void {
    const changes = neighborChanges(this.#config, config);
    const policies = new Map(
      config.neighbors.map((neighbor) => [neighbor.key, peerPolicy(config, neighbor, this.#ports)]),
    );
    const old = this.#config;
    this.#config = config;
    for (const change of changes)
      if (change.type === 'change' && change.reset) this.#end(change.neighbor.key, 'changed', now);
    const { neighbors: _, routes, aggregates, ...tables } = config;
    const { neighbors: __, routes: oldRoutes, aggregates: oldAggregates, ...oldTables } = old;
    if (!isSame(tables, oldTables)) this.rib.configure(config, now);
    for (const change of changes) this.#change(change, policies, now);
    this.#setRoutes(oldRoutes, routes, now);
    if (!isSame(aggregates, oldAggregates)) this.rib.setAggregates(aggregates, now);
  }

  /** Takes in what a session says; `flush` gives what comes of it. News of neighbours that are no more are ignored. */
  take(peer: string, news: SessionNews, now: number): void {
    if (!this.#neighbors.has(peer)) return;
    if (news.type === 'established') {
      this.#up.set(peer, now);
      this.#ready.add(peer);
    } else if (news.type === 'down') {
      this.#up.delete(peer);
      this.#ready.delete(peer);
    } else if (!this.#up.has(peer)) return;
    this.rib.take(peer, news, now);
  }

  /** A session has sent what it was given. */
  ready(peer: string): void {
    if (this.#up.has(peer)) this.#ready.add(peer);
  }

  /** Announces a route of our own beside those of the configuration. */
  announce(route: LocalRoute, now: number): void {
    this.rib.announce(route, now);
  }

  /** False if there was no such route. */
  withdraw(prefix: IpPrefix, origin: string): boolean {
    return this.rib.withdraw(prefix, origin);
  }

  /** The way to next hops has changed. */
  refreshMetrics(): void {
    this.rib.refreshMetrics();
  }

  /** Filters are asked again about what the peer said (in), or it is told everything again (out). False if there is no such neighbour. */
  softReset(peer: string, direction: 'in' | 'out', now: number): boolean {
    if (!this.#neighbors.has(peer)) return false;
    if (direction === 'in') this.rib.readmit(peer, now);
    else for (const family of [4, 6] as const) this.rib.resend(peer, family);
    return true;
  }

  /** Asks the peer to say everything again (RFC 2918). */
  requestRefresh(peer: string, family: RouteFamily): void {
    if (!this.#up.has(peer)) return;
    const sends: readonly SessionSend[] = [{ type: 'refresh', family, subtype: 'request' }];
    this.#actions.push({ type: 'send', peer, sends });
  }

  /** When `flush` has something to do though nothing was taken, in milliseconds. */
  get wake(): number | undefined {
    return this.rib.deadline;
  }

  /** There is more to do at once: `flush` gives it in parts. */
  get isUnfinished(): boolean {
    return this.rib.hasBest;
  }

  /** Decides, and says what is to be done: of much that is to be programmed a part. */
  flush(now: number): readonly SpeakerAction[] {
    const due = this.rib.deadline;
    if (due !== undefined && due <= now) this.rib.expire(now);
    this.rib.settle(now);
    for (const event of this.rib.takeEvents()) {
      this.#actions.push({ type: 'event', event });
      if (event.type === 'limit' && event.action === 'stop') this.#end(event.peer, 'limit', now);
    }
    const changes = this.rib.takeBest(PROGRAM_BUDGET, now);
    if (changes.length > 0) this.#actions.push({ type: 'program', changes });
    const owed = [...this.#ready].filter((peer) => this.rib.hasPending(peer));
    const share = Math.max(LEAST_SEND_BUDGET, Math.floor(SEND_BUDGET_OF_ALL / owed.length));
    for (const peer of owed) {
      const sends = this.rib.drain(peer, Math.min(SEND_BUDGET, share), now);
      if (sends.length === 0) continue;
      this.#ready.delete(peer);
      this.#actions.push({ type: 'send', peer, sends });
    }
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }

  #change(
    change: NeighborChange,
    policies: ReadonlyMap<string, ReturnType<typeof peerPolicy>>,
    now: number,
  ): void {
    if (change.type === 'remove') {
      this.#end(change.key, 'removed', now);
      this.#neighbors.delete(change.key);
      this.rib.removePeer(change.key);
      return;
    }
    const { neighbor } = change;
    const policy = policies.get(neighbor.key) ?? {};
    this.#neighbors.set(neighbor.key, neighbor);
    if (change.type === 'add') {
      this.rib.addPeer(neighbor.key, policy);
      this.#open(neighbor);
      return;
    }
    if (change.policy || change.reset) this.rib.setPolicy(neighbor.key, policy, now);
    if (change.reset) this.#open(neighbor);
    else if (change.settings) this.#actions.push({ type: 'settings', neighbor });
  }

  #open(neighbor: NeighborConfig): void {
    if (neighbor.isShutdown === true) return;
    this.#opened.add(neighbor.key);
    this.#actions.push({ type: 'open', neighbor });
  }

  #end(peer: string, reason: 'removed' | 'shutdown' | 'changed' | 'limit', now: number): void {
    const isShutdown = this.#config.neighbors.some(
      ({ key, isShutdown }) => key === peer && isShutdown === true,
    );
    const isOpened = reason === 'limit' ? this.#opened.has(peer) : this.#opened.delete(peer);
    if (isOpened) this.#actions.push({ type: 'close', peer, reason: isShutdown ? 'shutdown' : reason });
    if (this.#up.has(peer)) this.take(peer, { type: 'down', keepsRoutes: false, reason }, now);
  }

  #setRoutes(old: readonly LocalRoute[], wanted: readonly LocalRoute[], now: number): void {
    const keyOf = ({ prefix, origin }: LocalRoute): string => `${origin} ${prefix}`;
    const before = new Map(old.map((route) => [keyOf(route), route]));
    const after = new Map(wanted.map((route) => [keyOf(route), route]));
    for (const [key, { prefix, origin }] of before) if (!after.has(key)) this.rib.withdraw(prefix, origin);
    for (const [key, route] of after) if (!isSame(before.get(key), route)) this.rib.announce(route, now);
  }
}
