/** One neighbour's session on real sockets, with BFD beside it where that is wanted. It can be dropped without a word, as a restart has it. */
import { readFileSync } from 'node:fs';
import type { Clock, Random } from '#base/clock.ts';
import type { IpAddress } from '#base/ip/index.ts';
import type { BfdPhase } from '#core/bgp/bfd/index.ts';
import type { SessionNews, SessionSend } from '#core/bgp/index.ts';
import type { Phase } from '#core/bgp/session/index.ts';
import { type NeighborConfig, type SpeakerConfig, sessionConfig } from '#core/bgp/speaker/index.ts';
import { CEASE, ceaseOf } from '#core/bgp/wire/index.ts';
import {
  type BfdEndpoint,
  type BgpEndpoint,
  dial,
  MessageCounts,
  type SessionReport,
  SessionRunner,
  type Talk,
  type TcpStream,
} from '#io/bgp/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { doorOf } from './door.ts';
import { LinkWatch } from './link-watch.ts';

export interface SessionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace?: Namespace;
  /** Absent: nobody can connect to us. */
  readonly endpoint?: BgpEndpoint;
  /** Of the namespace, made when it is first asked for. */
  readonly bfd: () => BfdEndpoint;
  /** Whether a neighbour is reached without a router; absent: as its configuration has it. */
  readonly isAdjacent?: (address: IpAddress) => boolean;
  readonly onNews: (news: SessionNews) => void;
  readonly onReady: () => void;
  readonly onReport: (report: SessionReport) => void;
}

const DEFAULT_PORT = 179;
/** How long a session that ended over its limit of routes is left alone. */
const LIMIT_PAUSE_MS = 300_000;

export class RunningSession {
  readonly #ports: SessionPorts;
  readonly #link: LinkWatch;
  readonly #streams = new Set<TcpStream>();
  #config: SpeakerConfig;
  #neighbor: NeighborConfig;
  #runner: SessionRunner;
  #door: Disposable | undefined;
  #pause: Disposable | undefined;
  /** The process before this one left its routes in place; told to the peer once. */
  #isRestarting: boolean;
  /** The configuration has changed since the runner was made. */
  #isOutdated = false;
  #isClosed = false;
  lastReason: string | undefined;
  /** How often the session has been lost. */
  flaps = 0;
  readonly messages = new MessageCounts();
  /** UPDATEs that were taken for withdrawals (RFC 7606). */
  treatedAsWithdraw = 0;

  constructor(config: SpeakerConfig, neighbor: NeighborConfig, isRestarting: boolean, ports: SessionPorts) {
    this.#config = config;
    this.#neighbor = neighbor;
    this.#isRestarting = isRestarting;
    this.#ports = ports;
    this.#link = new LinkWatch(ports.bfd, (reason, notification) => {
      // Nothing of what the peer said is of use, stale routes neither.
      if (this.phase === 'established') this.#runner.reset(notification);
      else ports.onNews({ type: 'down', keepsRoutes: false, reason });
      this.lastReason = reason;
    });
    this.#runner = this.#run();
  }

  get phase(): Phase {
    return this.#runner.state.phase;
  }

  /** Of the connection on which the session was established last. */
  get talk(): Talk | undefined {
    return this.#runner.talk;
  }

  /** Whether the way to the peer is known to be there; undefined where it is not watched. */
  get bfdPhase(): BfdPhase | undefined {
    return this.#link.phase;
  }

  /** A connection that the peer has made, before there was a door for it. */
  accept(stream: TcpStream): void {
    process.nextTick(() => {
      if (this.#isClosed) stream.destroy();
      else this.#runner.accept(this.#keep(stream));
    });
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
    this.#link[Symbol.dispose]();
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
    const { clock, random, namespace, endpoint, onReady, onReport } = this.#ports;
    const { session } = this.#neighbor;
    const { peerAddress: remote, port = DEFAULT_PORT, localAddress: local } = session;
    const common = doorOf(this.#config, session);
    const runner = new SessionRunner({
      config: sessionConfig(this.#config, this.#neighbor, this.#isRestarting),
      clock,
      random,
      dial: (handlers) =>
        dial(
          {
            clock,
            remote,
            port,
            ...(namespace === undefined ? {} : { namespace }),
            ...(local === undefined ? {} : { local }),
            ...(session.interface === undefined ? {} : { linkIndex: linkIndexOf(session.interface) }),
            ...common,
          },
          { ...handlers, onStream: (stream) => handlers.onStream(this.#keep(stream)) },
        ),
      onNews: (news) => this.#hear(runner, news),
      onDrain: onReady,
      onMessage: (direction, bytes) => this.messages.count(direction, bytes),
      onReport: (report) => {
        if (report.type === 'ended') this.lastReason = report.reason;
        if (report.type === 'fault' && report.fault.treatment === 'treat-as-withdraw')
          this.treatedAsWithdraw++;
        onReport(report);
      },
    });
    this.#door = endpoint?.add({
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
    if (news.type === 'established') this.#watchLink(news.agreed.localAddress);
    this.#ports.onNews(news);
    if (news.type !== 'down') return;
    this.flaps++;
    this.#isOutdated ||= this.#isRestarting;
    this.#isRestarting = false;
    if (this.#isOutdated) this.#ports.clock.setTimeout(0, () => this.#renew());
  }

  #watchLink(local: IpAddress): void {
    const { bfd, peerAddress: remote, interface: link, multihopTtl } = this.#neighbor.session;
    const { isAdjacent = () => multihopTtl === undefined } = this.#ports;
    this.#link.watch(
      bfd && {
        local,
        remote,
        hops: isAdjacent(remote) ? 'single' : 'multi',
        ...(link === undefined ? {} : { linkIndex: linkIndexOf(link) }),
        minTxMs: bfd.transmitMs,
        minRxMs: bfd.receiveMs,
        multiplier: bfd.multiplier,
      },
    );
  }
}

const CLOSING = {
  removed: CEASE.deconfigured,
  shutdown: CEASE.shutdown,
  changed: CEASE.configurationChange,
} as const;

function linkIndexOf(name: string): number {
  return Number(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'));
}
