/**
 * Many nodes in one process on one etcd: Poplin's as they are, each behind a gate that can be shut as a stopped machine is, flannel's
 * after flannel's rules, and an auditor that checks every single revision of the keys.
 */
import pino from 'pino';
import { etcdRegistry } from '#app/agent/registries/etcd.ts';
import type { EtcdLeaseRegistry } from '#app/agent/registries/etcd-keeper.ts';
import type { Clock } from '#base/clock.ts';
import { prefixesOverlap } from '#base/ip/index.ts';
import {
  type EtcdClient,
  type EtcdEvent,
  type EtcdKeyValue,
  etcdLayout,
  listRange,
  pairsOverlap,
  readStored,
  readSubnetKey,
  type StoredSubnet,
  type SubnetPair,
  subnetKey,
  type WatchBatch,
} from '#core/lease/etcd/index.ts';
import { FAMILY_KEYS, type NetConf, type SubnetLease } from '#core/lease/index.ts';
import { systemClock } from '#io/clock/index.ts';

export const layout = etcdLayout();

/** Shut: nothing comes in or goes out, no timer fires. */
class Gate {
  private opened: PromiseWithResolvers<void> | undefined;

  get isShut(): boolean {
    return this.opened !== undefined;
  }

  shut(): void {
    this.opened ??= Promise.withResolvers();
  }

  open(): void {
    this.opened?.resolve();
    this.opened = undefined;
  }

  async pass(): Promise<void> {
    while (this.opened !== undefined) await this.opened.promise;
  }

  clock(): Clock {
    return {
      now: () => systemClock.now(),
      setTimeout: (ms, fn) => {
        let dropped = false;
        const timer = systemClock.setTimeout(ms, () => void this.pass().then(() => dropped || fn()));
        return {
          [Symbol.dispose]: () => {
            dropped = true;
            timer[Symbol.dispose]();
          },
        };
      },
    };
  }

  client(client: EtcdClient, hub: WatchHub): EtcdClient {
    const through = async <T>(work: () => Promise<T>): Promise<T> => {
      await this.pass();
      try {
        return await work();
      } finally {
        await this.pass();
      }
    };
    return {
      range: (request, options) => through(() => client.range(request, options)),
      txn: (txn, options) => through(() => client.txn(txn, options)),
      grant: (ttlSec, options) => through(() => client.grant(ttlSec, options)),
      keepAlive: (lease, options) => through(() => client.keepAlive(lease, options)),
      timeToLive: (lease, options) => through(() => client.timeToLive(lease, options)),
      revoke: (lease, options) => through(() => client.revoke(lease, options)),
      watch: ({ startRevision, key }, { signal }) =>
        key === layout.configKey ? silence(signal) : hub.watch(startRevision, signal, this),
    };
  }
}

async function* silence(signal: AbortSignal): AsyncGenerator<WatchBatch> {
  await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  yield { events: [], nextRevision: 0 };
}

/** One watch of etcd, heard by all nodes: the gateway's own work is not what is tried here. */
export class WatchHub {
  private readonly events: EtcdEvent[] = [];
  private readonly waiting = new Set<() => void>();
  private readonly stopping = new AbortController();
  readonly done: Promise<void>;

