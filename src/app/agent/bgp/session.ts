/** One neighbour's session on real sockets, with BFD beside it where that is wanted. It can be dropped without a word, as a restart has it. */
import type { Clock, Random } from '#base/clock.ts';
import type { IpAddress } from '#base/ip/index.ts';
import type { Agreed, SessionNews, SessionSend } from '#core/bgp/index.ts';
import type { Phase } from '#core/bgp/session/index.ts';
import { type NeighborConfig, type SpeakerConfig, sessionConfig } from '#core/bgp/speaker/index.ts';
import { CEASE, ceaseOf, hardResetOf } from '#core/bgp/wire/index.ts';
import {
  type BfdEndpoint,
  type BfdHandle,
  type BgpEndpoint,
  dial,
  gtsmHops,
  type HopLimits,
  SessionRunner,
  type TcpStream,
} from '#io/bgp/index.ts';

export interface SessionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly endpoint: BgpEndpoint;
  readonly bfd: () => BfdEndpoint;
  /** Whether a neighbour is reached without a router. */
  readonly isAdjacent: (address: IpAddress) => boolean;
  readonly onNews: (news: SessionNews) => void;
  readonly onReady: () => void;
}

const DEFAULT_PORT = 179;
/** How long a session that ended over its limit of routes is left alone. */
const LIMIT_PAUSE_MS = 300_000;
/** RFC 5880 section 6.8.1: No Diagnostic. */
const NO_DIAGNOSTIC = 0;

export class AgentSession {
  readonly #ports: SessionPorts;
  #config: SpeakerConfig;
  #neighbor: NeighborConfig;
  #runner: SessionRunner;
  #door: Disposable | undefined;
  #pause: Disposable | undefined;
  #bfd: BfdHandle | undefined;
  readonly #streams = new Set<TcpStream>();
  /** The process before this one left its routes in place; told to the peer once. */
  #isRestarting: boolean;
  #isOutdated = false;
  #isClosed = false;
  lastReason: string | undefined;
  flaps = 0;

  constructor(config: SpeakerConfig, neighbor: NeighborConfig, isRestarting: boolean, ports: SessionPorts) {
    this.#config = config;
    this.#neighbor = neighbor;
    this.#isRestarting = isRestarting;
    this.#ports = ports;
    this.#runner = this.#run();
  }

  get phase(): Phase {
    return this.#runner.state.phase;
  }

  /** How the link is; undefined without BFD. */
  get bfdPhase(): string | undefined {
    return this.#bfd?.state.phase;
  }

  /** False if the next ones had better wait for onReady. */
  send(sends: readonly SessionSend[]): boolean {
    let isFree = true;
    for (const send of sends) isFree = this.#runner.send(send);
    return isFree;
  }

  /** Another configuration from the next session on. */
  settle(config: SpeakerConfig, neighbor: NeighborConfig): void {
    this.#config = config;
    this.#neighbor = neighbor;
    this.#isOutdated = true;
    if (this.phase !== 'established') this.#renew();
  }

  /** Ends it over its limit of routes; it begins anew after a while. */
  pause(): void {
    this.#runner.stop(ceaseOf(CEASE.maxPrefixes));
    this.#pause = this.#ports.clock.setTimeout(LIMIT_PAUSE_MS, () => this.#renew());
  }

  /** For good, with a word to the peer; resolves when that is out. */
  async close(reason: 'removed' | 'shutdown' | 'changed'): Promise<void> {
    this.#end();
    await this.#runner.close(ceaseOf(CLOSING[reason]));
  }

  /** RFC 4724: the connection goes without a word, and so the peer keeps our routes until we are back. */
  drop(): void {
    this.#end();
    for (const stream of this.#streams) stream[Symbol.dispose]();
    // Its timers end with it; what it says goes nowhere any more.
    this.#runner.stop();
  }

  #end(): void {
    this.#isClosed = true;
    this.#pause?.[Symbol.dispose]();
    this.#door?.[Symbol.dispose]();
    this.#bfd?.[Symbol.dispose]();
  }

  #renew(): void {
    if (this.#isClosed) return;
    this.#isOutdated = false;
    this.#pause?.[Symbol.dispose]();
    this.#door?.[Symbol.dispose]();
    this.#runner.stop(ceaseOf(CEASE.configurationChange));
    this.#runner = this.#run();
  }

