/**
 * From the leases in the store to the overlay's part of the desired state: one part for each remote lease object, so that a change
 * costs its own objects. What cannot be used is named and left out; a lost store takes nothing away. Remote subnets are wanted only
 * in families this node carries at the moment: without a tunnel end of its own there is nothing to put them on.
 */
import type { Logger } from 'pino';
import { familyOf, formatMac, type IpAddress, type IpFamily, parseMac } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import { type LeaseRecord, leaseFromObject, type NetConf, vtepOf } from '#core/lease/index.ts';
import { type OverlaySubnet, planRemote } from '#core/overlay/index.ts';
import type { Follower, KubeObject } from '#core/store/index.ts';
import type { KernelLoop } from './kernel-loop.ts';

export interface OverlayFeedOptions {
  readonly loop: KernelLoop;
  readonly netConf: NetConf;
  readonly node: string;
  readonly ownerUid: string;
  /** Absent where nothing is carried: then leases are read, and none is anything to the kernel. */
  readonly vni?: number;
  /** The families this node takes part in. */
  readonly families: readonly IpFamily[];
  /** This node's own addresses in the underlay. */
  readonly publicIps: readonly IpAddress[];
  readonly logger: Logger;
  /** Told of every change, for the lease keeper. */
  readonly changed: (object: KubeObject) => void;
  readonly removed: (name: string) => void;
  /** A complete list is in: the first, or a later one. */
  readonly synced: () => void;
}

/** What a lease object comes to: nothing if it is this node's own or cannot be used. */
interface Entry {
  readonly part: string;
  readonly family?: IpFamily;
  readonly objects: readonly KernelObject[];
}

export class OverlayFeed implements Follower {
  private readonly options: OverlayFeedOptions;
  private readonly entries = new Map<string, Entry>();
  private readonly refusals = new Map<string, string>();
  private carried: ReadonlySet<IpFamily> = new Set();
  private storeUp = false;

  constructor(options: OverlayFeedOptions) {
    this.options = options;
  }

  get connected(): boolean {
    return this.storeUp;
  }

  /** Leases that are not used, with the reason. */
  refusalTexts(): readonly string[] {
    return [...this.refusals].map(([name, reason]) => `${name}: ${reason}`);
  }

  /** From now on this node has tunnel ends in these families, and in no others. */
  carry(families: Iterable<IpFamily>): void {
    this.carried = new Set(families);
    for (const entry of this.entries.values()) this.want(entry);
    this.options.loop.trigger();
  }

  sync(items: readonly KubeObject[]): void {
    const { loop, changed, removed, synced } = this.options;
    const present = new Set(items.map((item) => item.metadata.name));
    const gone = [...this.entries.keys()].filter((name) => !present.has(name));
    for (const name of gone) this.drop(name);
    for (const item of items) this.take(item);
    for (const name of gone) removed(name);
    for (const item of items) changed(item);
    this.storeUp = true;
    synced();
    loop.trigger();
  }

  upsert(object: KubeObject): void {
    this.take(object);
    this.options.changed(object);
    this.options.loop.trigger();
  }

  remove(object: KubeObject): void {
    const { name } = object.metadata;
    this.drop(name);
    this.options.removed(name);
    this.options.loop.trigger();
  }

  connection(state: 'up' | 'down', cause?: Error): void {
    this.storeUp = state === 'up';
    if (state === 'down') this.options.logger.warn({ err: cause }, 'store away: the network stays as it is');
    else this.options.logger.info('store connected');
  }

  private take(object: KubeObject): void {
    const { vni, netConf, loop } = this.options;
    const { name } = object.metadata;
    const reading = leaseFromObject(object, netConf);
    const remote = reading.ok ? this.remoteOf(reading.record) : reading.reason;
    if (typeof remote === 'string') this.refuse(name, remote);
    else this.refusals.delete(name);
    const part = partOf(name, reading.ok ? reading.record.acquiredAtMs : 0);
    const before = this.entries.get(name);
    if (before !== undefined && before.part !== part) loop.want(before.part, []);
    const entry: Entry =
      typeof remote === 'object' && vni !== undefined
        ? { part, family: remote.family, objects: planRemote(remote, { vni }) }
        : { part, objects: [] };
    this.entries.set(name, entry);
    this.want(entry);
  }

  private drop(name: string): void {
    const entry = this.entries.get(name);
    this.entries.delete(name);
    this.refusals.delete(name);
    if (entry !== undefined) this.options.loop.want(entry.part, []);
  }

  private want({ part, family, objects }: Entry): void {
    this.options.loop.want(part, family !== undefined && this.carried.has(family) ? objects : []);
  }

  /** The remote subnet, undefined if it is this node's own or nothing is carried, or why it cannot be used. */
  private remoteOf(record: LeaseRecord): OverlaySubnet | string | undefined {
    const { node, ownerUid, vni, families, publicIps } = this.options;
    if (record.node === node && record.ownerUid === ownerUid) return undefined;
    if (!families.includes(record.family)) return undefined;
    const { family, subnet, publicIp } = record;
    if (publicIp === undefined) return record.reserved ? undefined : 'it has no public address';
    if (familyOf(publicIp) !== family) return `its public address ${publicIp} is not IPv${family}`;
    if (publicIps.includes(publicIp))
      return `its public address ${publicIp} is this node's own: node "${record.node}" had it before`;
    if (vni === undefined) return undefined;
    const vtep = vtepOf(record);
    if (record.backendType !== 'vxlan' || vtep === undefined) {
      return `backend "${record.backendType}" without a VXLAN tunnel end: this node speaks vxlan`;
    }
    if (vtep.vni !== vni) return `VNI ${vtep.vni}, this node has ${vni}`;
    const mac = parseMac(vtep.mac);
    // IEEE 802: bit 0 of the first byte marks a group
    if (mac === undefined || ((mac[0] as number) & 1) !== 0 || mac.every((byte) => byte === 0))
      return `its VtepMAC "${vtep.mac}" is no MAC address of a device`;
    return { node: record.node, family, subnet, publicIp, vtepMac: formatMac(mac) };
  }

  private refuse(name: string, reason: string): void {
    if (this.refusals.get(name) !== reason)
      this.options.logger.warn({ lease: name, reason }, 'lease not used');
    this.refusals.set(name, reason);
  }
}

const LATEST_MS = 10 ** 15;

/**
 * Of two leases that claim one outer address or one tunnel MAC (a node that was registered anew, a host that was given another name)
 * the one acquired later is right: it is first in the alphabet, and so wins in DesiredState.
 */
function partOf(name: string, acquiredAtMs: number): string {
  const age = LATEST_MS - Math.min(LATEST_MS, Math.max(0, acquiredAtMs));
  return `lease ${String(age).padStart(16, '0')} ${name}`;
}
