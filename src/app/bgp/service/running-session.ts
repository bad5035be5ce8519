/**
 * One neighbour's session on real sockets, with BFD beside it where that is wanted. It can be dropped without a word, as a restart has it. A
 * neighbour that is known by its link has one while the link is up and it is known who is there.
 */
import type { Clock, Random } from '#base/clock.ts';
import { type IpAddress, isLinkLocal } from '#base/ip/index.ts';
import type { BfdPhase } from '#core/bgp/bfd/index.ts';
import type { SessionNews, SessionSend } from '#core/bgp/index.ts';
import type { Phase } from '#core/bgp/session/index.ts';
import { type NeighborConfig, type SpeakerConfig, sessionConfig } from '#core/bgp/speaker/index.ts';
import { CEASE, ceaseOf, hardResetOf, type Notification } from '#core/bgp/wire/index.ts';
import {
  type BfdEndpoint,
  type BgpEndpoint,
  dial,
  type LinkStates,
  MessageCounts,
  type SessionReport,
  SessionRunner,
  type Talk,
  type TcpStream,
} from '#io/bgp/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { doorOf } from './door.ts';
import { LinkSite } from './link-site.ts';
import { LinkWatch } from './link-watch.ts';

export interface SessionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace?: Namespace;
  /** Absent: nobody can connect to us. */
  readonly endpoint?: BgpEndpoint;
  /** Of the namespace, made when it is first asked for. */
  readonly bfd: () => BfdEndpoint;
  /** Likewise. */
  readonly links: () => LinkStates;
  /** Whether a neighbour is reached without a router; absent: as its configuration has it. */
  readonly isAdjacent?: (address: IpAddress) => boolean;
  readonly onNews: (news: SessionNews) => void;
  readonly onReady: () => void;
  readonly onReport: (report: SessionReport) => void;
  /** Something of it is wrong, in words. */
  readonly onFault: (text: string) => void;
}

const DEFAULT_PORT = 179;
/** How long a session that ended over its limit of routes is left alone. */
const LIMIT_PAUSE_MS = 300_000;

