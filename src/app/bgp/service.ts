/** A speaker with its sockets: sessions run, tables are asked once for many messages, and whoever watches is told. */
import type { Clock, Random } from '#base/clock.ts';
import type { BestChange, LocalRoute, RibEvent } from '#core/bgp/rib/index.ts';
import {
  type NeighborSummary,
  Speaker,
  type SpeakerAction,
  summarize,
  type Why,
  why,
} from '#core/bgp/speaker/index.ts';
import { BfdEndpoint, BgpEndpoint } from '#io/bgp/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { RunningSession } from './running-session.ts';
import type { SpeakerSetup } from './speaker-file.ts';

/** What is told to whoever watches. */
export type ServiceEvent =
  | { readonly type: 'session'; readonly peer: string; readonly isUp: boolean; readonly reason?: string }
  | { readonly type: 'best'; readonly change: BestChange }
  | { readonly type: 'table'; readonly event: RibEvent }
  | { readonly type: 'fault'; readonly peer: string; readonly text: string };

export interface ServiceOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace?: Namespace;
}

/** A neighbour in a line, with what its session is at. */
export interface NeighborStatus extends NeighborSummary {
  readonly phase: string;
  readonly lastReason?: string;
  /** Whether the way to it is there, as BFD has it. */
  readonly bfd?: string;
}

export class BgpService implements AsyncDisposable {
  readonly #options: ServiceOptions;
  readonly #endpoint: BgpEndpoint | undefined;
  #bfd: BfdEndpoint | undefined;
  readonly #speaker: Speaker;
  readonly #sessions = new Map<string, RunningSession>();
  readonly #watchers = new Set<(event: ServiceEvent) => void>();
  /** Those of them that want to hear of best routes. */
  #bestWatchers = 0;
  readonly #closing = new Set<Promise<void>>();
  #isFlushDue = false;
  #isClosed = false;
  #wake: { readonly at: number; readonly timer: Disposable } | undefined;

