/**
 * This node's lease in etcd and everybody else's, as a LeaseRegistry: carries out the state machine's actions, feeds back the answers,
 * and tells of keys as they come and go. Losing etcd loses nothing.
 */
import type { Logger } from 'pino';
import type { Clock, Random } from '#base/clock.ts';
import type { IpAddress, IpPrefix } from '#base/ip/index.ts';
import { formatProblem } from '#core/config/index.ts';
import {
  type EtcdClient,
  EtcdError,
  type EtcdKeyValue,
  type EtcdLeaseAction,
  type EtcdLeaseEvent,
  type EtcdLeaseOptions,
  type EtcdLeaseState,
  entriesOf,
  initialEtcdLease,
  isEtcdError,
  listRange,
  readStored,
  recordOf,
  type StoredSubnet,
  stepEtcdLease,
} from '#core/lease/etcd/index.ts';
import {
  type AcquirerConfig,
  enabledFamilies,
  type FamilyKey,
  type LeaseOffer,
  type LeaseRecord,
  type LeaseRegistry,
  leaseOf,
  type NetConf,
  parseNetConf,
  type RegistryEntry,
  type RegistrySink,
} from '#core/lease/index.ts';
import { type EtcdFollower, followEtcd } from '#io/etcd/index.ts';
import { COLLECT_MS } from './source.ts';

export interface EtcdOpenOptions {
  readonly netConf: NetConf;
  readonly offer: LeaseOffer;
  /** For families whose offer names no address. */
  readonly publicIps: { readonly ipv4?: IpAddress; readonly ipv6?: IpAddress };
  /** The subnets this node had before, to ask for again. */
  readonly previous?: AcquirerConfig['previous'];
  readonly node: string;
  /** The machine's id: tells it from another of the same name or address. */
  readonly ownerUid: string;
  readonly leaseTimes?: Pick<AcquirerConfig, 'durationSec' | 'renewMarginSec'>;
}

/** A lease in etcd; it can publish something else while it is held. */
export interface EtcdLeaseRegistry extends LeaseRegistry {
  /** From now on this node publishes this, without addresses where they are the same. */
  offer(offer: LeaseOffer): void;
}

export interface EtcdKeeperOptions {
  readonly client: EtcdClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly elapsedMs: () => number;
  readonly publicIps: EtcdOpenOptions['publicIps'];
  readonly lease: EtcdLeaseOptions;
}

type Unstamped<E> = E extends unknown ? Omit<E, 'nowMs' | 'random'> : never;
type Call = Extract<EtcdLeaseAction, { call: number }>;

export class EtcdLeaseKeeper implements EtcdLeaseRegistry {
  readonly #options: EtcdKeeperOptions;
  readonly #calls = new AbortController();
  /** The entries told for each key. */
  readonly #told = new Map<string, readonly RegistryEntry[]>();
  /** The keys that name a subnet: more than one, where flannel's nodes got in each other's way. */
  readonly #holders = new Map<IpPrefix, Set<string>>();
  #state: EtcdLeaseState;
  #sink: RegistrySink | undefined;
  #timer: Disposable | undefined;
  #following: Promise<unknown> = Promise.resolve();
  #configProblem: string | undefined;
  #wasDown = false;
  /** Problems that were logged and last. */
  #logged: ReadonlySet<string> = new Set();

  /** Throws RangeError for lease times that leave no time. */
  constructor(options: EtcdKeeperOptions) {
    this.#options = options;
    this.#state = initialEtcdLease(options.lease);
  }

  start(sink: RegistrySink): void {
    const { client, clock, random, lease, logger } = this.#options;
    this.#sink = sink;
    const { signal } = this.#calls;
    const follow = async (
      range: EtcdLeaseOptions['layout']['subnets'] | { key: string },
      follower: EtcdFollower,
    ) => {
      try {
        await followEtcd(client, range, { clock, random, signal, collectMs: COLLECT_MS }, follower);
      } catch (error) {
        logger.error({ err: error }, 'watch of etcd broke off');
      }
    };
    this.#following = Promise.all([
      follow(lease.layout.subnets, this.#subnets()),
      follow({ key: lease.layout.configKey }, this.#config()),
    ]);
    this.#send({ type: 'start' });
  }

  problemTexts(): readonly string[] {
    const own = this.#state.problems.map(({ message }) => message);
    return this.#configProblem === undefined ? own : [...own, this.#configProblem];
  }

