/**
 * Objects that endpoints want, each by a name of its own. Two may want one key for a moment, as when an address has gone from one pod to
 * another: the first in the alphabet has it then, whoever came first, and the other one when that is gone.
 */
import { type KernelObject, keyOf } from '#core/kernel/index.ts';
import { sameData } from '#core/nft/index.ts';
import type { Output } from './output.ts';

export class Claims {
  readonly #output: Output;
  readonly #byOwner = new Map<string, ReadonlyMap<string, KernelObject>>();
  /** Of keys that several want. */
  readonly #owners = new Map<string, Set<string>>();

  constructor(output: Output) {
    this.#output = output;
  }

  /** All that an owner wants from now on. */
  set(owner: string, objects: readonly KernelObject[]): void {
    const before = this.#byOwner.get(owner) ?? new Map<string, KernelObject>();
    const after = new Map(objects.map((object) => [keyOf(object), object]));
    if (after.size === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, after);
    for (const [key, object] of before) if (!after.has(key)) this.#drop(owner, key, object);
    for (const [key, object] of after) if (!sameData(before.get(key), object)) this.#claim(owner, key);
  }

  #claim(owner: string, key: string): void {
    const owners = (this.#owners.get(key) ?? new Set<string>()).add(owner);
    this.#owners.set(key, owners);
    this.#elect(key, owners);
  }

  #drop(owner: string, key: string, object: KernelObject): void {
    const owners = this.#owners.get(key);
    owners?.delete(owner);
    if (owners !== undefined && owners.size > 0) return this.#elect(key, owners);
    this.#owners.delete(key);
    this.#output.remove(object);
  }

  #elect(key: string, owners: ReadonlySet<string>): void {
    const [first] = [...owners].toSorted();
    const object = first === undefined ? undefined : this.#byOwner.get(first)?.get(key);
    if (object !== undefined) this.#output.put(object);
  }
}