  #run(): SessionRunner {
    const { clock, random, endpoint, onReady } = this.#ports;
    const {
      peerAddress: remote,
      port = DEFAULT_PORT,
      localAddress: local,
      password,
    } = this.#neighbor.session;
    const hops = hopsOf(this.#config, this.#neighbor);
    const common = {
      ...(password === undefined ? {} : { password }),
      ...(hops === undefined ? {} : { hops }),
    };
    const runner = new SessionRunner({
      config: sessionConfig(this.#config, this.#neighbor, this.#isRestarting),
      clock,
      random,
      dial: (handlers) => {
        const onStream = (stream: TcpStream): void => handlers.onStream(this.#keep(stream));
        const target = { clock, remote, port, ...(local === undefined ? {} : { local }), ...common };
        return dial(target, { ...handlers, onStream });
      },
      onNews: (news) => this.#hear(runner, news),
      onDrain: onReady,
      onReport: (report) => {
        if (report.type === 'ended') this.lastReason = report.reason;
      },
    });
    this.#door = endpoint.add({
      peer: remote,
      ...common,
      onStream: (stream) => runner.accept(this.#keep(stream)),
    });
    // The runner tells news of itself only once it is ours.
    process.nextTick(() => runner === this.#runner && !this.#isClosed && runner.start());
    return runner;
  }

  #keep(stream: TcpStream): TcpStream {
    this.#streams.add(stream);
    void stream.closed.then(() => this.#streams.delete(stream));
    return stream;
  }

  #hear(runner: SessionRunner, news: SessionNews): void {
    if (runner !== this.#runner || this.#isClosed) return;
    if (news.type === 'established') this.#watchLink(news.agreed);
    this.#ports.onNews(news);
    if (news.type !== 'down') return;
    this.flaps++;
    this.#isOutdated ||= this.#isRestarting;
    this.#isRestarting = false;
    if (this.#isOutdated) this.#ports.clock.setTimeout(0, () => this.#renew());
  }

  /** BFD begins with the first session and outlasts it: through a restart of the peer it says whether packets still get there. */
  #watchLink({ localAddress: local, peerAddress: remote }: Agreed): void {
    const { bfd } = this.#neighbor.session;
    if (bfd === undefined || this.#bfd !== undefined) return;
    let wasUp = false;
    this.#bfd = this.#ports.bfd().add({
      local,
      remote,
      hops: this.#ports.isAdjacent(remote) ? 'single' : 'multi',
      minTxMs: bfd.transmitMs,
      minRxMs: bfd.receiveMs,
      multiplier: bfd.multiplier,
      onPhase: (phase, diagnostic) => {
        if (phase === 'up') wasUp = true;
        if (phase !== 'down' || !wasUp || diagnostic === NO_DIAGNOSTIC) return;
        wasUp = false;
        // RFC 5882 section 4.2: a peer that ends BFD on purpose says nothing of the way to it.
        if (this.#bfd?.state.remotePhase !== 'admin-down') this.#loseLink();
      },
    });
  }

  /** RFC 5882 section 4.3: packets do not get there, so nothing of what the peer said is of use, stale routes neither. */
  #loseLink(): void {
    const reason = 'BFD: packets do not reach the neighbor any more';
    if (this.phase === 'established') this.#runner.reset(hardResetOf(ceaseOf(CEASE.bfdDown)));
    else this.#ports.onNews({ type: 'down', keepsRoutes: false, reason });
    this.lastReason = reason;
  }
}

const CLOSING = {
  removed: CEASE.deconfigured,
  shutdown: CEASE.shutdown,
  changed: CEASE.configurationChange,
} as const;

/** External neighbours are on the link unless it is said that they are not. */
function hopsOf(config: SpeakerConfig, { session }: NeighborConfig): HopLimits | undefined {
  const { ttlSecurityHops, multihopTtl, peerAsn, localAsn } = session;
  if (ttlSecurityHops !== undefined) return gtsmHops(ttlSecurityHops);
  if (multihopTtl !== undefined) return { ttl: multihopTtl };
  return peerAsn !== undefined && peerAsn !== (localAsn ?? config.asn) ? { ttl: 1 } : undefined;
}
