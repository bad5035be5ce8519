/**
 * DELs that the plugin on disk recorded because no agent answered: carried out at the start, and whenever one is recorded later (a
 * plugin may have given up on a socket that was not there yet). One that fails is kept and tried again, unless its own words are
 * what is wrong with it. An ADD of the same attachment carries them out itself, and then they are not due any more.
 */
import { existsSync, type FSWatcher, mkdirSync, readdirSync, readFileSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { RecordedDel } from '#app/cni/index.ts';
import type { Clock } from '#base/clock.ts';
import { CNI_ERROR } from '#core/cni/index.ts';
import { isDecodeError } from '#core/codec/index.ts';
import { decodeRequest, type PluginAnswer, type PluginCall } from '#io/cni/server/index.ts';

const RETRY_MS = 60_000;
/** What the same call is answered each time. */
const FINAL_CODES: ReadonlySet<unknown> = new Set([
  CNI_ERROR.incompatibleVersion,
  CNI_ERROR.unsupportedField,
  CNI_ERROR.invalidEnvironment,
  CNI_ERROR.decodingFailure,
  CNI_ERROR.invalidNetworkConfig,
]);

export interface PendingDelsOptions {
  readonly folder: string;
  /** Carries out a call, if it is still due when its turn has come. */
  readonly handle: (call: PluginCall, isDue: () => boolean) => Promise<PluginAnswer>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class PendingDels implements AsyncDisposable {
  private readonly options: PendingDelsOptions;
  private watcher: FSWatcher | undefined;
  private work: Promise<void> = Promise.resolve();
  private isDue = false;
  private isEnded = false;
  private retry: Disposable | undefined;

  constructor(options: PendingDelsOptions) {
    this.options = options;
    this.look();
  }

  /** Resolves when what is recorded now was tried. */
  async settled(): Promise<void> {
    await this.work;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isEnded = true;
    this.watcher?.close();
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
    const { clock, logger } = this.options;
    let failed = 0;
    try {
      for (const path of this.watchedFiles()) {
        if (this.isEnded) return;
        if (!(await this.tryOne(path))) failed++;
      }
    } catch (error) {
      logger.error({ err: error }, 'recorded DELs not read');
      failed++;
    }
    this.retry?.[Symbol.dispose]();
    this.retry = undefined;
    if (failed === 0 || this.isEnded) return;
    logger.warn({ failed, retryInMs: RETRY_MS }, 'recorded DELs failed');
    this.retry = clock.setTimeout(RETRY_MS, () => this.look());
  }

  /** The records, oldest name first; watches the folder, and makes it if somebody removed it. */
  private watchedFiles(): string[] {
    const { folder, logger } = this.options;
    if (!existsSync(folder)) {
      logger.warn({ folder }, 'folder of recorded DELs made');
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      this.watcher?.close();
      this.watcher = undefined;
    }
    this.watcher ??= this.watch();
    return pathsIn(folder);
  }

  private watch(): FSWatcher {
    const { folder, logger } = this.options;
    const watcher = watch(folder, { persistent: false }, () => this.look());
    watcher.on('error', (error) =>
      logger.warn({ err: error }, 'recorded DELs are not watched for: the next start does them'),
    );
    return watcher;
  }

  /** False if it is to be tried again. */
  private async tryOne(path: string): Promise<boolean> {
    const { handle, logger } = this.options;
    try {
      const call = decodeRequest(readFileSync(path));
      const { exitStatus, stdout } = await handle(call, () => existsSync(path));
      if (exitStatus !== 0) {
        if (!FINAL_CODES.has(codeOf(stdout))) return false;
        logger.warn({ path, answer: stdout }, 'recorded DEL dropped: it will be refused for ever');
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
      if (!isDecodeError(error)) {
        logger.error({ path, err: error }, 'recorded DEL');
        return false;
      }
      logger.warn({ path, err: error }, 'recorded DEL dropped: not readable');
    }
    rmSync(path, { force: true });
    return true;
  }
}

/** The DELs recorded in a folder that can be read, oldest name first; none if the folder is not there. */
export function readRecordedDels(folder: string): RecordedDel[] {
  try {
    return pathsIn(folder).flatMap((path) => {
      const call = tryRead(path);
      return call === undefined ? [] : [{ call, forget: () => rmSync(path, { force: true }) }];
    });
  } catch {
    return []; // told by PendingDels
  }
}

function tryRead(path: string): PluginCall | undefined {
  try {
    return decodeRequest(readFileSync(path));
  } catch {
    return undefined;
  }
}

/** Those whose name begins with a dot are still being written. */
function pathsIn(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => !name.startsWith('.'));
  return names.sort().map((name) => join(folder, name));
}

function codeOf(stdout: string): unknown {
  try {
    return (JSON.parse(stdout) as { code?: unknown }).code;
  } catch {
    return undefined;
  }
}
