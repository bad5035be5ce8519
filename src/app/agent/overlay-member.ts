/**
 * This node's part in the overlay: its lease, its own tunnel ends and everybody else's, put together around a kernel loop. The loop
 * is started once this node's lease and all others' are known: until then, what an earlier run left goes on carrying packets.
 */
import type { Logger } from 'pino';
import { type Clock, delay, type Random } from '#base/clock.ts';
import type { IpAddress, IpFamily } from '#base/ip/index.ts';
import {
  type AcquirerConfig,
  enabledFamilies,
  type FamilyKey,
  LEASE_NAMESPACE,
  LEASE_SELECTOR,
  type NetConf,
  type SubnetLease,
} from '#core/lease/index.ts';
import { type OverlaySubnet, planLocal, type VxlanSettings, vtepMac } from '#core/overlay/index.ts';
import { type ObjectStore, RESOURCES } from '#core/store/index.ts';
import type { KernelLoop } from './kernel-loop.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { OverlayFeed } from './overlay-feed.ts';

/** The part of the desired state that is this node's own side. */
const LOCAL_PART = 'overlay';
/** A watch that ends for a reason of its own, not the store's, is begun again after this. */
const FOLLOW_AGAIN_MS = 5000;

export interface OverlayMemberOptions {
  readonly store: ObjectStore;
  readonly loop: KernelLoop;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly node: string;
  readonly ownerUid: string;
  readonly netConf: NetConf;
  /** Absent where the network's backend is none that carries packets here: then the subnet is leased, and no more. */
  readonly settings?: VxlanSettings;
  /** The addresses other nodes reach this one by: one for each family of the network. */
  readonly publicIps: {
    readonly ipv4?: IpAddress;
    readonly ipv6?: IpAddress;
    /** The node's own, where something between translates. */
    readonly localIpv4?: IpAddress;
    readonly localIpv6?: IpAddress;
  };
  /** The subnets this node had before, to ask for again. */
  readonly previous?: AcquirerConfig['previous'];
  /** Where they are not the usual ones. */
  readonly leaseTimes?: Pick<AcquirerConfig, 'durationSec' | 'renewMarginSec' | 'clockSkewSec'>;
  /** All families' subnets may be used from now on; undefined: not any more, until told again. */
  readonly held: (locals: readonly OverlaySubnet[] | undefined, settings: VxlanSettings) => void;
  /** The node's own side of this lease is in the kernel; never called for two leases at once. */
  readonly inPlace: (lease: SubnetLease, settings: VxlanSettings) => Promise<void>;
}

export class OverlayMember implements AsyncDisposable {
  private readonly options: OverlayMemberOptions;
  private readonly keeper: LeaseKeeper;
  private readonly feed: OverlayFeed;
  private readonly following = new AbortController();
  private current: SubnetLease | undefined;
  private readonly lost = new Set<FamilyKey>();
  private synced = false;
  private announcing: Promise<void> = Promise.resolve();

  /** Throws RangeError for a family of the network without an address. */
  constructor(options: OverlayMemberOptions) {
    this.options = options;
    const { netConf, publicIps, settings, loop, node, ownerUid, logger } = options;
    const addresses = enabledFamilies(netConf).map((key) => {
      const address = publicIps[key];
      if (address === undefined)
        throw new RangeError(`node ${node} has no ${key} address, and the network has ${key}`);
      return address;
    });
    this.keeper = new LeaseKeeper({
      ...options,
      config: leaseConfig(options),
      onLease: (lease) => this.hold(lease),
      onLost: (family) => this.lose(family),
    });
    this.feed = new OverlayFeed({
      loop,
      netConf,
      node,
      ownerUid,
      logger,
      ...(settings !== undefined && { vni: settings.vni }),
      families: enabledFamilies(netConf).map(familyOfKey),
      publicIps: addresses,
      changed: (object) => this.keeper.changed(object),
      removed: (name) => this.keeper.removed(name),
      synced: () => {
        if (this.synced) return;
        this.synced = true;
        this.carryOut();
      },
    });
  }

  start(): void {
    this.keeper.start();
    void this.follow();
  }