  offer(offer: LeaseOffer): void {
    const { publicIps, lease } = this.#options;
    const { netConf, node } = lease;
    this.#send({ type: 'offer', offer: withAddresses(offer, publicIps, netConf, node) });
  }

  /** Keeps the lease in etcd: the node comes back to it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#send({ type: 'stop' });
    this.#calls.abort();
    this.#timer?.[Symbol.dispose]();
    await this.#following;
  }

  #subnets(): EtcdFollower {
    return {
      sync: (kvs) => this.#sync(kvs),
      upsert: (kv) => {
        this.#upsert(kv);
        this.#send({ type: 'changed', kv });
      },
      remove: (key, modRevision) => {
        for (const { name } of this.#forget(key)) this.#sink?.remove(name);
        this.#send({ type: 'removed', key, modRevision });
      },
      connection: (state, cause) => {
        this.#sink?.connection(state, cause);
        if (state === 'up' && this.#wasDown) this.#send({ type: 'connected' });
        this.#wasDown = state === 'down';
      },
    };
  }

  #sync(kvs: readonly EtcdKeyValue[]): void {
    this.#told.clear();
    this.#holders.clear();
    const entries = kvs.flatMap((kv) => this.#entries(kv));
    this.#sink?.sync(entries);
    for (const kv of kvs) this.#send({ type: 'changed', kv });
    this.#tellDoubles(entries);
    const held = this.#state.held?.kv;
    if (held !== undefined && !kvs.some(({ key }) => key === held.key))
      this.#send({ type: 'removed', key: held.key, modRevision: Number.MAX_SAFE_INTEGER });
  }

  #upsert(kv: EtcdKeyValue): void {
    const before = this.#forget(kv.key);
    const entries = this.#entries(kv);
    for (const { name } of before)
      if (!entries.some((entry) => entry.name === name)) this.#sink?.remove(name);
    for (const entry of entries) this.#sink?.upsert(entry);
    this.#tellDoubles(entries);
  }

  #tellDoubles(entries: readonly RegistryEntry[]): void {
    if (recordsOf(entries).some(({ subnet }) => (this.#holders.get(subnet)?.size ?? 0) > 1))
      this.#send({ type: 'doubles' });
  }

  #entries(kv: EtcdKeyValue): readonly RegistryEntry[] {
    const { clock, lease } = this.#options;
    const entries = entriesOf(readStored(lease.layout, kv), this.#state.config, clock.now());
    this.#told.set(kv.key, entries);
    for (const { subnet } of recordsOf(entries)) {
      const keys = this.#holders.get(subnet) ?? new Set();
      this.#holders.set(subnet, keys.add(kv.key));
    }
    return entries;
  }

  #forget(key: string): readonly RegistryEntry[] {
    const entries = this.#told.get(key) ?? [];
    this.#told.delete(key);
    for (const { subnet } of recordsOf(entries)) {
      const keys = this.#holders.get(subnet);
      keys?.delete(key);
      if (keys?.size === 0) this.#holders.delete(subnet);
    }
    return entries;
  }

  /** flannel does not take up a changed configuration, and neither do we: it is said. */
  #config(): EtcdFollower {
    const { logger, lease } = this.#options;
    const key = lease.layout.configKey;
    const take = (text: string | undefined) => {
      const before = this.#configProblem;
      this.#configProblem = text === undefined ? `etcd key ${key} is gone` : this.#configChange(text);
      if (this.#configProblem !== undefined && this.#configProblem !== before)
        logger.warn({ reason: this.#configProblem }, 'network configuration');
    };
    return {
      sync: ([kv]) => take(kv?.value),
      upsert: (kv) => take(kv.value),
      remove: () => take(undefined),
      connection: () => {},
    };
  }

  #configChange(text: string): string | undefined {
    const { netConf, layout } = this.#options.lease;
    const source = `etcd key ${layout.configKey}`;
    const result = parseNetConf(text, source);
    if (!result.ok)
      return `${source} cannot be used any more: ${result.problems.map(formatProblem).join('; ')}`;
    if (JSON.stringify(result.value) === JSON.stringify(netConf)) return undefined;
    return `${source} says something else than when this node started: restart the nodes to take it up`;
  }

  #send(event: Unstamped<EtcdLeaseEvent>): void {
    const { random, elapsedMs } = this.#options;
    const stamped = { ...event, nowMs: elapsedMs(), random: random() } as EtcdLeaseEvent;
    const { state, actions } = stepEtcdLease(this.#state, stamped);
    this.#state = state;
    for (const action of actions) this.#carryOut(action);
  }

  #carryOut(action: EtcdLeaseAction): void {
    const { client, logger, clock, elapsedMs } = this.#options;
    switch (action.type) {
      case 'list':
      case 'grant':
      case 'txn':
      case 'ttl':
        this.#call(action);
        return;
      case 'revoke':
        client.revoke(action.lease, { signal: this.#calls.signal }).catch((error: unknown) => {
          logger.debug({ err: error }, 'etcd lease not revoked: it ends by itself');
        });
        return;
      case 'wake':
        this.#timer?.[Symbol.dispose]();
        this.#timer = clock.setTimeout(Math.max(0, action.atMs - elapsedMs()), () =>
          this.#send({ type: 'wake' }),
        );
        return;
      case 'held':
      case 'renewed':
        this.#announce(action.stored, action.type);
        return;
      case 'lost':
        logger.error({ subnet: action.subnet, reason: action.message }, 'lease lost');
        this.#sink?.lost(action.family);
        return;
      case 'problems':
        for (const { code, message, keys } of action.problems)
          if (!this.#logged.has(message)) logger.warn({ code, keys, reason: message }, 'lease problem');
        this.#logged = new Set(action.problems.map(({ message }) => message));
        return;
    }
  }

