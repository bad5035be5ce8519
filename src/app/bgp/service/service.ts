/**
 * A speaker with its sockets: sessions run, tables are asked once for many messages, and whoever watches is told. It may begin as one that has
 * restarted (RFC 4724), and end without a word, so that its peers go on sending packets here.
 */
import type { LocalRoute } from '#core/bgp/rib/index.ts';
import {
  type NeighborConfig,
  Speaker,
  type SpeakerAction,
  type SpeakerConfig,
  summarize,
  type Why,
  why,
} from '#core/bgp/speaker/index.ts';
import { BfdEndpoint, BgpEndpoint, LinkStates, MessageCounts } from '#io/bgp/index.ts';
import type { NeighborStatus, ServiceEvent, ServiceOptions, SpeakerSetup } from './model.ts';
import { Monitors } from './monitors.ts';
import { patient } from './patient-clock.ts';
import { placeOf, Ranges } from './ranges.ts';
import { RunningSession } from './running-session.ts';

interface Watcher {
  readonly onEvent: (event: ServiceEvent) => void;
  readonly wantsBest: boolean;
}

/** With a connection to the peer. */
const CONNECTED: ReadonlySet<string> = new Set(['open-sent', 'open-confirm', 'established']);
const NO_MESSAGES = new MessageCounts();

export class BgpService implements AsyncDisposable {
  readonly #options: ServiceOptions;
  readonly #endpoint: BgpEndpoint | undefined;
  #bfd: BfdEndpoint | undefined;
  #links: LinkStates | undefined;
  readonly #speaker: Speaker;
  readonly #sessions = new Map<string, RunningSession>();
  readonly #announced = new Map<string, LocalRoute>();
  readonly #watchers = new Set<Watcher>();
  /** Those that want to hear of best routes. */
  #bestWatchers = 0;
  readonly #closing = new Set<Promise<void>>();
  readonly #monitors: Monitors;
  readonly #ranges: Ranges;
  /** Without the neighbours that have come. */
  #configured: SpeakerConfig;
  #isFlushDue = false;
  #isClosed = false;
  #isConverged = false;
  #wake: { readonly at: number; readonly timer: Disposable } | undefined;

