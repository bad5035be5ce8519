/**
 * A speaker with its sockets inside the agent. It begins as one that has restarted where routes of an earlier run are in the kernel (RFC 4724),
 * and ends without a word, so that its peers go on sending packets here.
 */
import type { Clock, Random } from '#base/clock.ts';
import type { IpAddress } from '#base/ip/index.ts';
import type { BestChange } from '#core/bgp/rib/index.ts';
import { Speaker, type SpeakerAction, type SpeakerConfig, summarize } from '#core/bgp/speaker/index.ts';
import { BfdEndpoint, BgpEndpoint } from '#io/bgp/index.ts';
import { AgentSession } from './session.ts';
import type { BgpNeighborStatus } from './status.ts';

export interface RunnerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly listen: { readonly port: number; readonly addresses: readonly IpAddress[] };
  readonly speaker: SpeakerConfig;
  readonly isRestarting: boolean;
  /** What it costs to reach a next hop; undefined if it cannot be reached. */
  readonly metricOf: (nextHop: IpAddress) => number | undefined;
  readonly isAdjacent: (address: IpAddress) => boolean;
  readonly onBest: (changes: readonly BestChange[]) => void;
  readonly onSession: (peer: string, isUp: boolean, reason?: string) => void;
  /** All peers have told what they know, or had the time to; once. */
  readonly onConverged: () => void;
}

export class BgpRunner implements AsyncDisposable {
  readonly #options: RunnerOptions;
  readonly #endpoint: BgpEndpoint;
  #bfd: BfdEndpoint | undefined;
  readonly #speaker: Speaker;
  readonly #sessions = new Map<string, AgentSession>();
  readonly #closing = new Set<Promise<void>>();
  #isFlushDue = false;
  #isClosed = false;
  #isConverged = false;
  #wake: { readonly at: number; readonly timer: Disposable } | undefined;

  /** Throws a SystemCallError if the addresses to listen at cannot be had. */
  constructor(options: RunnerOptions) {
    this.#options = options;
    const { clock, listen, speaker, metricOf, isRestarting } = options;
    this.#endpoint = BgpEndpoint.open({ clock, ...listen });
    this.#speaker = new Speaker(speaker, { metricOf }, clock.now(), isRestarting);
    this.#flushSoon();
  }

  /** Takes another configuration. Throws a RangeError, having changed nothing, if it makes no sense. */
  configure(speaker: SpeakerConfig): void {
    this.#speaker.configure(speaker, this.#now());
    this.#flushSoon();
  }

  /** The way to next hops may be another. */
  refreshMetrics(): void {
    this.#speaker.refreshMetrics();
    this.#flushSoon();
  }

  neighbors(): readonly BgpNeighborStatus[] {
    return summarize(this.#speaker).map((summary) => {
      const session = this.#sessions.get(summary.key);
      const { phase = 'shut down', lastReason, bfdPhase, flaps = 0 } = session ?? {};
      return {
        ...summary,
        phase,
        flaps,
        ...(lastReason === undefined ? {} : { lastReason }),
        ...(bfdPhase === undefined ? {} : { bfd: bfdPhase }),
      };
    });
  }

  /** Whether a peer has told all it knows, of every family. */
  isComplete(key: string): boolean {
    const neighbor = this.#speaker.neighbor(key);
    if (neighbor === undefined || this.#speaker.upSince(key) === undefined) return false;
    const { families } = this.#speaker.rib.tables.peer(key);
    return neighbor.session.families.every(({ family }) => families[family].isComplete);
  }

  /** Ends all sessions with a word to the peers, which forget our routes. */
  async shutDown(): Promise<void> {
    for (const [key, session] of this.#sessions) {
      this.#sessions.delete(key);
      this.#closing.add(session.close('shutdown'));
    }
    await Promise.all(this.#closing);
  }

  /** Drops all sessions; the peers keep our routes for as long as they were told (RFC 4724). */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#wake?.timer[Symbol.dispose]();
    for (const session of this.#sessions.values()) session.drop();
    this.#bfd?.[Symbol.dispose]();
    this.#endpoint.close();
    await Promise.all(this.#closing);
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
    const actions = this.#speaker.flush(this.#now());
    for (const action of actions) this.#act(action);
    // Much to program comes in parts, each in a turn of its own.
    const isProgramming = actions.some(({ type }) => type === 'program');
    if (isProgramming) this.#flushSoon();
    else if (!this.#isConverged && this.#speaker.rib.tables.deferred.size === 0) {
      this.#isConverged = true;
      this.#options.onConverged();
    }
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
        return this.#open(action);
      case 'settings':
        return this.#sessions.get(action.neighbor.key)?.settle(this.#speaker.config, action.neighbor);
      case 'close':
        return this.#close(action.peer, action.reason);
      case 'send':
        if (this.#sessions.get(action.peer)?.send(action.sends) !== true) return;
        this.#speaker.ready(action.peer);
        return this.#flushSoon();
      case 'program':
        return this.#options.onBest(action.changes);
      case 'event':
        return;
    }
  }

  #open({ neighbor }: Extract<SpeakerAction, { type: 'open' }>): void {
    const { key } = neighbor;
    const session: AgentSession = new AgentSession(
      this.#speaker.config,
      neighbor,
      this.#options.isRestarting && !this.#isConverged,
      {
        ...this.#options,
        endpoint: this.#endpoint,
        bfd: () => {
          this.#bfd ??= new BfdEndpoint({ ...this.#options, clock: patient(this.#options.clock) });
          return this.#bfd;
        },
        onNews: (news) => {
          if (this.#sessions.get(key) !== session) return;
          this.#speaker.take(key, news, this.#now());
          if (news.type === 'established') this.#options.onSession(key, true);
          else if (news.type === 'down') this.#options.onSession(key, false, news.reason);
          this.#flushSoon();
        },
        onReady: () => {
          this.#speaker.ready(key);
          this.#flushSoon();
        },
      },
    );
    this.#sessions.set(key, session);
  }

  #close(peer: string, reason: Extract<SpeakerAction, { type: 'close' }>['reason']): void {
    const session = this.#sessions.get(peer);
    if (session === undefined) return;
    if (reason === 'limit') return session.pause();
    this.#sessions.delete(peer);
    this.#options.onSession(peer, false, reason);
    const closed = session.close(reason);
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }
}

/** What was due while this process was busy is due after what has come in meanwhile: packets that wait to be read are no silence. */
function patient(clock: Clock): Clock {
  return {
    now: () => clock.now(),
    setTimeout: (ms, callback) => {
      let waiting: NodeJS.Immediate | undefined;
      const timer = clock.setTimeout(ms, () => {
        waiting = setImmediate(callback);
      });
      return {
        [Symbol.dispose]: () => {
          timer[Symbol.dispose]();
          clearImmediate(waiting);
        },
      };
    },
  };
}
