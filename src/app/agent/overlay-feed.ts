/**
 * From the leases in the store to the overlay's part of the desired state: one part for each remote lease object, so that a change
 * costs its own objects. What cannot be used is named and left out; a lost store takes nothing away.
 */
import type { Logger } from 'pino';
import type { IpFamily } from '#base/ip/index.ts';
import { type LeaseRecord, leaseFromObject, type NetConf, vtepOf } from '#core/lease/index.ts';
import { type OverlaySubnet, planRemote } from '#core/overlay/index.ts';
import type { Follower, KubeObject } from '#core/store/index.ts';
import type { KernelLoop } from './kernel-loop.ts';

export interface OverlayFeedOptions {
  readonly loop: KernelLoop;
  readonly netConf: NetConf;
  readonly node: string;
  readonly ownerUid: string;
  readonly vni: number;
  /** The families this node takes part in. */
  readonly families: readonly IpFamily[];
  readonly logger: Logger;
  /** Told of every change, for the lease keeper. */
  readonly changed: (object: KubeObject) => void;
  readonly removed: (name: string) => void;
  /** The first complete list is in. */
  readonly synced: () => void;
}

export class OverlayFeed implements Follower {
  private readonly options: OverlayFeedOptions;
  private readonly refusals = new Map<string, string>();
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

  sync(items: readonly KubeObject[]): void {
    const { loop, synced } = this.options;
    const present = new Set(items.map((item) => partOf(item.metadata.name)));
    for (const part of [...loop.desired.partNames()]) {
      if (part.startsWith(PART_PREFIX) && !present.has(part)) loop.want(part, []);
    }
    for (const item of items) this.take(item);
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
    this.refusals.delete(name);
    this.options.loop.want(partOf(name), []);
    this.options.removed(name);
    this.options.loop.trigger();
  }

  connection(state: 'up' | 'down', cause?: Error): void {
    this.storeUp = state === 'up';
    if (state === 'down') this.options.logger.warn({ err: cause }, 'store away: the network stays as it is');
    else this.options.logger.info('store connected');
  }

  private take(object: KubeObject): void {
    const { loop, vni, netConf } = this.options;
    const { name } = object.metadata;
    const reading = leaseFromObject(object, netConf);
    const remote = reading.ok ? this.remoteOf(reading.record) : reading.reason;
    if (typeof remote === 'string') this.refuse(name, remote);
    else this.refusals.delete(name);
    loop.want(partOf(name), typeof remote === 'object' ? planRemote(remote, { vni }) : []);
  }

  /** The remote subnet, undefined if it is this node's own, or why it cannot be used. */
  private remoteOf(record: LeaseRecord): OverlaySubnet | string | undefined {
    const { node, ownerUid, vni, families } = this.options;
    if (record.node === node && record.ownerUid === ownerUid) return undefined;
    if (!families.includes(record.family)) return undefined;
    if (record.publicIp === undefined) return record.reserved ? undefined : 'it has no public address';
    const vtep = vtepOf(record);
    if (record.backendType !== 'vxlan' || vtep === undefined) {
      return `backend "${record.backendType}" without a VXLAN tunnel end: this node speaks vxlan`;
    }
    if (vtep.vni !== vni) return `VNI ${vtep.vni}, this node has ${vni}`;
    const { family, subnet, publicIp } = record;
    return { node: record.node, family, subnet, publicIp, vtepMac: vtep.mac };
  }

  private refuse(name: string, reason: string): void {
    if (this.refusals.get(name) !== reason)
      this.options.logger.warn({ lease: name, reason }, 'lease not used');
    this.refusals.set(name, reason);
  }
}

const PART_PREFIX = 'lease ';

function partOf(name: string): string {
  return PART_PREFIX + name;
}
