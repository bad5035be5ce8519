/** A set that rules look into: it is in the kernel as long as a rule does, once in each place. */
import type { KeyPart } from '#core/nft/index.ts';
import type { Output } from './output.ts';
import { elementAt, type Place, type SetShape, setAt } from './place.ts';

/** Where sets and chains of rules go. */
export interface Ground {
  readonly output: Output;
  readonly places: readonly Place[];
}

export type Key = readonly KeyPart[];

export abstract class KernelSet {
  readonly #ground: Ground;
  #users = 0;
  #shape: SetShape | undefined;

  constructor(ground: Ground) {
    this.#ground = ground;
  }

  /** As rules refer to it. */
  get shape(): SetShape {
    return (this.#shape ??= this.makeShape());
  }

  get isUsed(): boolean {
    return this.#users > 0;
  }

  retain(): void {
    if (this.#users++ === 0) this.#appear();
  }

  /** True if nobody uses it any more. */
  release(): boolean {
    if (--this.#users > 0) return false;
    this.#vanish(this.keys());
    return true;
  }

  protected abstract makeShape(): SetShape;
  /** All elements there are. */
  protected abstract keys(): Iterable<Key>;

  /** To be called after the change. */
  protected changeKeys(added: Iterable<Key>, removed: Iterable<Key>): void {
    if (this.#users === 0) return;
    for (const key of removed) this.#each((place) => this.#ground.output.remove(this.#element(place, key)));
    for (const key of added) this.#each((place) => this.#ground.output.put(this.#element(place, key)));
  }

  #appear(): void {
    const { output } = this.#ground;
    this.#each((place) => output.put(setAt(place, this.shape)));
    for (const key of this.keys()) this.#each((place) => output.put(this.#element(place, key)));
  }

  #vanish(keys: Iterable<Key>): void {
    const { output } = this.#ground;
    for (const key of keys) this.#each((place) => output.remove(this.#element(place, key)));
    this.#each((place) => output.remove(setAt(place, this.shape)));
  }

  #element(place: Place, key: Key): ReturnType<typeof elementAt> {
    return elementAt(place, this.shape, key);
  }

  #each(work: (place: Place) => void): void {
    for (const place of this.#ground.places) work(place);
  }
}