  constructor(client: EtcdClient, startRevision: number, onBatch: (events: readonly EtcdEvent[]) => void) {
    const { signal } = this.stopping;
    this.done = (async () => {
      try {
        for await (const { events } of client.watch({ ...layout.subnets, startRevision }, { signal })) {
          this.events.push(...events);
          onBatch(events);
          for (const wake of [...this.waiting]) wake();
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    })();
  }

  stop(): Promise<void> {
    this.stopping.abort(new Error('over'));
    return this.done;
  }

  async *watch(startRevision: number, signal: AbortSignal, gate: Gate): AsyncGenerator<WatchBatch> {
    const first = this.events.findIndex((event) => revisionOf(event) >= startRevision);
    let next = first < 0 ? this.events.length : first;
    let at = startRevision;
    yield { events: [], nextRevision: at };
    for (;;) {
      signal.throwIfAborted();
      const events = this.events.slice(next).filter((event) => revisionOf(event) >= startRevision);
      next = this.events.length;
      const last = events.at(-1);
      if (last !== undefined) {
        await gate.pass();
        signal.throwIfAborted();
        at = revisionOf(last) + 1;
        yield { events, nextRevision: at };
        continue;
      }
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }
}

export interface CrowdOptions {
  readonly client: EtcdClient;
  readonly hub: WatchHub;
  readonly netConf: NetConf;
  readonly durationSec: number;
  readonly renewMarginSec: number;
  readonly random: () => number;
}

/** A Poplin node: its process comes and goes, its machine stops and goes on, its address and its memory stay. */
export class PoplinNode {
  readonly name: string;
  readonly publicIp: string;
  /** What it believes to hold. */
  believed: SubnetPair = {};
  lease: SubnetLease | undefined;
  losses = 0;
  /** Something was done to it that may cost it its subnet. */
  isDisturbed = false;
  private readonly options: CrowdOptions;
  private readonly gate = new Gate();
  private registry: EtcdLeaseRegistry | undefined;
  private previous: SubnetPair = {};

  constructor(index: number, options: CrowdOptions) {
    this.name = `poplin-${index}`;
    this.publicIp = `198.18.${index >> 8}.${index & 255}`;
    this.options = options;
  }

  get isRunning(): boolean {
    return this.registry !== undefined;
  }

  get isPaused(): boolean {
    return this.gate.isShut;
  }

  get isComplete(): boolean {
    return FAMILY_KEYS.every((key) => this.believed[key] !== undefined);
  }

  get key(): string {
    return subnetKey(layout, this.believed);
  }

  start(): void {
    const { client, hub, netConf, durationSec, renewMarginSec, random } = this.options;
    const registry = etcdRegistry({
      etcd: { endpoints: [] },
      client: this.gate.client(client, hub),
      clock: this.gate.clock(),
      random,
      logger: pino({ level: 'silent' }),
    });
    this.registry = registry.open({
      node: this.name,
      ownerUid: `uid-${this.name}`,
      netConf,
      offer: { backendType: 'host-gw' },
      publicIps: { ipv4: this.publicIp, ipv6: `2001:db8::${this.publicIp.split('.').slice(2).join(':')}` },
      previous: this.previous,
      leaseTimes: { durationSec, renewMarginSec },
    });
    this.registry.start({
      held: (lease) => {
        this.lease = lease;
        const { ipv4, ipv6 } = lease;
        this.believed = { ...(ipv4 && { ipv4: ipv4.subnet }), ...(ipv6 && { ipv6: ipv6.subnet }) };
        this.previous = this.believed;
      },
      lost: (family) => {
        this.losses++;
        const { [family]: _, ...rest } = this.believed;
        this.believed = rest;
      },
      sync: () => {},
      upsert: () => {},
      remove: () => {},
      connection: () => {},
    });
  }

  async stop(): Promise<void> {
    const { registry } = this;
    this.registry = undefined;
    this.believed = {};
    this.gate.open();
    await registry?.[Symbol.asyncDispose]();
  }

  pause(): void {
    this.gate.shut();
  }

  resume(): void {
    this.gate.open();
  }

  problems(): readonly string[] {
    return this.registry?.problemTexts() ?? [];
  }
}

/** A flannel node: what it does and does not look at is as in flannel's pkg/subnet/etcd. */
export class FlannelNode {
  readonly publicIp: string;
  believed: SubnetPair = {};
  private readonly options: CrowdOptions;
  private running = false;
  private renewing: Disposable | undefined;

  constructor(index: number, options: CrowdOptions) {
    this.publicIp = `198.19.${index >> 8}.${index & 255}`;
    this.options = options;
  }

  get isRunning(): boolean {
    return this.running;
  }

  async start(): Promise<void> {
    this.running = true;
    while (this.running && !(await this.acquire())) await new Promise((resolve) => setTimeout(resolve, 20));
    this.renewLater();
  }

  stop(): void {
    this.running = false;
    this.believed = {};
    this.renewing?.[Symbol.dispose]();
  }

  /** Away for a while; then its timer fires, whatever has become of its key. */
  pause(ms: number): void {
    this.renewing?.[Symbol.dispose]();
    this.renewing = systemClock.setTimeout(ms, () => void this.renew());
  }

  /** Its key was removed: it exits. */
  removed(key: string): void {
    if (this.believed.ipv4 !== undefined && key === subnetKey(layout, this.believed)) this.stop();
  }

  private get value(): string {
    return JSON.stringify({ PublicIP: this.publicIp, PublicIPv6: null, BackendType: 'host-gw' });
  }

  private async acquire(): Promise<boolean> {
    const { client } = this.options;
    const { kvs } = await listRange(client, layout.subnets);
    const leases = kvs.flatMap((kv) => {
      const reading = readSubnetKey(layout, kv.key);
      return reading.ok ? [{ kv, subnets: reading.subnets }] : [];
    });
    const own = leases.find(({ kv }) => kv.value.includes(`"${this.publicIp}"`));
    if (own !== undefined) {
      this.believed = own.subnets;
      await this.put([]);
      return true;
    }
    const subnets = this.choose(leases.map((lease) => lease.subnets));
    if (subnets === undefined) return false;
    this.believed = subnets;
    const key = subnetKey(layout, subnets);
    const isNew = await this.put([{ key, target: 'create', is: 'equal', revision: 0 }]);
    if (!isNew) this.believed = {};
    return isNew;
  }

  private choose(taken: readonly SubnetPair[]): SubnetPair | undefined {
    const { netConf, random } = this.options;
    const chosen = FAMILY_KEYS.map((key) => {
      const free: string[] = [];
      for (let index = 1; index <= 255 && free.length < 100; index++) {
        const subnet = key === 'ipv4' ? `10.5.${index}.0/24` : `fd00:5:0:${index.toString(16)}::/64`;
        if (netConf[key] === undefined) return undefined;
        const isTaken = taken.some((pair) => pair[key] !== undefined && prefixesOverlap(pair[key], subnet));
        if (!isTaken) free.push(subnet);
      }
      return free[Math.floor(random() * free.length)];
    });
    const [ipv4, ipv6] = chosen;
    return ipv4 === undefined || ipv6 === undefined ? undefined : { ipv4, ipv6 };
  }

  /** With nothing to compare it writes whatever is there. */
  private async put(compare: Parameters<EtcdClient['txn']>[0]['compare']): Promise<boolean> {
    const { client, durationSec } = this.options;
    const { lease } = await client.grant(durationSec);
    const key = subnetKey(layout, this.believed);
    const put = { type: 'put', key, value: this.value, lease } as const;
    const { succeeded } = await client.txn({ compare, success: [put], failure: [] });
    if (!succeeded) await client.revoke(lease);
    return succeeded;
  }

  private renewLater(): void {
    const { durationSec, renewMarginSec } = this.options;
    if (!this.running) return;
    this.renewing = systemClock.setTimeout((durationSec - renewMarginSec) * 1000, () => void this.renew());
  }

  private async renew(): Promise<void> {
    if (this.running && this.believed.ipv4 !== undefined) await this.put([]).catch(() => {});
    this.renewLater();
  }
}

/** Follows every revision: a key that Poplin makes overlaps none, and a key it writes was its own. */
export class Auditor {
  readonly faults: string[] = [];
  readonly live = new Map<string, StoredSubnet>();
  /** Nodes whose subnets a flannel node has taken or written over. */
  readonly trodden = new Set<string>();
  created = 0;
  rewritten = 0;

  constructor(kvs: readonly EtcdKeyValue[]) {
    for (const kv of kvs) this.set(kv);
  }

  take(events: readonly EtcdEvent[]): void {
    const revisions = Map.groupBy(events, revisionOf);
    for (const [revision, together] of revisions) {
      for (const event of together) if (event.type === 'delete') this.live.delete(event.key);
      for (const event of together) if (event.type === 'put') this.put(event.kv, revision);
    }
  }

  private put(kv: EtcdKeyValue, revision: number): void {
    const before = this.live.get(kv.key);
    const now = this.set(kv);
    if (now === undefined) return void this.faults.push(`${revision}: ${kv.key} cannot be read: ${kv.value}`);
    const owner = now.value.owner?.uid;
    const overlapping = [...this.live.values()].filter(
      (other) => other.kv.key !== kv.key && pairsOverlap(other.subnets, now.subnets),
    );
    if (owner === undefined) {
      for (const other of [...overlapping, ...(before ? [before] : [])])
        if (other.value.owner !== undefined) this.trodden.add(other.value.owner.uid);
      return;
    }
    if (before === undefined) {
      this.created++;
      for (const other of overlapping)
        this.faults.push(
          `${revision}: ${owner} made ${kv.key}, which overlaps ${other.kv.key} ${other.kv.value}`,
        );
      return;
    }
    this.rewritten++;
    if (before.value.owner?.uid !== owner)
      this.faults.push(`${revision}: ${owner} wrote over ${kv.key} of ${before.kv.value}`);
  }

  private set(kv: EtcdKeyValue): StoredSubnet | undefined {
    const reading = readStored(layout, kv);
    if (!reading.ok) return undefined;
    this.live.set(kv.key, reading.stored);
    return reading.stored;
  }

  /** Keys that overlap now. */
  doubles(): string[] {
    const all = [...this.live.values()];
    return all.flatMap((one, index) =>
      all
        .slice(index + 1)
        .filter((other) => pairsOverlap(one.subnets, other.subnets))
        .map((other) => `${one.kv.key} ${one.kv.value} and ${other.kv.key} ${other.kv.value}`),
    );
  }
}

function revisionOf(event: EtcdEvent): number {
  return event.type === 'put' ? event.kv.modRevision : event.modRevision;
}
