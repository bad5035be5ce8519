/** Bridges of ours that the last attachment left: removed once nobody wants them and nothing is attached to them. */
import type { Logger } from 'pino';
import { type Kernel, type KernelState, keyOf, type Link } from '#core/kernel/index.ts';
import { isOwnBridge } from './links.ts';
import type { AttachmentRecords } from './records.ts';

export class UnusedBridges {
  private readonly kernel: Kernel;
  private readonly records: AttachmentRecords;
  private readonly logger: Logger;
  /** Those that may be of no use any more, by key. */
  private readonly suspects = new Map<string, Link>();
  private work: Promise<void> = Promise.resolve();

  constructor(kernel: Kernel, records: AttachmentRecords, logger: Logger) {
    this.kernel = kernel;
    this.records = records;
    this.logger = logger;
  }

  /** Resolves when no bridge is being removed. */
  async settled(): Promise<void> {
    await this.work;
  }

  /** Removes these, and any that the kernel refused to remove before, as far as they are of no use. */
  async tidy(bridges: readonly Link[]): Promise<void> {
    for (const bridge of bridges) this.suspects.set(keyOf(bridge), bridge);
    if (this.suspects.size === 0) return;
    this.work = this.work.then(() => this.removeUnused());
    await this.work;
  }

  /** Looks at every bridge of ours that there is: an earlier run may have left one. */
  async tidyAll(): Promise<void> {
    await this.tidy([...this.kernel.state().values()].filter(isOwnBridge));
  }

  private async removeUnused(): Promise<void> {
    const state = this.kernel.state();
    for (const [key, bridge] of [...this.suspects]) {
      this.suspects.delete(key);
      const found = state.get(key);
      if (found === undefined || !isOwnBridge(found)) continue;
      if (this.records.isBridgeUsed(bridge) || hasPorts(bridge, state)) continue;
      const { failures } = await this.kernel.apply([{ verb: 'remove', object: found }]);
      for (const { message, code } of failures) {
        if (code === 'ENODEV') continue;
        this.suspects.set(key, bridge);
        this.logger.warn({ message }, 'bridge without ports not removed');
      }
    }
  }
}

function hasPorts({ name }: Link, state: KernelState): boolean {
  return state.values().some((object) => object.kind === 'link' && object.master === name);
}