  #announce(stored: StoredSubnet, type: 'held' | 'renewed'): void {
    const { clock, logger, lease } = this.#options;
    const [ipv4, ipv6] = (['ipv4', 'ipv6'] as const).map((key) =>
      recordOf(stored, key, clock.now(), lease.durationSec),
    );
    const held = leaseOf(ipv4, ipv6);
    if (held === undefined) return;
    if (type === 'held')
      logger.info({ key: stored.kv.key, reserved: held.reserved, ...stored.subnets }, 'lease held');
    this.#sink?.held(held);
  }

  #call(action: Call): void {
    const { call } = action;
    this.#ask(action).then(
      (event) => this.#send(event),
      (error: unknown) => {
        const failure = isEtcdError(error)
          ? error
          : new EtcdError('unavailable', String(error), { mayBeDone: true });
        const { failure: kind, mayBeDone, message } = failure;
        this.#send({ type: 'failed', call, failure: kind, mayBeDone, message });
      },
    );
  }

  async #ask(action: Call): Promise<Unstamped<EtcdLeaseEvent>> {
    const { client, lease } = this.#options;
    const { call } = action;
    const { subnets } = lease.layout;
    const scope = { signal: this.#calls.signal };
    switch (action.type) {
      case 'list': {
        const { since } = action;
        const { revision, kvs } =
          since === undefined
            ? await listRange(client, subnets, scope)
            : await client.range({ ...subnets, minCreateRevision: since + 1, sortBy: 'create' }, scope);
        return { type: 'listed', call, revision, kvs };
      }
      case 'grant':
        return { type: 'granted', call, ...(await client.grant(action.ttlSec, scope)) };
      case 'txn':
        return { type: 'txn-done', call, answer: await client.txn(action.txn, scope) };
      case 'ttl':
        return { type: 'ttl', call, ttlSec: await client.timeToLive(action.lease, scope) };
    }
  }
}

/** An offer with an address in each family of the network. */
export function withAddresses(
  offer: LeaseOffer,
  publicIps: EtcdOpenOptions['publicIps'],
  netConf: NetConf,
  node: string,
): LeaseOffer {
  const families: { [K in FamilyKey]?: NonNullable<LeaseOffer[FamilyKey]> } = {};
  for (const key of enabledFamilies(netConf)) {
    const publicIp = offer[key]?.publicIp ?? publicIps[key];
    if (publicIp === undefined)
      throw new RangeError(`node ${node} has no ${key} address, and the network has ${key}`);
    families[key] = { ...offer[key], publicIp };
  }
  return { backendType: offer.backendType, ...families };
}

function recordsOf(entries: readonly RegistryEntry[]): readonly LeaseRecord[] {
  return entries.flatMap((entry) => ('record' in entry ? [entry.record] : []));
}
