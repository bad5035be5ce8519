/** One line for what comes again and again: the first at once, the others as a number when some time has passed. */

interface Window<T> {
  value: T;
  startMs: number;
  repeats: number;
}

export interface Repeated<T> {
  /** The latest. */
  readonly value: T;
  readonly count: number;
}

export class Repeats<T> {
  readonly #windows = new Map<string, Window<T>>();
  readonly #windowMs: number;
  readonly #most: number;

  /** `most` keys are remembered, the latest. */
  constructor(windowMs: number, most: number) {
    this.#windowMs = windowMs;
    this.#most = most;
  }

  /** True if there was none of this key for a while. */
  isFirst(key: string, value: T, atMs: number): boolean {
    const window = this.#windows.get(key);
    if (window !== undefined) {
      window.repeats++;
      window.value = value;
      return false;
    }
    this.#windows.set(key, { value, startMs: atMs, repeats: 0 });
    return true;
  }

  /** What was held back and is due; keys that did not come again are forgotten. */
  takeDue(atMs: number): Repeated<T>[] {
    const due: Repeated<T>[] = [];
    let excess = this.#windows.size - this.#most;
    // In the order in which windows began: those behind the first that is not over are not over.
    for (const [key, window] of this.#windows) {
      if (atMs - window.startMs < this.#windowMs && excess <= 0) break;
      excess--;
      this.#windows.delete(key);
      if (window.repeats === 0) continue;
      due.push({ value: window.value, count: window.repeats });
      if (this.#windows.size < this.#most)
        this.#windows.set(key, { value: window.value, startMs: atMs, repeats: 0 });
    }
    return due;
  }

  /** All that was held back, due or not. */
  takeAll(): Repeated<T>[] {
    const all = [...this.#windows.values()].filter(({ repeats }) => repeats > 0);
    this.#windows.clear();
    return all.map(({ value, repeats }) => ({ value, count: repeats }));
  }
}
