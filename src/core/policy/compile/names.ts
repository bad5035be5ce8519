/**
 * Names of chains and sets, from what they stand for. A digest is short enough for others to find one that two texts share: whoever comes
 * second then gets another name, so that nobody's addresses get into somebody else's set.
 */
import { digestHex } from '#base/hash.ts';

export class Names {
  readonly #texts = new Map<string, string>();

  /** `prefix` and a digest of the text; the same for the same text, until it is given back. */
  take(prefix: string, text: string): string {
    for (let number = 0; ; number++) {
      const name = `${prefix}${digestHex(number === 0 ? text : `${number} ${text}`, 16)}`;
      const owner = this.#texts.get(name);
      if (owner !== undefined && owner !== text) continue;
      this.#texts.set(name, text);
      return name;
    }
  }

  give(name: string): void {
    this.#texts.delete(name);
  }
}
