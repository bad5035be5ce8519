/** What changed since somebody asked: objects to be put and keys to be removed, each key once. */
import { type Amendment, type KernelObject, keyOf } from '#core/kernel/index.ts';

export class Output {
  /** undefined: to be removed. */
  #changes = new Map<string, KernelObject | undefined>();

  put(object: KernelObject): void {
    this.#changes.set(keyOf(object), object);
  }

  remove(object: KernelObject): void {
    this.#changes.set(keyOf(object), undefined);
  }

  take(): Amendment {
    const put: KernelObject[] = [];
    const removed: string[] = [];
    for (const [key, object] of this.#changes) {
      if (object === undefined) removed.push(key);
      else put.push(object);
    }
    this.#changes = new Map();
    return { put, removed };
  }
}
