/**
 * Whether somebody listens to what rules decide. A rule that tells costs the first packet of a connection a fifth of what policies take, heard
 * or not, so rules tell while somebody listens. The kernel tells nobody that a listener came or went, however it ended: it is asked regularly,
 * and only while policies are in force.
 */
import type { Clock } from '#base/clock.ts';

/** As long as a listener waits at most, and rules tell after the last one went. */
const LOOK_MS = 500;

export interface LogListenersOptions {
  /** Asks the kernel; absent: somebody listens always. */
  readonly isLogHeard?: () => boolean;
  readonly clock: Clock;
  readonly onChanged: () => void;
}

export class LogListeners implements Disposable {
  readonly #options: LogListenersOptions;
  #isHeard: boolean;
  #timer: Disposable | undefined;

  constructor(options: LogListenersOptions) {
    this.#options = options;
    this.#isHeard = options.isLogHeard === undefined;
  }

  /** As it was when somebody last looked. */
  get isHeard(): boolean {
    return this.#isHeard;
  }

  /** Looks now, if it was not followed before, and from now on; or no more. */
  follow(isWanted: boolean): void {
    if (!isWanted) return this[Symbol.dispose]();
    if (this.#timer === undefined) this.#look();
  }

  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
  }

  /** True if it is otherwise than before. */
  #look(): boolean {
    const { isLogHeard, clock, onChanged } = this.#options;
    if (isLogHeard === undefined) return false;
    const before = this.#isHeard;
    this.#isHeard = isLogHeard();
    this.#timer = clock.setTimeout(LOOK_MS, () => {
      if (this.#look()) onChanged();
    });
    return this.#isHeard !== before;
  }
}
