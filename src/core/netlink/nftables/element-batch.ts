/** Elements of one set gathered into as few messages as hold them: a nest has at most 64 KiB. */
import { encodeMessage } from '../message.ts';
import { elementsMessage, type WireElement } from './messages.ts';
import { headerOf } from './objects.ts';
import type { SetLayout } from './set.ts';

const MAX_ELEMENTS = 1000;
const MAX_BYTES = 60_000;
/** Headers of the element, its key, its data and their values, and the flags. */
const OVERHEAD_BYTES = 48;

export class ElementBatch {
  private readonly layout: SetLayout;
  private readonly wire: WireElement[] = [];
  /** For each wire element the operation it comes from. */
  private readonly ops: number[] = [];

  constructor(layout: SetLayout) {
    this.layout = layout;
  }

  add(wire: readonly WireElement[], op: number): void {
    for (const each of wire) {
      this.wire.push(each);
      this.ops.push(op);
    }
  }

  /** The messages, each with the first operation it serves. */
  messages(type: number, flags: number): { readonly bytes: Uint8Array; readonly op: number }[] {
    const { set } = this.layout;
    const out: { bytes: Uint8Array; op: number }[] = [];
    let from = 0;
    while (from < this.wire.length) {
      const to = this.chunkEnd(from);
      const payload = {
        ...headerOf(set.family),
        attributes: { table: set.table, set: set.name, elements: this.wire.slice(from, to) },
      };
      out.push({
        bytes: encodeMessage(elementsMessage, { type, flags, payload }),
        op: this.ops[from] as number,
      });
      from = to;
    }
    return out;
  }

  private chunkEnd(from: number): number {
    let bytes = 0;
    let to = from;
    while (to < this.wire.length && to - from < MAX_ELEMENTS) {
      bytes += sizeBound(this.wire[to] as WireElement);
      if (bytes > MAX_BYTES && to > from) break;
      to++;
    }
    return to;
  }
}

/** At least the bytes the element takes. */
function sizeBound(wire: WireElement): number {
  const dataBytes = (wire.data?.value?.length ?? 0) + (wire.data?.verdict?.chain?.length ?? 0) * 3;
  const keyBytes = (wire.key?.value?.length ?? 0) + (wire.keyEnd?.value?.length ?? 0);
  return OVERHEAD_BYTES * 2 + keyBytes + dataBytes + (wire.userData?.length ?? 0);
}
