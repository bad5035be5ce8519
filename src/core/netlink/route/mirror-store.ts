/** The objects of a mirror: what changed since last asked, what a dump has confirmed, and which link each lies on. */
import type { IpAddress } from '#base/ip/index.ts';
import { type KernelObject, keyOf, linksOf } from '#core/kernel/index.ts';
import type { DumpKind } from './dump.ts';
import type { LinkTable } from './link-table.ts';

export class MirrorStore {
  private readonly objects: Map<string, KernelObject>;
  private readonly links: LinkTable;
  private changed = new Set<string>();
  /** How many routes prefer an address as source. */
  private readonly sources = new Map<IpAddress, number>();
  private confirmed: Set<string> | undefined;

  /** Told of each key that the kernel speaks of, or that changes. */
  touch: ((key: string) => void) | undefined;

  constructor(objects: Map<string, KernelObject>, links: LinkTable) {
    this.objects = objects;
    this.links = links;
  }

  get(key: string): KernelObject | undefined {
    return this.objects.get(key);
  }

  /** Takes in what the kernel told; during a dump the object counts as confirmed. */
  put(object: KernelObject): void {
    const key = keyOf(object);
    this.confirmed?.add(key);
    this.place(key, object);
  }

  /** Takes in what came out as it was asked for: nobody need be told. `key` is the object's. */
  putAsked(key: string, object: KernelObject): void {
    this.confirmed?.add(key);
    this.note(key, object);
  }

  /** A dump shows the object with this key as it is here already. */
  confirm(key: string): void {
    this.confirmed?.add(key);
  }

  /** Takes in what follows from something else. */
  place(key: string, object: KernelObject): void {
    this.touch?.(key);
    if (this.note(key, object)) this.changed.add(key);
  }

  drop(key: string): boolean {
    this.touch?.(key);
    const object = this.objects.get(key);
    if (object === undefined) return false;
    this.objects.delete(key);
    this.detach(key, object);
    this.changed.add(key);
    return true;
  }

  /** What became of the object is not known: it counts as changed. */
  tell(key: string): void {
    this.changed.add(key);
  }

  /** Whether a route prefers this address as its source. */
  isSource(address: IpAddress): boolean {
    return this.sources.has(address);
  }

  takeChanged(): Set<string> {
    const taken = this.changed;
    this.changed = new Set();
    return taken;
  }

  beginSweep(): void {
    this.confirmed = new Set();
  }

  /** Drops objects of these kinds that nothing confirmed since beginSweep. */
  endSweep(kinds: ReadonlySet<DumpKind>): void {
    const confirmed = this.confirmed;
    if (confirmed === undefined) return;
    this.confirmed = undefined;
    for (const [key, { kind }] of this.objects) {
      if ((kinds as ReadonlySet<string>).has(kind) && !confirmed.has(key)) this.drop(key);
    }
  }

  /** False if the object was there already. */
  private note(key: string, object: KernelObject): boolean {
    const before = this.objects.get(key);
    if (before !== undefined) {
      if (equal(before, object)) return false;
      this.detach(key, before);
    }
    this.objects.set(key, object);
    this.attach(key, object);
    if (object.kind === 'route' && object.preferredSource !== undefined)
      this.countSource(object.preferredSource, 1);
    return true;
  }

  private attach(key: string, object: KernelObject): void {
    // Nearly all there is, without a list of the one link.
    if (object.kind === 'neighbour' || object.kind === 'fdb')
      this.links.named(object.link)?.dependents.add(key);
    else for (const name of linksOf(object)) this.links.named(name)?.dependents.add(key);
  }

  private detach(key: string, object: KernelObject): void {
    for (const name of linksOf(object)) this.links.named(name)?.dependents.delete(key);
    if (object.kind === 'route' && object.preferredSource !== undefined)
      this.countSource(object.preferredSource, -1);
  }

  private countSource(address: IpAddress, step: 1 | -1): void {
    const count = (this.sources.get(address) ?? 0) + step;
    if (count === 0) this.sources.delete(address);
    else this.sources.set(address, count);
  }
}

/** Deep equality of plain data. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => equal(left[key], right[key]));
}
