/**
 * Removes links after DEL was answered. The kernel holds a caller up for some 16 ms for each link it takes apart, so a link is first
 * set down and taken from its bridge, which stops its packets at once, and removed here, several in one go.
 */
import type { Kernel, Link, OpFailure } from '#core/kernel/index.ts';

interface Leaving {
  readonly part: string;
  readonly links: readonly Link[];
  readonly gone: (failures: readonly OpFailure[]) => Promise<void>;
}

export class Reaper {
  private readonly kernel: Kernel;
  private waiting: Leaving[] = [];
  private readonly underway = new Map<string, Promise<void>>();
  private work: Promise<void> = Promise.resolve();

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  /** Removes the links soon, then calls `gone`, which must not reject, with what the kernel refused. */
  reap(part: string, links: readonly Link[], gone: Leaving['gone']): void {
    this.waiting.push({ part, links, gone });
    this.work = this.work.then(() => this.removeWaiting());
    const done = this.work;
    this.underway.set(part, done);
    void done.then(() => {
      if (this.underway.get(part) === done) this.underway.delete(part);
    });
  }

  isLeaving(part: string): boolean {
    return this.underway.has(part);
  }

  /** Resolves when what a part left behind is gone. */
  async departed(part: string): Promise<void> {
    await this.underway.get(part);
  }

  /** Resolves with true when everything that is leaving now is gone; with false at once if nothing is. */
  async settled(): Promise<boolean> {
    if (this.underway.size === 0) return false;
    await this.work;
    return true;
  }

  private async removeWaiting(): Promise<void> {
    const leaving = this.waiting;
    this.waiting = [];
    if (leaving.length === 0) return;
    const failures = await this.removeLinks(leaving.flatMap(({ links }) => links));
    for (const { links, gone } of leaving)
      await gone(failures.filter(({ op }) => links.includes(op.object as Link)));
  }

  private async removeLinks(links: readonly Link[]): Promise<readonly OpFailure[]> {
    try {
      return await this.kernel.removeAside(links);
    } catch (error) {
      const { message, code = 'EIO' } = error as NodeJS.ErrnoException;
      return links.map((object) => ({ op: { verb: 'remove', object }, code, message }));
    }
  }
}
