/**
 * Elements between the vocabulary and the wire. A range of a plain interval set is two elements for the kernel, its first key and
 * the key after its last marked as an end (none if the range reaches the last key there is); of a concatenation it is one
 * element with both keys.
 */
import { equal } from '#base/bytes.ts';
import { type NftElement } from '#core/nft/index.ts';
import { dataVerdict, verdictData } from './data.ts';
import type { WireElement } from './messages.ts';
import { decodeData, decodeKey, encodeData, encodeKey, type SetLayout } from './set.ts';
import { COMMENT, commentDatum, commentOf, encodeUserData } from './user-data.ts';

/** NFT_SET_ELEM_INTERVAL_END. */
export const INTERVAL_END = 1;

/** What adds the element: one or two of the kernel's. Throws RangeError if it does not fit the set's types. */
export function elementToWire(layout: SetLayout, element: NftElement): WireElement[] {
  const { data, timeoutMs, comment } = element;
  if (data === undefined && timeoutMs === undefined && comment === undefined)
    return elementKeysToWire(layout, element);
  const [first, ...rest] = elementKeysToWire(layout, element);
  return [
    {
      ...first,
      ...(data !== undefined && {
        data: 'verdict' in data ? verdictData(data) : { value: encodeData(layout, data) },
      }),
      ...(timeoutMs !== undefined && { timeoutMs: BigInt(timeoutMs) }),
      ...(comment !== undefined && { userData: encodeUserData([commentDatum(COMMENT, comment)]) }),
    },
    ...rest,
  ];
}

/** What removes the element: its keys alone. */
export function elementKeysToWire(layout: SetLayout, element: NftElement): WireElement[] {
  const key = encodeKey(layout, element.key);
  if (layout.ranges === 'single') return [{ key: { value: key } }];
  const last = element.keyEnd === undefined ? key : encodeKey(layout, element.keyEnd);
  if (layout.ranges === 'pair') return [{ key: { value: key }, keyEnd: { value: last } }];
  const after = successor(last);
  const start: WireElement = { key: { value: key } };
  return after === undefined ? [start] : [start, { key: { value: after }, flags: INTERVAL_END }];
}

/**
 * The element a kernel element stands for; `last` is the range's last key where the set keeps that apart. Undefined if it has no
 * key (a catch-all element).
 */
export function elementFromWire(
  layout: SetLayout,
  wire: WireElement,
  last: Uint8Array | undefined = wire.keyEnd?.value,
): NftElement | undefined {
  const first = wire.key?.value;
  if (first === undefined) return undefined;
  const { set } = layout;
  const isRange = last !== undefined && !equal(last, first);
  const data = dataFromWire(layout, wire);
  const comment = commentOf(wire.userData, COMMENT);
  // The kernel names the element's time only where it is not the set's.
  const timeoutMs = wire.timeoutMs === undefined ? set.timeoutMs : Number(wire.timeoutMs);
  return {
    kind: 'nft-element',
    family: set.family,
    table: set.table,
    set: set.name,
    key: decodeKey(layout, first),
    ...(isRange && { keyEnd: decodeKey(layout, last) }),
    ...(data !== undefined && { data }),
    ...(timeoutMs ? { timeoutMs } : {}),
    ...(comment !== undefined && { comment }),
  };
}

/** The key that follows; undefined after the last one. */
export function successor(key: Uint8Array): Uint8Array | undefined {
  const next = key.slice();
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = ((next[i] as number) + 1) & 0xff;
    if (next[i] !== 0) return next;
  }
  return undefined;
}

/** The key before; of the first key, the last one there is. */
export function predecessor(key: Uint8Array): Uint8Array {
  const previous = key.slice();
  for (let i = previous.length - 1; i >= 0; i--) {
    previous[i] = ((previous[i] as number) - 1) & 0xff;
    if (previous[i] !== 0xff) break;
  }
  return previous;
}

function dataFromWire(layout: SetLayout, wire: WireElement): NftElement['data'] {
  if (wire.data === undefined) return undefined;
  const value = wire.data.value;
  return value === undefined ? dataVerdict(wire.data) : decodeData(layout, value);
}
