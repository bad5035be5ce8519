/** Names for the numbers and bits of the kernel's enumerations, both ways. */

export interface Enumeration<N extends string> {
  number(name: N): number;
  /** Undefined for numbers that have no name. */
  name(number: number | undefined): N | undefined;
}

/** Numbers of which each has one name. */
export function enumeration<const T extends Readonly<Record<string, number>>>(
  numbers: T,
): Enumeration<keyof T & string> {
  const names = new Map<number, keyof T & string>(
    Object.entries(numbers).map(([name, number]) => [number, name]),
  );
  return {
    number: (name) => numbers[name] as number,
    name: (number) => (number === undefined ? undefined : names.get(number)),
  };
}

export interface BitSet<N extends string> {
  bits(names: readonly N[] | undefined): number;
  /** In the order of declaration; undefined if a bit has no name. */
  names(bits: number): readonly N[] | undefined;
}

/** Numbers of which each bit has one name. */
export function bitSet<const T extends Readonly<Record<string, number>>>(
  values: T,
): BitSet<keyof T & string> {
  const entries = Object.entries(values) as [keyof T & string, number][];
  const all = entries.reduce((sum, [, bit]) => sum | bit, 0);
  return {
    bits: (names = []) => names.reduce((sum, name) => sum | (values[name] as number), 0),
    names: (bits) =>
      (bits & ~all) !== 0 ? undefined : entries.filter(([, bit]) => (bits & bit) !== 0).map(([name]) => name),
  };
}
