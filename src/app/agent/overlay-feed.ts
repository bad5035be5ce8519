/**
 * From the leases of a registry to the overlay's part of the desired state: one part for each remote subnet, so that a change costs its
 * own objects. What cannot be used is named and left out; a lost registry takes nothing away. Remote subnets are wanted only in families
 * this node carries at the moment: without an end of its own there is nothing to put them on.
 */
import type { Logger } from 'pino';
import { familyOf, type IpAddress, type IpFamily } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import type { LeaseRecord, RegistryEntry } from '#core/lease/index.ts';
import type { Backend, Carrier, RemoteSubnet } from '#core/overlay/index.ts';
import type { NetworkLoop } from './network-loop.ts';

export interface OverlayFeedOptions {
  readonly loop: NetworkLoop;
  /** Absent where nothing is carried: then leases are read, and none is anything to the kernel. */
  readonly backend?: Backend;
  readonly carrier?: Carrier;
  /** The families this node takes part in. */
  readonly families: readonly IpFamily[];
  /** This node's own addresses in the underlay. */
  readonly publicIps: readonly IpAddress[];
  readonly logger: Logger;
}

/** What a lease comes to: nothing if it is this node's own or cannot be used. */
interface Entry {
  readonly part: string;
  readonly remote?: RemoteSubnet;
  readonly objects: readonly KernelObject[];
}

export class OverlayFeed {
  private readonly options: OverlayFeedOptions;
  private readonly entries = new Map<string, Entry>();
  private readonly refusals = new Map<string, string>();
  private carried: ReadonlySet<IpFamily> = new Set();
  private connectedNow = false;

  constructor(options: OverlayFeedOptions) {
    this.options = options;
  }

  get connected(): boolean {
    return this.connectedNow;
  }

  /** Leases that are not used, with the reason. */
  refusalTexts(): readonly string[] {
    return [...this.refusals].map(([name, reason]) => `${name}: ${reason}`);
  }

  /** Remote subnets that are known and can be reached. */
  get remoteCount(): number {
    let count = 0;
    for (const { remote } of this.entries.values()) if (remote !== undefined) count++;
    return count;
  }

  /** From now on this node has ends in these families, and in no others. */
  carry(families: Iterable<IpFamily>): void {
    this.carried = new Set(families);
    for (const entry of this.entries.values()) this.want(entry);
    this.options.loop.trigger();
  }

  sync(entries: readonly RegistryEntry[]): void {
    const present = new Set(entries.map(({ name }) => name));
    for (const name of [...this.entries.keys()]) if (!present.has(name)) this.drop(name);
    for (const entry of entries) this.take(entry);
    this.connectedNow = true;
    this.options.loop.trigger();
  }

  upsert(entry: RegistryEntry): void {
    this.take(entry);
    this.options.loop.trigger();
  }

  remove(name: string): void {
    this.drop(name);
    this.options.loop.trigger();
  }

  connection(state: 'up' | 'down', cause?: Error): void {
    this.connectedNow = state === 'up';
    if (state === 'down') this.options.logger.warn({ err: cause }, 'store away: the network stays as it is');
    else this.options.logger.info('store connected');
  }

  private take(lease: RegistryEntry): void {
    const { name } = lease;
    const entry = this.entryOf(lease);
    if (typeof entry === 'string') this.refuse(name, entry);
    else this.refusals.delete(name);
    const part = partOf(name, 'record' in lease ? lease.record.acquiredAtMs : 0);
    const before = this.entries.get(name);
    if (before !== undefined && before.part !== part) this.options.loop.want(before.part, []);
    const after: Entry = { part, objects: [], ...(typeof entry === 'object' && entry) };
    this.entries.set(name, after);
    if (before?.remote !== undefined && (after.remote === undefined || before.part !== part))
      this.options.carrier?.remove(before.part);
    this.want(after);
  }

  private drop(name: string): void {
    const entry = this.entries.get(name);
    this.entries.delete(name);
    this.refusals.delete(name);
    if (entry === undefined) return;
    this.options.loop.want(entry.part, []);
    if (entry.remote !== undefined) this.options.carrier?.remove(entry.part);
  }

  private want({ part, remote, objects }: Entry): void {
    const { loop, carrier } = this.options;
    const isCarried = remote !== undefined && this.carried.has(remote.family);
    loop.want(part, isCarried ? objects : []);
    if (isCarried) carrier?.upsert(part, remote);
    else if (remote !== undefined) carrier?.remove(part);
  }

  /** The remote subnet and its objects, undefined if it is this node's own or nothing is carried, or why it cannot be used. */
  private entryOf(lease: RegistryEntry): Pick<Required<Entry>, 'remote' | 'objects'> | string | undefined {
    const { backend, families, publicIps } = this.options;
    if ('refused' in lease) return lease.refused;
    if (lease.own || !families.includes(lease.record.family)) return undefined;
    const { family, node, subnet, publicIp, backendType, backendData, reserved }: LeaseRecord = lease.record;
    if (publicIp === undefined) return reserved ? undefined : 'it has no public address';
    if (familyOf(publicIp) !== family) return `its public address ${publicIp} is not IPv${family}`;
    if (publicIps.includes(publicIp))
      return `its public address ${publicIp} is this node's own: node "${node}" had it before`;
    if (backend === undefined) return undefined;
    // flannel's udp backend writes no type, and asks for none.
    const isSpoken = backendType === backend.type || (backendType === '' && backend.type === 'udp');
    if (!isSpoken) return `backend "${backendType}": this node speaks ${backend.type}`;
    const remote = { node, family, subnet, publicIp, ...(backendData !== undefined && { backendData }) };
    const objects = backend.planRemote(remote);
    return typeof objects === 'string' ? objects : { remote, objects };
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
