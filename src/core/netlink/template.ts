/**
 * Templates of messages that come by the thousand and differ in few fields of fixed size. The codec makes samples; where two samples
 * differ that differ in one field, there the field lies. So the declaration of a message stays the only source of how it looks.
 */

export interface Template {
  /** A sample: to be copied, and its fields overwritten. */
  readonly bytes: Uint8Array;
  /** Where each field begins, in their order. */
  readonly places: readonly number[];
}

/**
 * `encode` makes a message of one value for each field; `samples` are two values for each, which differ in their first byte. Throws
 * what encoding throws, and RangeError for a field that is not in the message.
 */
export function templateOf<T extends readonly unknown[]>(
  samples: { readonly [K in keyof T]: readonly [T[K], T[K]] },
  encode: (...values: T) => Uint8Array,
): Template {
  const first = samples.map(([value]) => value);
  const bytes = encode(...(first as unknown as T));
  const places = samples.map(([, other], field) => {
    const changed = encode(...(first.with(field, other) as unknown as T));
    const place = bytes.findIndex((byte, at) => byte !== changed[at]);
    if (place < 0) throw new RangeError(`field ${field} is not in the message`);
    return place;
  });
  return { bytes, places };
}