  /** Throws a SystemCallError if the addresses to listen at cannot be had. */
  constructor({ speaker, listen }: SpeakerSetup, options: ServiceOptions) {
    this.#options = options;
    const { clock, namespace } = options;
    const { port, addresses } = listen;
    if (addresses.length > 0)
      this.#endpoint = BgpEndpoint.open({
        clock,
        port,
        addresses,
        ...(namespace === undefined ? {} : { namespace }),
      });
    this.#speaker = new Speaker(speaker, {}, clock.now());
    this.#speaker.rib.trackBest(false);
    this.#flush();
  }

  /** For views of its tables. */
  get speaker(): Speaker {
    return this.#speaker;
  }

  /** Takes another configuration; where it listens stays. Throws a RangeError, having changed nothing, if it makes no sense. */
  configure({ speaker }: SpeakerSetup): void {
    this.#speaker.configure(speaker, this.#now());
    this.#flush();
  }

  announce(route: LocalRoute): void {
    this.#speaker.announce(route, this.#now());
    this.#flush();
  }

  /** False if there was no such route. */
  withdraw(prefix: string, origin: string): boolean {
    const wasThere = this.#speaker.withdraw(prefix, origin);
    this.#flush();
    return wasThere;
  }

  /** False if there is no such neighbour. */
  softReset(peer: string, direction: 'in' | 'out'): boolean {
    const isKnown = this.#speaker.softReset(peer, direction, this.#now());
    this.#flush();
    return isKnown;
  }

  neighbors(): readonly NeighborStatus[] {
    return summarize(this.#speaker).map((summary) => {
      const session = this.#sessions.get(summary.key);
      const { lastReason, phase = 'shut down', bfdPhase: bfd } = session ?? {};
      return {
        ...summary,
        phase,
        ...(lastReason === undefined ? {} : { lastReason }),
        ...(bfd === undefined ? {} : { bfd }),
      };
    });
  }

  why(prefix: string): Why {
    return why(this.#speaker, prefix, {}, this.#now());
  }

  /** Tells of what happens until what is returned is disposed of; of best routes only if that is wanted. */
  watch(onEvent: (event: ServiceEvent) => void, wantsBest = false): Disposable {
    this.#watchers.add(onEvent);
    if (wantsBest && this.#bestWatchers++ === 0) this.#speaker.rib.trackBest(true);
    let isDone = false;
    return {
      [Symbol.dispose]: () => {
        if (isDone) return;
        isDone = true;
        this.#watchers.delete(onEvent);
        if (wantsBest && --this.#bestWatchers === 0) this.#speaker.rib.trackBest(false);
      },
    };
  }

  /** Ends all sessions, with a word to each peer. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#wake?.timer[Symbol.dispose]();
    for (const session of this.#sessions.values()) this.#closing.add(session.close('shutdown'));
    await Promise.all(this.#closing);
    this.#bfd?.[Symbol.dispose]();
    this.#endpoint?.close();
  }

  #now(): number {
    return this.#options.clock.now();
  }

  /** Once for all that one turn of the event loop has brought. */
  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      if (!this.#isClosed) this.#flush();
    });
  }

  #flush(): void {
    for (const action of this.#speaker.flush(this.#now())) this.#act(action);
    if (this.#speaker.isUnfinished) this.#flushSoon();
    const { wake } = this.#speaker;
    if (wake === this.#wake?.at) return;
    this.#wake?.timer[Symbol.dispose]();
    this.#wake =
      wake === undefined
        ? undefined
        : { at: wake, timer: this.#options.clock.setTimeout(wake - this.#now(), () => this.#flushSoon()) };
  }

  #act(action: SpeakerAction): void {
    switch (action.type) {
      case 'open':
        this.#sessions.set(action.neighbor.key, this.#open(action));
        return;
      case 'settings':
        this.#sessions.get(action.neighbor.key)?.settle(this.#speaker.config, action.neighbor);
        return;
      case 'close':
        this.#close(action.peer, action.reason);
        return;
      case 'send':
        if (this.#sessions.get(action.peer)?.send(action.sends) !== true) return;
        this.#speaker.ready(action.peer);
        this.#flushSoon();
        return;
      case 'program':
        if (this.#watchers.size > 0)
          for (const change of action.changes) this.#tell({ type: 'best', change });
        return;
      case 'event':
        this.#tell({ type: 'table', event: action.event });
    }
  }

  #open({ neighbor }: Extract<SpeakerAction, { type: 'open' }>): RunningSession {
    const { key } = neighbor;
    const session: RunningSession = new RunningSession(this.#speaker.config, neighbor, {
      ...this.#options,
      bfd: () => (this.#bfd ??= new BfdEndpoint(this.#options)),
      ...(this.#endpoint === undefined ? {} : { endpoint: this.#endpoint }),
      onNews: (news) => {
        if (this.#sessions.get(key) !== session) return;
        this.#speaker.take(key, news, this.#now());
        if (news.type === 'established') this.#tell({ type: 'session', peer: key, isUp: true });
        if (news.type === 'down')
          this.#tell({ type: 'session', peer: key, isUp: false, reason: news.reason });
        this.#flushSoon();
      },
      onReady: () => {
        this.#speaker.ready(key);
        this.#flushSoon();
      },
      onReport: (report) => {
        if (report.type === 'fault' || report.type === 'unsent')
          this.#tell({ type: 'fault', peer: key, text: JSON.stringify(report) });
      },
    });
    return session;
  }

  #close(peer: string, reason: Extract<SpeakerAction, { type: 'close' }>['reason']): void {
    const session = this.#sessions.get(peer);
    if (session === undefined) return;
    if (reason === 'limit') {
      session.pause();
      return;
    }
    this.#sessions.delete(peer);
    this.#tell({ type: 'session', peer, isUp: false, reason });
    const closed = session.close(reason);
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }

  #tell(event: ServiceEvent): void {
    for (const watcher of this.#watchers) watcher(event);
  }
}
