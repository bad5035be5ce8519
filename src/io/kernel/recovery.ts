/** When to try again what failed in the background: soon at first, then with doubling pauses. Its timer keeps no process alive. */

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

export class Recovery implements Disposable {
  private readonly attempt: () => void;
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private isOver = false;

  /** `attempt` must not throw; it calls failed() or succeeded(). */
  constructor(attempt: () => void) {
    this.attempt = attempt;
  }

  /** An attempt follows, unless one is planned already. */
  plan(): void {
    if (this.timer !== undefined || this.isOver) return;
    const pause = this.failures === 0 ? 0 : FIRST_PAUSE_MS * 2 ** Math.min(this.failures - 1, 10);
    this.timer = setTimeout(
      () => {
        this.timer = undefined;
        this.attempt();
      },
      Math.min(pause, LONGEST_PAUSE_MS),
    ).unref();
  }

  /** Plans another attempt, after a longer pause. */
  failed(): void {
    this.failures += 1;
    this.plan();
  }

  /** Nothing is left to do, and the next failure is the first again. */
  succeeded(): void {
    this.failures = 0;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  [Symbol.dispose](): void {
    this.succeeded();
    this.isOver = true;
  }
}