  /** Throws a SystemCallError if the addresses to listen at cannot be had. */
  constructor({ speaker, listen, monitor = [], ranges = [] }: SpeakerSetup, options: ServiceOptions) {
    this.#options = options;
    const { clock, namespace, metricOf, isRestarting = false } = options;
    const { port, addresses } = listen;
    if (addresses.length > 0)
      this.#endpoint = BgpEndpoint.open({
        clock,
        port,
        addresses,
        ...(namespace === undefined ? {} : { namespace }),
      });
    const ports = metricOf === undefined ? {} : { metricOf };
    this.#speaker = new Speaker(speaker, ports, clock.now(), isRestarting);
    if (options.onBest === undefined) this.#speaker.rib.trackBest(false);
    else this.#bestWatchers++;
    this.#monitors = new Monitors({
      ...options,
      rib: this.#speaker.rib,
      treatedAsWithdraw: (key) => this.#sessions.get(key)?.treatedAsWithdraw ?? 0,
      onReport: (station, text) => this.#tell({ type: 'station', station, text }),
    });
    this.#monitors.configure(monitor);
    this.#configured = speaker;
    this.#ranges = new Ranges({
      clock,
      endpoint: this.#endpoint,
      onChange: () => this.#apply(),
      onStream: (key, stream) => this.#sessions.get(key)?.accept(stream),
      isConnected: (key) => CONNECTED.has(this.#sessions.get(key)?.phase ?? 'idle'),
      onRefused: (peer, text) => this.#tell({ type: 'fault', peer, text }),
    });
    this.#ranges.configure(ranges, speaker);
    this.#flush();
  }

  /** For views of its tables. */
  get speaker(): Speaker {
    return this.#speaker;
  }

  /** Takes another configuration; where it listens stays. Throws a RangeError, having changed nothing, if it makes no sense. */
  configure({ speaker, monitor = [], ranges = [] }: SpeakerSetup): void {
    const before = this.#speaker.config;
    this.#speaker.configure(
      { ...speaker, neighbors: [...speaker.neighbors, ...this.#come(speaker)] },
      this.#now(),
    );
    this.#configured = speaker;
    this.#ranges.configure(ranges, speaker);
    this.#apply();
    this.#monitors.configure(monitor);
    if (policiesOf(this.#speaker.config) !== policiesOf(before)) this.#monitors.restate();
  }

  /** Announces a route beside those of the configuration. */
  announce(route: LocalRoute): void {
    this.#speaker.announce(route, this.#now());
    this.#announced.set(`${route.origin} ${route.prefix}`, route);
    this.#flush();
  }

  /** False if there was no such route. */
  withdraw(prefix: string, origin: string): boolean {
    const wasThere = this.#speaker.withdraw(prefix, origin);
    this.#announced.delete(`${origin} ${prefix}`);
    this.#flush();
    return wasThere;
  }

  /** Routes beside those of the configuration. */
  get announced(): readonly LocalRoute[] {
    return [...this.#announced.values()];
  }

  /** The way to next hops may be another. */
  refreshMetrics(): void {
    this.#speaker.refreshMetrics();
    this.#flushSoon();
  }

  /** Whether a peer has told all it knows, of every family. */
  isComplete(key: string): boolean {
    const neighbor = this.#speaker.neighbor(key);
    if (neighbor === undefined || this.#speaker.upSince(key) === undefined) return false;
    const { families } = this.#speaker.rib.tables.peer(key);
    return neighbor.session.families.every(({ family }) => families[family].isComplete);
  }

  /** False if there is no such neighbour. */
  softReset(peer: string, direction: 'in' | 'out'): boolean {
    const isKnown = this.#speaker.softReset(peer, direction, this.#now());
    if (direction === 'in') this.#monitors.restate();
    this.#flush();
    return isKnown;
  }

  neighbors(): readonly NeighborStatus[] {
    return summarize(this.#speaker).map((summary) => {
      const session = this.#sessions.get(summary.key);
      const {
        lastReason,
        phase = 'shut down',
        bfdPhase: bfd,
        flaps = 0,
        messages = NO_MESSAGES,
      } = session ?? {};
      return {
        ...summary,
        phase,
        flaps,
        messages: { in: messages.of('in'), out: messages.of('out') },
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
    const watcher: Watcher = { onEvent, wantsBest };
    this.#watchers.add(watcher);
    if (wantsBest && this.#bestWatchers++ === 0) this.#speaker.rib.trackBest(true);
    return {
      [Symbol.dispose]: () => {
        if (!this.#watchers.delete(watcher)) return;
        if (wantsBest && --this.#bestWatchers === 0) this.#speaker.rib.trackBest(false);
      },
    };
  }

  /** Ends all sessions, with a word to each peer: they forget our routes. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    for (const session of this.#sessions.values()) this.#closing.add(session.close('shutdown'));
    await this.#close();
  }

  /** Drops all sessions without a word; the peers keep our routes for as long as they were told (RFC 4724). */
  async drop(): Promise<void> {
    this.#end();
    for (const session of this.#sessions.values()) session.drop();
    await this.#close();
  }

  #end(): void {
    this.#isClosed = true;
    this.#ranges[Symbol.dispose]();
    this.#closing.add(this.#monitors[Symbol.asyncDispose]());
    this.#wake?.timer[Symbol.dispose]();
  }

  async #close(): Promise<void> {
    await Promise.all(this.#closing);
    this.#bfd?.[Symbol.dispose]();
    this.#links?.[Symbol.dispose]();
    this.#endpoint?.close();
  }

  /** Neighbours that have come, and are none of those that are named. */
  #come({ neighbors }: SpeakerConfig): readonly NeighborConfig[] {
    const named = new Set(neighbors.flatMap(({ key, session }) => [key, placeOf(session)]));
    return this.#ranges.neighbors.filter(
      ({ key, session }) => !named.has(key) && !named.has(placeOf(session)),
    );
  }

  #apply(): void {
    const neighbors = [...this.#configured.neighbors, ...this.#come(this.#configured)];
    this.#speaker.configure({ ...this.#configured, neighbors }, this.#now());
    this.#flush();
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
    // Much to program comes in parts, each in a turn of its own.
    if (this.#speaker.isUnfinished) this.#flushSoon();
    else if (!this.#isConverged && this.#speaker.rib.tables.deferred.size === 0) {
      this.#isConverged = true;
      this.#options.onConverged?.();
    }
    const { wake } = this.#speaker;
    if (wake === this.#wake?.at) return;
    this.#wake?.timer[Symbol.dispose]();
    this.#wake = wake === undefined ? undefined : { at: wake, timer: this.#wakeAt(wake) };
  }

  #wakeAt(at: number): Disposable {
    return this.#options.clock.setTimeout(at - this.#now(), () => {
      // A timer may fire within the millisecond before it is due: then another one is needed.
      this.#wake = undefined;
      this.#flushSoon();
    });
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
        this.#endSession(action.peer, action.reason);
        return;
      case 'send':
        if (this.#sessions.get(action.peer)?.send(action.sends) !== true) return;
        this.#speaker.ready(action.peer);
        this.#flushSoon();
        return;
      case 'program':
        this.#options.onBest?.(action.changes);
        for (const change of action.changes) this.#tell({ type: 'best', change });
        return;
      case 'event':
        this.#tell({ type: 'table', event: action.event });
    }
  }

  #open({ neighbor }: Extract<SpeakerAction, { type: 'open' }>): RunningSession {
    const { key } = neighbor;
    const isRestarting = this.#options.isRestarting === true && !this.#isConverged;
    const session: RunningSession = new RunningSession(this.#speaker.config, neighbor, isRestarting, {
      ...this.#options,
      bfd: () => {
        this.#bfd ??= new BfdEndpoint({ ...this.#options, clock: patient(this.#options.clock) });
        return this.#bfd;
      },
      links: () => {
        this.#links ??= new LinkStates(this.#options.namespace);
        return this.#links;
      },
      onFault: (text) => this.#tell({ type: 'fault', peer: key, text }),
      ...(this.#endpoint === undefined ? {} : { endpoint: this.#endpoint }),
      onNews: (news) => {
        if (this.#sessions.get(key) !== session) return;
        this.#monitors.hearBefore(key, news);
        this.#speaker.take(key, news, this.#now());
        this.#monitors.hearAfter(key, news, session.talk);
        this.#ranges.hear(key, news);
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
        if (report.type === 'ended' && this.#sessions.get(key) === session) this.#ranges.hearEnd(key);
        if (report.type === 'fault' || report.type === 'unsent')
          this.#tell({ type: 'fault', peer: key, text: JSON.stringify(report) });
      },
    });
    return session;
  }

  #endSession(peer: string, reason: Extract<SpeakerAction, { type: 'close' }>['reason']): void {
    const session = this.#sessions.get(peer);
    if (session === undefined) return;
    if (reason === 'limit') {
      session.pause();
      return;
    }
    this.#sessions.delete(peer);
    this.#tell({ type: 'session', peer, isUp: false, reason });
    const closed = session.close(reason);
    this.#monitors.down(peer, session.talk);
    this.#closing.add(closed);
    void closed.then(() => this.#closing.delete(closed));
  }

  #tell(event: ServiceEvent): void {
    for (const { onEvent, wantsBest } of this.#watchers)
      if (wantsBest || event.type !== 'best') onEvent(event);
  }
}

function policiesOf({ neighbors }: SpeakerConfig): string {
  return JSON.stringify(neighbors.map(({ key, policy }) => [key, policy]));
}
