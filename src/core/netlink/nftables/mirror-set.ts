/** The elements of one set, kept up to date from dumps and notifications. */
import { type KernelObject, keyOf } from '#core/kernel/index.ts';
import { type NftSet, parseHex } from '#core/nft/index.ts';
import { Boundaries } from './boundaries.ts';
import { elementFromWire } from './element.ts';
import type { WireElement } from './messages.ts';
import { layoutOf, type SetLayout } from './set.ts';

/** Takes in what became of an object; undefined if it is gone. Gives the key's text as it is kept. */
export type Report = (key: string, object: KernelObject | undefined) => string;

export class MirrorSet {
  readonly set: NftSet;
  private readonly layout: SetLayout;
  private readonly boundaries: Boundaries | undefined;
  private readonly keys = new Set<string>();

  constructor(set: NftSet) {
    this.set = set;
    this.layout = layoutOf(set);
    this.boundaries = this.layout.ranges === 'boundaries' ? new Boundaries() : undefined;
  }

  add(elements: readonly WireElement[], report: Report): void {
    // What traffic adds, and time takes away, goes unannounced.
    if (this.set.dynamic) return;
    for (const wire of elements) {
      if (this.boundaries === undefined) this.put(wire, undefined, report);
      else this.boundaries.add(wire);
    }
  }

  remove(elements: readonly WireElement[], report: Report): void {
    for (const wire of elements) {
      if (this.boundaries === undefined) this.drop(wire, report);
      else this.boundaries.remove(wire);
    }
  }

  /** An element with this key is there, and was reported. */
  note(key: string): void {
    this.keys.add(key);
  }

  /** Reports the ranges that changed; other elements were reported as they came. */
  settle(report: Report): void {
    if (this.boundaries === undefined) return;
    for (const [first, range] of this.boundaries.takeChanged()) {
      if (range === undefined) this.drop({ key: { value: parseHex(first) } }, report);
      else this.put(range.start, range.last, report);
    }
  }

  clear(report: Report): void {
    for (const key of this.keys) report(key, undefined);
    this.keys.clear();
  }

  private put(wire: WireElement, last: Uint8Array | undefined, report: Report): void {
    const element = elementFromWire(this.layout, wire, last ?? wire.keyEnd?.value);
    if (element === undefined) return;
    this.keys.add(report(keyOf(element), element));
  }

  private drop(wire: WireElement, report: Report): void {
    const element = elementFromWire(this.layout, wire);
    if (element === undefined) return;
    const key = keyOf(element);
    if (this.keys.delete(key)) report(key, undefined);
  }
}
