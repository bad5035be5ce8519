/**
 * Keeps the checksum offload of the overlay's devices as it should be: applies it when told which devices there are, and again
 * whenever one of them was made anew or changed.
 */
import type { Logger } from 'pino';
import type { Kernel } from '#core/kernel/index.ts';
import type { ChecksumOffload, KernelFindings, OffloadMode } from '#core/offload/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { applyChecksumOffload } from './apply.ts';
import { kernelFindings } from './probe-cache.ts';

export interface OffloadKeeperOptions {
  readonly kernel: Kernel;
  /** The kernel's namespace; stays the caller's. */
  readonly namespace: Namespace;
  readonly mode: OffloadMode;
  readonly cacheFile: string;
  readonly logger: Logger;
  /** The experiment; probeKernel if absent. */
  readonly probe?: () => Promise<KernelFindings>;
}

export class OffloadKeeper implements AsyncDisposable {
  private readonly options: OffloadKeeperOptions;
  private readonly subscription: Disposable;
  private readonly outcomes = new Map<string, ChecksumOffload>();
  private links: readonly string[] = [];
  private pending = new Set<string>();
  private queue: Promise<void> = Promise.resolve();
  private findings: Promise<KernelFindings> | undefined;
  private closed = false;

  constructor(options: OffloadKeeperOptions) {
    this.options = options;
    this.subscription = options.kernel.watch({
      changed: (keys) => this.demand(this.links.filter((link) => keys.has(`link ${link}`))),
      resynced: () => this.demand(this.links),
    });
  }

  /** Names the devices to look after, in place of those named before. Resolves when those that are there are as they should be. */
  async keep(links: readonly string[]): Promise<void> {
    this.links = links;
    for (const link of this.outcomes.keys()) if (!links.includes(link)) this.outcomes.delete(link);
    this.demand(links);
    await this.settled();
  }

  /** Resolves when everything noticed so far is dealt with. */
  settled(): Promise<void> {
    return this.queue;
  }

  /** How each device that is there was left, and why. */
  status(): ReadonlyMap<string, ChecksumOffload> {
    return this.outcomes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.closed = true;
    this.subscription[Symbol.dispose]();
    await this.queue;
  }

  /** One pass at a time; what comes in meanwhile is one more pass. */
  private demand(links: readonly string[]): void {
    if (links.length === 0 || this.closed) return;
    const due = this.pending.size === 0;
    for (const link of links) this.pending.add(link);
    if (due) this.queue = this.queue.then(() => this.pass());
  }

  private async pass(): Promise<void> {
    const links = this.pending;
    this.pending = new Set();
    for (const link of links) if (!this.closed) await this.apply(link);
  }

  private async apply(link: string): Promise<void> {
    const { kernel, namespace, mode, cacheFile, logger } = this.options;
    const findings = () => this.findOut();
    try {
      const state = kernel.state();
      const device = { namespace, link, mode, cacheFile, logger, findings, state };
      const outcome = state.has(`link ${link}`) ? await applyChecksumOffload(device) : undefined;
      this.note(link, outcome);
    } catch (error) {
      // A device that went meanwhile is heard of again when it is back.
      if ((error as NodeJS.ErrnoException).code === 'ENODEV') this.note(link, undefined);
      else logger.warn({ err: error, link }, 'checksum offload not applied');
    }
  }

  private note(link: string, outcome: ChecksumOffload | undefined): void {
    const known = this.outcomes.get(link);
    if (outcome === undefined || !this.links.includes(link)) this.outcomes.delete(link);
    else this.outcomes.set(link, outcome);
    if (outcome !== undefined && known?.reason !== outcome.reason)
      this.options.logger.info({ link, ...outcome }, 'checksum offload');
  }

  /** Once for the life of this agent, even where the outcome could not be kept in the file. */
  private findOut(): Promise<KernelFindings> {
    const { cacheFile, logger, probe } = this.options;
    this.findings ??= kernelFindings({ cacheFile, logger, ...(probe !== undefined && { probe }) });
    return this.findings;
  }
}