  /** What this node holds; undefined before the first lease, and after a loss until there is another. */
  get lease(): SubnetLease | undefined {
    return this.lost.size === 0 ? this.current : undefined;
  }

  get connected(): boolean {
    return this.feed.connected;
  }

  /** What an operator should know, one sentence each. */
  problemTexts(): readonly string[] {
    return [...this.keeper.problemTexts(), ...this.feed.refusalTexts()];
  }

  /** Keeps the lease in the store and the network in the kernel. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.following.abort();
    await this.keeper[Symbol.asyncDispose]();
  }

  private hold(lease: SubnetLease): void {
    const { settings, held } = this.options;
    this.current = lease;
    this.lost.clear();
    if (settings === undefined) return;
    held(this.locals(settings), settings);
    this.carryOut();
    this.announcing = this.announcing.then(() => this.announce(lease, settings));
  }

  private lose(family: FamilyKey): void {
    const { settings, held } = this.options;
    this.lost.add(family);
    if (settings === undefined) return;
    held(undefined, settings);
    this.carryOut();
  }

  /** The node's own side follows its lease; the kernel is touched once all other leases are known too. */
  private carryOut(): void {
    const { loop, settings } = this.options;
    if (settings === undefined || this.current === undefined || !this.synced) return;
    const locals = this.locals(settings);
    loop.want(LOCAL_PART, locals.length === 0 ? [] : planLocal(locals, settings));
    this.feed.carry(locals.map((local) => local.family));
    loop.start();
  }

  private locals({ vni }: VxlanSettings): OverlaySubnet[] {
    const { node, netConf, publicIps } = this.options;
    return enabledFamilies(netConf).flatMap((key) => {
      const [subnet, publicIp, family] = [this.current?.[key]?.subnet, publicIps[key], familyOfKey(key)];
      if (subnet === undefined || publicIp === undefined || this.lost.has(key)) return [];
      const localIp = key === 'ipv4' ? publicIps.localIpv4 : publicIps.localIpv6;
      const translated = localIp !== undefined && localIp !== publicIp;
      return [
        {
          node,
          family,
          subnet,
          publicIp,
          vtepMac: vtepMac(node, family, vni),
          ...(translated && { localIp }),
        },
      ];
    });
  }

  private async announce(lease: SubnetLease, settings: VxlanSettings): Promise<void> {
    const { loop, inPlace, logger } = this.options;
    if (this.lease !== lease) return;
    await loop.inPlace(LOCAL_PART);
    if (this.lease !== lease || this.following.signal.aborted) return;
    try {
      await inPlace(lease, settings);
    } catch (error) {
      if (!this.following.signal.aborted) logger.error({ err: error }, 'lease not made known');
    }
  }

  private async follow(): Promise<void> {
    const { store, clock, logger } = this.options;
    const { signal } = this.following;
    const selection = { namespace: LEASE_NAMESPACE, labelSelector: LEASE_SELECTOR, signal };
    while (!signal.aborted) {
      try {
        await store.follow(RESOURCES.leases, selection, this.feed);
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ err: error }, 'watch of leases broke off');
      }
      await delay(clock, FOLLOW_AGAIN_MS, signal).catch(() => undefined);
    }
  }
}

function leaseConfig(options: OverlayMemberOptions): AcquirerConfig {
  const { node, ownerUid, netConf, publicIps, settings, previous, leaseTimes } = options;
  const offer = (key: FamilyKey) => {
    const publicIp = publicIps[key];
    return {
      ...(publicIp !== undefined && { publicIp }),
      ...(settings !== undefined && {
        backendData: { VNI: settings.vni, VtepMAC: vtepMac(node, familyOfKey(key), settings.vni) },
      }),
    };
  };
  return {
    node,
    ownerUid,
    netConf,
    offer: { backendType: netConf.backend.type, ipv4: offer('ipv4'), ipv6: offer('ipv6') },
    ...leaseTimes,
    ...(previous !== undefined && { previous }),
  };
}

function familyOfKey(key: FamilyKey): IpFamily {
  return key === 'ipv4' ? 4 : 6;
}
