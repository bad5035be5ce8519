/**
 * DELs that the plugin on disk recorded because no agent answered: carried out at the start, and whenever one is recorded later (a
 * plugin may have given up on a socket that was not there yet). One that fails is kept and tried again.
 */
import { type FSWatcher, readdirSync, readFileSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Clock } from '#base/clock.ts';
import { isDecodeError } from '#core/codec/index.ts';
import { decodeRequest, type PluginAnswer, type PluginCall } from '#io/cni/server/index.ts';

const RETRY_MS = 60_000;

export interface PendingDelsOptions {
  /** Must exist. */
  readonly folder: string;
  readonly handle: (call: PluginCall) => Promise<PluginAnswer>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class PendingDels implements AsyncDisposable {
  private readonly options: PendingDelsOptions;
  private readonly watcher: FSWatcher;
  private work: Promise<void> = Promise.resolve();
  private isDue = false;
  private isEnded = false;
  private retry: Disposable | undefined;

  constructor(options: PendingDelsOptions) {
    this.options = options;
    this.watcher = watch(options.folder, { persistent: false }, () => this.look());
    this.watcher.on('error', (error) =>
      options.logger.warn({ err: error }, 'recorded DELs are not watched for: the next start does them'),
    );
    this.look();
  }

  /** Resolves when what is recorded now was tried. */
  async settled(): Promise<void> {
    await this.work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isEnded = true;
    this.watcher.close();
    this.retry?.[Symbol.dispose]();
    await this.work;
  }

  private look(): void {
    if (this.isDue || this.isEnded) return;
    this.isDue = true;
    this.work = this.work.then(async () => {
      this.isDue = false;
      await this.carryOut();
    });
  }

  private async carryOut(): Promise<void> {
    const { folder, clock, logger } = this.options;
    let failed = 0;
    for (const name of readdirSync(folder).sort()) {
      if (this.isEnded) return;
      if (name.startsWith('.')) continue; // still being written
      if (!(await this.tryOne(join(folder, name)))) failed++;
    }
    this.retry?.[Symbol.dispose]();
    this.retry = undefined;
    if (failed === 0 || this.isEnded) return;
    logger.warn({ failed, retryInMs: RETRY_MS }, 'recorded DELs failed');
    this.retry = clock.setTimeout(RETRY_MS, () => this.look());
  }

  private async tryOne(path: string): Promise<boolean> {
    try {
      const { exitStatus } = await this.options.handle(decodeRequest(readFileSync(path)));
      if (exitStatus !== 0) return false;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
      if (!isDecodeError(error)) {
        this.options.logger.error({ path, err: error }, 'recorded DEL');
        return false;
      }
      this.options.logger.warn({ path, err: error }, 'recorded DEL dropped: not readable');
    }
    rmSync(path, { force: true });
    return true;
  }
}
