/**
 * What names in policies stand for on this node: from the answers that its pods get, by way of the kernel's packet log, into the engine. What was
 * seen is kept on disk, written now and then, and comes to its end by itself.
 */
import type { Logger } from 'pino';
import type { Clock } from '#base/clock.ts';
import { isDecodeError } from '#core/codec/index.ts';
import { decodeDnsResponse } from '#core/dns/index.ts';
import { decodeUdpPayload, type LoggedPacket } from '#core/netlink/log/index.ts';
import type { PolicyGraph } from '#core/policy/index.ts';
import { type NameChange, type NameTerms, SeenNames } from '#core/policy/names/index.ts';
import type { PacketLogOptions } from '#io/flow-log/index.ts';
import { readKeptNames, writeKeptNames } from '#io/policy-names/index.ts';

/** Takes POLICY_DNS_GROUP and listens until it is disposed. Throws if that cannot be. */
export type OpenAnswers = (to: Pick<PacketLogOptions, 'onPackets' | 'onLost' | 'onError'>) => Disposable;

/** How names are learnt; the rest is the keeper's. */
export interface NameSource {
  readonly openAnswers: OpenAnswers;
  /** Where what was seen is kept. */
  readonly file: string;
  readonly terms?: Partial<NameTerms>;
}

export interface PolicyNamesOptions extends NameSource {
  readonly graph: Pick<PolicyGraph, 'hasDomains' | 'wantsDomain' | 'upsertDomain'>;
  /** Names stand for other addresses: the graph has a delta. */
  readonly onChanged: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** For `poplin status`. */
export interface NamesStatus {
  /** Names whose addresses are known. */
  readonly known: number;
  /** Answers that came faster than they were read. */
  readonly lost: number;
}

/** After a change, and where answers only say the same again. */
const WRITE_MS = 2_000;
const RENEW_MS = 60_000;
/** Between two looks at what has come to its end, at least. */
const EXPIRE_MS = 1_000;
const OPEN_MS = 5_000;

type Timer = 'write' | 'expire' | 'open';

export class PolicyNames implements AsyncDisposable {
  readonly #options: PolicyNamesOptions;
  readonly #seen: SeenNames;
  readonly #timers = new Map<Timer, { readonly atMs: number; readonly handle: Disposable }>();
  #log: Disposable | undefined;
  #lost = 0;
  readonly #refusals: Partial<Record<'listen' | 'write', string>> = {};
  #writing: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: PolicyNamesOptions) {
    this.#options = options;
    this.#seen = new SeenNames(options.terms);
  }

  /** Takes in what the disk has; to be called before anything is carried out. */
  restore(): void {
    const { file, clock, logger } = this.#options;
    try {
      const kept = readKeptNames(file);
      if (kept !== undefined) this.#tell(this.#seen.restore(kept.names, kept.keptMs, clock.now()));
    } catch (error) {
      logger.warn({ err: error }, 'names seen before not read from disk');
    }
    this.#expireLater();
  }

  /** To be called after each delta: listens as long as rules speak of names. */
  follow(): void {
    if (!this.#options.graph.hasDomains) {
      this.#stop('open');
      this.#log?.[Symbol.dispose]();
      this.#log = undefined;
      delete this.#refusals.listen;
    } else if (this.#log === undefined && !this.#timers.has('open')) this.#open();
  }

  status(): NamesStatus {
    return { known: this.#seen.size, lost: this.#lost };
  }

  /** What an operator should know, one sentence each. */
  problemTexts(): string[] {
    const { listen, write } = this.#refusals;
    return [
      ...(listen === undefined ? [] : [`answers for domainNames are not seen: ${listen}`]),
      ...(write === undefined ? [] : [`addresses of domainNames are not kept on disk: ${write}`]),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const isUnwritten = this.#timers.has('write');
    for (const timer of [...this.#timers.keys()]) this.#stop(timer);
    this.#log?.[Symbol.dispose]();
    this.#log = undefined;
    if (isUnwritten) this.#write();
    await this.#writing;
  }

  #open(): void {
    const { openAnswers, logger } = this.#options;
    const refuse = (error: unknown): void => {
      this.#log = undefined;
      const { message } = error as Error;
      if (this.#refusals.listen !== message) logger.error({ err: error }, 'answers for domainNames not seen');
      this.#refusals.listen = message;
      this.#later('open', OPEN_MS, () => this.follow());
    };
    try {
      this.#log = openAnswers({
        onPackets: (packets) => this.#hear(packets),
        onLost: (count) => {
          this.#lost += count;
        },
        onError: refuse,
      });
      delete this.#refusals.listen;
    } catch (error) {
      refuse(error);
    }
  }

  #hear(packets: readonly LoggedPacket[]): void {
    const { clock, graph } = this.#options;
    const nowMs = clock.now();
    let isChanged = false;
    for (const { payload } of packets) {
      try {
        const response = decodeDnsResponse(decodeUdpPayload(payload));
        const told = this.#seen.take(response, nowMs, (name) => graph.wantsDomain(name));
        this.#tell(told.changes);
        if (told.changes.length > 0) isChanged = true;
        else if (told.isRenewed) this.#writeLater(RENEW_MS);
      } catch (error) {
        if (!isDecodeError(error)) throw error; // whoever sends what is no answer
      }
    }
    if (isChanged) this.#changed();
    this.#expireLater();
  }

  #expire(): void {
    const changes = this.#seen.expire(this.#options.clock.now());
    this.#tell(changes);
    if (changes.length > 0) this.#changed();
    this.#expireLater();
  }

  #tell(changes: readonly NameChange[]): void {
    for (const { name, addresses, former } of changes)
      this.#options.graph.upsertDomain(name, addresses, former);
  }

  #changed(): void {
    this.#options.onChanged();
    this.#writeLater(WRITE_MS);
  }

  #expireLater(): void {
    const { nextMs } = this.#seen;
    if (nextMs === Number.POSITIVE_INFINITY) return this.#stop('expire');
    this.#later('expire', Math.max(EXPIRE_MS, nextMs - this.#options.clock.now()), () => this.#expire());
  }

  #writeLater(ms: number): void {
    this.#later('write', ms, () => this.#write());
  }

  /** One write at a time; what changes meanwhile is written by the next. */
  #write(): void {
    const { clock, file, logger } = this.#options;
    this.#writing = this.#writing.then(async () => {
      try {
        await writeKeptNames(file, { keptMs: clock.now(), names: this.#seen.kept() });
        delete this.#refusals.write;
      } catch (error) {
        const { message } = error as Error;
        if (this.#refusals.write !== message) logger.error({ err: error }, 'names seen not kept on disk');
        this.#refusals.write = message;
        this.#writeLater(RENEW_MS);
      }
    });
  }

  /** Calls once, at the earliest of the times that were asked for. */
  #later(timer: Timer, ms: number, work: () => void): void {
    const { clock } = this.#options;
    const atMs = clock.now() + ms;
    if (this.#isClosed || (this.#timers.get(timer)?.atMs ?? Number.POSITIVE_INFINITY) <= atMs) return;
    this.#stop(timer);
    const handle = clock.setTimeout(ms, () => {
      this.#timers.delete(timer);
      work();
    });
    this.#timers.set(timer, { atMs, handle });
  }

  #stop(timer: Timer): void {
    this.#timers.get(timer)?.handle[Symbol.dispose]();
    this.#timers.delete(timer);
  }
}