export class RunningSession {
  readonly #ports: SessionPorts;
  readonly #link: LinkWatch;
  readonly #streams = new Set<TcpStream>();
  /** Absent where the neighbour's address says all. */
  readonly #site: LinkSite | undefined;
  #config: SpeakerConfig;
  #neighbor: NeighborConfig;
  /** Where the neighbour is, as far as that is known. */
  #address: IpAddress | undefined;
  /** The router that was heard last, where its advertisements are listened to. */
  #heard: IpAddress | undefined;
  /** Absent while there is nobody to speak to. */
  #runner: SessionRunner | undefined;
  #door: Disposable | undefined;
  /** Until then it is left alone. */
  #pause: Disposable | undefined;
  /** The process before this one left its routes in place; told to the peer once. */
  #isRestarting: boolean;
  /** The configuration has changed since the runner was made. */
  #isOutdated = false;
  #isClosed = false;
  /** What the peer said is in the tables, stale or not. */
  #hasRoutes = false;
  #lastReason: string | undefined;
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
      this.#forsake(reason, notification);
    });
    this.#address = neighbor.session.peerAddress;
    this.#site = this.#siteOf(neighbor);
    this.#runner = this.#run();
  }

  /** Why there is no session, or why the one before has ended. */
  get lastReason(): string | undefined {
    return this.#runner === undefined ? (this.#site?.lack ?? this.#lastReason) : this.#lastReason;
  }

  get phase(): Phase {
    return this.#runner?.state.phase ?? 'idle';
  }

  /** Of the connection on which the session was established last. */
  get talk(): Talk | undefined {
    return this.#runner?.talk;
  }

  /** Whether the way to the peer is known to be there; undefined where it is not watched. */
  get bfdPhase(): BfdPhase | undefined {
    return this.#link.phase;
  }

  /** A connection that the peer has made, before there was a door for it. */
  accept(stream: TcpStream): void {
    process.nextTick(() => {
      if (this.#isClosed || this.#runner === undefined) stream.destroy();
      else this.#runner.accept(this.#keep(stream));
    });
  }

  /** False if the next ones had better wait for onReady. */
  send(sends: readonly SessionSend[]): boolean {
    let isFree = true;
    for (const send of sends) isFree = this.#runner?.send(send) ?? true;
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
    this.#runner?.stop(ceaseOf(CEASE.maxPrefixes));
    this.#pause = this.#ports.clock.setTimeout(LIMIT_PAUSE_MS, () => this.#renew());
  }

  /** For good, with a word to the peer; resolves when that is out. */
  async close(reason: 'removed' | 'shutdown' | 'changed'): Promise<void> {
    this.#end();
    await this.#runner?.close(ceaseOf(CLOSING[reason]));
  }

  /** RFC 4724: the connection goes without a word, and so the peer keeps our routes until we are back. */
  drop(): void {
    this.#end();
    for (const stream of this.#streams) stream[Symbol.dispose]();
    // Its timers end with it; what it says goes nowhere any more.
    this.#runner?.stop();
  }

  #end(): void {
    this.#isClosed = true;
    this.#pause?.[Symbol.dispose]();
    this.#door?.[Symbol.dispose]();
    this.#site?.[Symbol.dispose]();
    this.#link[Symbol.dispose]();
  }

  #siteOf({ session }: NeighborConfig): LinkSite | undefined {
    const { interface: link, peerAddress } = session;
    const isUnnumbered = peerAddress === undefined;
    if (link === undefined || (!isUnnumbered && !isLinkLocal(peerAddress))) return undefined;
    return new LinkSite({ link, isUnnumbered, ...doorOf(this.#config, session) }, this.#ports, {
      onUp: () => this.#resume(),
      onDown: () => this.#leave(isUnnumbered),
      onPeer: (address) => {
        this.#heard = address;
        this.#meet(address);
      },
      onStream: (stream) => this.#receive(stream),
      onFault: (text) => this.#ports.onFault(text),
    });
  }

  /** The way to the peer is gone: nothing of what it said is of use, stale routes neither. */
  #forsake(reason: string, notification: Notification): void {
    if (this.phase === 'established') this.#runner?.reset(notification);
    else if (this.#hasRoutes) this.#ports.onNews({ type: 'down', keepsRoutes: false, reason });
    this.#hasRoutes = false;
    this.#lastReason = reason;
  }

  #leave(isUnnumbered: boolean): void {
    if (this.#isClosed) return;
    const reason = this.#site?.lack ?? '';
    this.#forsake(reason, hardResetOf(ceaseOf(CEASE.reset, reason)));
    this.#door?.[Symbol.dispose]();
    this.#link.watch(undefined);
    this.#runner?.stop();
    this.#runner = undefined;
    if (isUnnumbered) this.#address = this.#heard = undefined;
    this.#lastReason = reason;
  }

  #resume(): void {
    if (this.#pause === undefined) this.#renew();
  }

  /** Somebody is at the other end. A session that is up goes on: what is at its end has two addresses, or there are two. */
  #meet(address: IpAddress): void {
    if (this.#isClosed || this.phase === 'established') return;
    if (this.#address === address && this.#runner !== undefined) return;
    if (this.#address !== undefined && this.#address !== address)
      this.#forsake('the neighbor has another address', ceaseOf(CEASE.reset));
    this.#address = address;
    this.#resume();
  }

  /** A connection from an address of the link that is not known yet. */
  #receive(stream: TcpStream): void {
    const { remoteAddress } = stream;
    if (this.phase === 'established') {
      stream.destroy();
      this.#ports.onFault(
        `${remoteAddress} connects on link ${stream.link}, and ${this.#address} is the neighbor`,
      );
      return;
    }
    this.#meet(remoteAddress);
    this.accept(stream);
  }

  #renew(): void {
    if (this.#isClosed) return;
    this.#isOutdated = false;
    this.#pause?.[Symbol.dispose]();
    this.#pause = undefined;
    this.#door?.[Symbol.dispose]();
    this.#runner?.stop(ceaseOf(CEASE.configurationChange));
    this.#runner = this.#run();
  }

  #run(): SessionRunner | undefined {
    const remote = this.#address;
    if (remote === undefined || this.#site?.isUp === false) return undefined;
    const { clock, random, namespace, onReady, onReport } = this.#ports;
    const { session } = this.#neighbor;
    const { port = DEFAULT_PORT, localAddress: local, interface: link } = session;
    const common = doorOf(this.#config, session);
    const runner = new SessionRunner({
      config: sessionConfig(this.#config, this.#neighbor, remote, this.#isRestarting),
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
            ...(link === undefined ? {} : { link }),
            ...common,
          },
          { ...handlers, onStream: (stream) => handlers.onStream(this.#keep(stream)) },
        ),
      onNews: (news) => this.#hear(runner, news),
      onDrain: onReady,
      onMessage: (direction, bytes) => this.messages.count(direction, bytes),
      onReport: (report) => {
        if (report.type === 'ended') this.#lastReason = report.reason;
        if (report.type === 'fault' && report.fault.treatment === 'treat-as-withdraw')
          this.treatedAsWithdraw++;
        onReport(report);
      },
    });
    this.#door = this.#openDoor(remote, runner);
    // The runner tells news of itself only once it is ours.
    process.nextTick(() => runner === this.#runner && !this.#isClosed && runner.start());
    return runner;
  }

  #openDoor(peer: IpAddress, runner: SessionRunner): Disposable | undefined {
    const { session } = this.#neighbor;
    const { interface: link } = session;
    try {
      return this.#ports.endpoint?.add({
        peer,
        ...(link === undefined ? {} : { link }),
        ...doorOf(this.#config, session),
        onStream: (stream) => runner.accept(this.#keep(stream)),
      });
    } catch (error) {
      // Who is at the end of a link is not known when the configuration is read, and so not that it is somebody else's neighbour.
      if (this.#site === undefined || !(error instanceof RangeError)) throw error;
      this.#ports.onFault(error.message);
      return undefined;
    }
  }

  #keep(stream: TcpStream): TcpStream {
    this.#streams.add(stream);
    void stream.closed.then(() => this.#streams.delete(stream));
    return stream;
  }

  #hear(runner: SessionRunner, news: SessionNews): void {
    if (runner !== this.#runner || this.#isClosed) return;
    if (news.type === 'established') this.#watchLink(news.agreed.localAddress);
    if (news.type === 'established') this.#hasRoutes = true;
    this.#ports.onNews(news);
    if (news.type !== 'down') return;
    this.#hasRoutes = news.keepsRoutes;
    this.flaps++;
    this.#isOutdated ||= this.#isRestarting;
    this.#isRestarting = false;
    if (this.#isOutdated) this.#ports.clock.setTimeout(0, () => this.#renew());
    const heard = this.#heard;
    if (heard !== undefined && heard !== this.#address)
      this.#ports.clock.setTimeout(0, () => this.#meet(heard));
  }

  #watchLink(local: IpAddress): void {
    const { bfd, interface: link, multihopTtl } = this.#neighbor.session;
    const remote = this.#address;
    const { isAdjacent = () => multihopTtl === undefined } = this.#ports;
    const isOnLink = this.#site !== undefined || (remote !== undefined && isAdjacent(remote));
    this.#link.watch(
      bfd !== undefined && remote !== undefined
        ? {
            local,
            remote,
            hops: isOnLink ? 'single' : 'multi',
            ...(link === undefined ? {} : { link }),
            minTxMs: bfd.transmitMs,
            minRxMs: bfd.receiveMs,
            multiplier: bfd.multiplier,
          }
        : undefined,
    );
  }
}

const CLOSING = {
  removed: CEASE.deconfigured,
  shutdown: CEASE.shutdown,
  changed: CEASE.configurationChange,
} as const;
