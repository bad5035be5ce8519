/** A set that rules look into: it is in the kernel as long as a rule does, once in each place. */
import type { KeyPart, NftElement } from '#core/nft/index.ts';
import type { Output } from './output.ts';
import { elementAt, type Place, type SetShape, setAt } from './place.ts';

/** Where sets and chains of rules go. */
export interface Ground {
  readonly output: Output;
  readonly places: readonly Place[];
}

export type Key = readonly KeyPart[];

export abstract class KernelSet {
  /** As rules refer to it. */
  readonly shape: SetShape;
  readonly #ground: Ground;
  #users = 0;

  constructor(ground: Ground, shape: SetShape) {
    this.#ground = ground;
    this.shape = shape;
  }

  get isUsed(): boolean {
    return this.#users > 0;
  }

  retain(): void {
    if (this.#users++ > 0) return;
    const { output, places } = this.#ground;
    for (const place of places) output.put(setAt(place, this.shape));
    for (const element of this.#elements(this.keys())) output.put(element);
  }

  /** True if nobody uses it any more. */
  release(): boolean {
    if (--this.#users > 0) return false;
    const { output, places } = this.#ground;
    for (const element of this.#elements(this.keys())) output.remove(element);
    for (const place of places) output.remove(setAt(place, this.shape));
    return true;
  }

  /** All elements there are. */
  protected abstract keys(): Iterable<Key>;

  /** What is different from what `keys` gave before. */
  protected changeKeys(added: Iterable<Key>, removed: Iterable<Key>): void {
    if (this.#users === 0) return;
    const { output } = this.#ground;
    for (const element of this.#elements(removed)) output.remove(element);
    for (const element of this.#elements(added)) output.put(element);
  }

  *#elements(keys: Iterable<Key>): Iterable<NftElement> {
    for (const key of keys) for (const place of this.#ground.places) yield elementAt(place, this.shape, key);
  }
}
