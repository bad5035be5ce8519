/**
 * This node's part in the overlay: its lease, its own ends and everybody else's, put together around a kernel loop. The loop is started
 * once this node's lease and all others' are known: until then, what an earlier run left goes on carrying packets.
 */
import type { Logger } from 'pino';
import type { IpAddress } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import {
  enabledFamilies,
  type FamilyKey,
  familyOfKey,
  type LeaseRegistry,
  type NetConf,
  type RegistrySink,
  type SubnetLease,
} from '#core/lease/index.ts';
import type { Backend, Carrier, LocalSubnet } from '#core/overlay/index.ts';
import type { NetworkLoop } from './network-loop.ts';
import { OverlayFeed } from './overlay-feed.ts';

/** The part of the desired state that is this node's own side. */
const LOCAL_PART = 'overlay';

export interface OverlayMemberOptions {
  readonly registry: LeaseRegistry;
  readonly loop: NetworkLoop;
  readonly logger: Logger;
  readonly node: string;
  readonly netConf: NetConf;
  /** Absent where the network's backend is none that carries packets here: then the subnet is leased, and no more. */
  readonly backend?: Backend;
  /** What works beside the kernel for this backend. */
  readonly carrier?: Carrier;
  /** The addresses other nodes reach this one by: one for each family of the network. */
  readonly publicIps: {
    readonly ipv4?: IpAddress;
    readonly ipv6?: IpAddress;
    /** The node's own, where something between translates. */
    readonly localIpv4?: IpAddress;
    readonly localIpv6?: IpAddress;
  };
  /** What else this node's side is to have in the kernel: masquerading and its like. */
  readonly besides?: (locals: readonly LocalSubnet[]) => readonly KernelObject[];
  /** All families' subnets may be used from now on; undefined: not any more, until told again. */
  readonly held: (locals: readonly LocalSubnet[] | undefined) => void;
  /** Just before the kernel is touched for the first time. */
  readonly takeOver?: (wanted: readonly KernelObject[]) => Promise<void>;
  /** The node's own side of this lease is in the kernel; never called for two leases at once. */
  readonly inPlace: (lease: SubnetLease) => Promise<void>;
}

export class OverlayMember implements AsyncDisposable {
  private readonly options: OverlayMemberOptions;
  private readonly feed: OverlayFeed;
  private readonly ended = new AbortController();
  private current: SubnetLease | undefined;
  private readonly lost = new Set<FamilyKey>();
  private synced = false;
  private started: Promise<void> | undefined;
  private announcing: Promise<void> = Promise.resolve();

  /** Throws RangeError for a family of the network without an address. */
  constructor(options: OverlayMemberOptions) {
    this.options = options;
    const { netConf, publicIps, node } = options;
    const addresses = enabledFamilies(netConf).map((key) => {
      const address = publicIps[key];
      if (address === undefined)
        throw new RangeError(`node ${node} has no ${key} address, and the network has ${key}`);
      return address;
    });
    this.feed = new OverlayFeed({
      ...options,
      families: enabledFamilies(netConf).map(familyOfKey),
      publicIps: addresses,
    });
  }

  start(): void {
    const sink: RegistrySink = {
      held: (lease) => this.hold(lease),
      lost: (family) => this.lose(family),
      sync: (entries) => {
        this.feed.sync(entries);
        if (this.synced) return;
        this.synced = true;
        this.carryOut();
      },
      upsert: (entry) => this.feed.upsert(entry),
      remove: (name) => this.feed.remove(name),
      connection: (state, cause) => this.feed.connection(state, cause),
    };
    this.options.registry.start(sink);
  }

  /** What this node holds; undefined before the first lease, and after a loss until there is another. */
  get lease(): SubnetLease | undefined {
    return this.lost.size === 0 ? this.current : undefined;
  }

  get connected(): boolean {
    return this.feed.connected;
  }

  /** Subnets of other nodes that this one can reach. */
  get remoteCount(): number {
    return this.feed.remoteCount;
  }

  /** Leases that cannot be used. */
  get refusedCount(): number {
    return this.feed.refusalTexts().length;
  }

  /** What an operator should know, one sentence each. */
  problemTexts(): readonly string[] {
    const { registry, carrier } = this.options;
    return [...registry.problemTexts(), ...this.feed.refusalTexts(), ...(carrier?.problemTexts() ?? [])];
  }

  /** Keeps the lease in the registry and the network in the kernel. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.ended.abort();
    await this.options.registry[Symbol.asyncDispose]();
    await this.options.carrier?.[Symbol.asyncDispose]();
  }

  private hold(lease: SubnetLease): void {
    const { backend, held } = this.options;
    this.current = lease;
    this.lost.clear();
    if (backend === undefined) return;
    held(this.locals());
    this.carryOut();
    this.announcing = this.announcing.then(() => this.announce(lease));
  }

  private lose(family: FamilyKey): void {
    const { backend, held } = this.options;
    this.lost.add(family);
    if (backend === undefined) return;
    held(undefined);
    this.carryOut();
  }

  /** The node's own side follows its lease; the kernel is touched once all other leases are known too. */
  private carryOut(): void {
    const { loop, backend, besides, takeOver } = this.options;
    if (backend === undefined || this.current === undefined || !this.synced) return;
    const locals = this.locals();
    loop.want(
      LOCAL_PART,
      locals.length === 0 ? [] : [...backend.planLocal(locals), ...(besides?.(locals) ?? [])],
    );
    this.feed.carry(locals.map((local) => local.family));
    if (takeOver === undefined) return loop.start();
    this.started ??= takeOver([...loop.wanted()]);
    void this.started.then(() => {
      if (!this.ended.signal.aborted) loop.start();
    });
  }

  private locals(): LocalSubnet[] {
    const { node, netConf, publicIps } = this.options;
    return enabledFamilies(netConf).flatMap((key) => {
      const [subnet, publicIp, family] = [this.current?.[key]?.subnet, publicIps[key], familyOfKey(key)];
      if (subnet === undefined || publicIp === undefined || this.lost.has(key)) return [];
      const localIp = key === 'ipv4' ? publicIps.localIpv4 : publicIps.localIpv6;
      const translated = localIp !== undefined && localIp !== publicIp;
      return [{ node, family, subnet, publicIp, ...(translated && { localIp }) }];
    });
  }

  private async announce(lease: SubnetLease): Promise<void> {
    const { loop, inPlace, carrier, logger } = this.options;
    if (this.lease !== lease) return;
    await loop.inPlace(LOCAL_PART);
    if (this.lease !== lease || this.ended.signal.aborted) return;
    try {
      await carrier?.local(this.locals());
      await inPlace(lease);
    } catch (error) {
      if (!this.ended.signal.aborted) logger.error({ err: error }, 'lease not made known');
    }
  }
}
