/**
 * Things by label: for each key the things that have it, and for each value of it. Both ways of asking use it: which members have a
 * label (members.ts), and which selectors want one (selector-index.ts).
 */

/** `undefined` in place of a value is a value as others are; who uses the index says what it stands for. */
export class TermIndex<T> {
  readonly #byKey = new Map<string, Map<string | undefined, Set<T>>>();

  add(key: string, value: string | undefined, item: T): void {
    let values = this.#byKey.get(key);
    if (values === undefined) {
      values = new Map<string | undefined, Set<T>>();
      this.#byKey.set(key, values);
    }
    const items = values.get(value);
    if (items === undefined) values.set(value, new Set([item]));
    else items.add(item);
  }

  remove(key: string, value: string | undefined, item: T): void {
    const values = this.#byKey.get(key);
    const items = values?.get(value);
    if (values === undefined || items === undefined || !items.delete(item) || items.size > 0) return;
    values.delete(value);
    if (values.size === 0) this.#byKey.delete(key);
  }

  get(key: string, value: string | undefined): ReadonlySet<T> | undefined {
    return this.#byKey.get(key)?.get(value);
  }

  /** By value; undefined if nothing has the key. */
  valuesOf(key: string): ReadonlyMap<string | undefined, ReadonlySet<T>> | undefined {
    return this.#byKey.get(key);
  }
}
