/**
 * Policy's part of the desired state. Without a policy in force nothing of it is in the kernel, and packets pay nothing for it; what the
 * compiler says meanwhile is held back.
 */
import { type Amendment, type KernelObject, keyOf } from '#core/kernel/index.ts';
import { POLICY_PART } from '#core/policy/index.ts';
import type { KernelLoop } from '../kernel-loop.ts';

export class PolicyPart {
  readonly #loop: Pick<KernelLoop, 'amend' | 'desired'>;
  readonly #held = new Map<string, KernelObject>();
  #isActive = false;
  #failures: readonly string[] = [];

  constructor(loop: Pick<KernelLoop, 'amend' | 'desired'>) {
    this.#loop = loop;
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  /** What the kernel refused at the last change. */
  get failures(): readonly string[] {
    return this.#failures;
  }

  /** Carries an amendment out, all of the part if it becomes active, and its removal if it does no more. True if the kernel was asked. */
  async carryOut(amendment: Amendment, isActive: boolean): Promise<boolean> {
    const wasActive = this.#isActive;
    this.#isActive = isActive;
    if (isActive) return this.#amend(wasActive ? amendment : this.#release(amendment));
    if (wasActive) {
      const state = this.#loop.desired.state;
      const keys = [...this.#loop.desired.keysOf(POLICY_PART)];
      for (const key of keys) this.#held.set(key, state.get(key) as KernelObject);
      this.#hold(amendment);
      return this.#amend({ put: [], removed: keys });
    }
    this.#hold(amendment);
    return false;
  }

  #hold({ put, removed }: Amendment): void {
    for (const key of removed) this.#held.delete(key);
    for (const object of put) this.#held.set(keyOf(object), object);
  }

  #release(amendment: Amendment): Amendment {
    this.#hold(amendment);
    const put = [...this.#held.values()];
    this.#held.clear();
    return { put, removed: [] };
  }

  async #amend(amendment: Amendment): Promise<boolean> {
    if (amendment.put.length + amendment.removed.length === 0) return false;
    const failures = await this.#loop.amend(POLICY_PART, amendment);
    this.#failures = failures.map(({ message }) => message);
    return true;
  }
}
