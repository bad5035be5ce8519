/** One neighbour's session on real sockets, as its configuration has it. */
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
  type BfdHandle,
  type BgpEndpoint,
  dial,
  gtsmHops,
  type HopLimits,
  type SessionReport,
  SessionRunner,
} from '#io/bgp/index.ts';
import type { Namespace } from '#io/namespace/index.ts';

export interface SessionPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace?: Namespace;
  /** Absent: nobody can connect to us. */
  readonly endpoint?: BgpEndpoint;
  /** Of the namespace, made when it is first asked for. */
  readonly bfd: () => BfdEndpoint;
  readonly onNews: (news: SessionNews) => void;
  readonly onReady: () => void;
  readonly onReport: (report: SessionReport) => void;
}

const DEFAULT_PORT = 179;
/** How long a session that ended over its limit of routes is left alone. */
const LIMIT_PAUSE_MS = 300_000;

export class RunningSession {
  readonly #ports: SessionPorts;
  #config: SpeakerConfig;
  #neighbor: NeighborConfig;
  #runner: SessionRunner;
  #door: Disposable | undefined;
  #pause: Disposable | undefined;
  #bfd: BfdHandle | undefined;
  /** The configuration has changed since the runner was made. */
  #isOutdated = false;
  #isClosed = false;
  lastReason: string | undefined;

  constructor(config: SpeakerConfig, neighbor: NeighborConfig, ports: SessionPorts) {
    this.#config = config;
    this.#neighbor = neighbor;
    this.#ports = ports;
    this.#runner = this.#run();
  }

  get phase(): Phase {
    return this.#runner.state.phase;
  }

  /** Whether the way to the peer is known to be there; undefined where it is not watched. */
  get bfdPhase(): BfdPhase | undefined {
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

  /** For good; resolves when the last word is out. */
  async close(reason: 'removed' | 'shutdown' | 'changed'): Promise<void> {
    this.#isClosed = true;
    this.#unwatch();
    this.#pause?.[Symbol.dispose]();
    this.#door?.[Symbol.dispose]();
    await this.#runner.close(ceaseOf(CLOSING[reason]));
  }

  #renew(): void {
    if (this.#isClosed) return;
    this.#isOutdated = false;
    this.#pause?.[Symbol.dispose]();
    this.#door?.[Symbol.dispose]();
    this.#runner.stop(ceaseOf(CEASE.configurationChange));
    this.#runner = this.#run();
  }

  /** The way to the peer is watched for as long as the session is up (RFC 5882 section 4). */
  #watch(local: IpAddress): void {
    const { bfd, peerAddress: remote, interface: link, multihopTtl } = this.#neighbor.session;
    this.#unwatch();
    if (bfd === undefined) return;
    let wasUp = false;
    this.#bfd = this.#ports.bfd().add({
      local,
      remote,
      hops: multihopTtl === undefined ? 'single' : 'multi',
      ...(link === undefined ? {} : { linkIndex: linkIndexOf(link) }),
      minTxMs: bfd.transmitMs,
      minRxMs: bfd.receiveMs,
      multiplier: bfd.multiplier,
      onPhase: (phase) => {
        // RFC 5882 section 3.2: a peer that does not speak it, or stops to on purpose, is no failure.
        const isOnPurpose = this.#bfd?.state.remotePhase === 'admin-down';
        if (phase === 'down' && wasUp && !isOnPurpose) this.#runner.reset(ceaseOf(CEASE.bfdDown));
        wasUp = phase === 'up';
      },
    });
  }

  #unwatch(): void {
    this.#bfd?.[Symbol.dispose]();
    this.#bfd = undefined;
  }

  #run(): SessionRunner {
    const { clock, random, namespace, endpoint, onNews, onReady, onReport } = this.#ports;
    const { session } = this.#neighbor;
    const { peerAddress: remote, port = DEFAULT_PORT, localAddress: local, password } = session;
    const hops = hopsOf(this.#config, this.#neighbor);
    const common = {
      ...(password === undefined ? {} : { password }),
      ...(hops === undefined ? {} : { hops }),
    };
    const runner = new SessionRunner({
      config: sessionConfig(this.#config, this.#neighbor),
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
          handlers,
        ),
      onNews: (news) => {
        if (runner !== this.#runner) return;
        if (news.type === 'established') this.#watch(news.agreed.localAddress);
        if (news.type === 'down') this.#unwatch();
        onNews(news);
        if (news.type === 'down' && this.#isOutdated) clock.setTimeout(0, () => this.#renew());
      },
      onDrain: onReady,
      onReport: (report) => {
        if (report.type === 'ended') this.lastReason = report.reason;
        onReport(report);
      },
    });
    this.#door = endpoint?.add({ peer: remote, ...common, onStream: (stream) => runner.accept(stream) });
    // The runner tells news of itself only once it is ours.
    process.nextTick(() => runner === this.#runner && !this.#isClosed && runner.start());
    return runner;
  }
}

const CLOSING = {
  removed: CEASE.deconfigured,
  shutdown: CEASE.shutdown,
  changed: CEASE.configurationChange,
} as const;

/** RFC 4271 leaves it open; external neighbours are on the link unless it is said that they are not. */
function hopsOf(config: SpeakerConfig, { session }: NeighborConfig): HopLimits | undefined {
  const { ttlSecurityHops, multihopTtl, peerAsn, localAsn } = session;
  if (ttlSecurityHops !== undefined) return gtsmHops(ttlSecurityHops);
  if (multihopTtl !== undefined) return { ttl: multihopTtl };
  const isExternal = peerAsn !== undefined && peerAsn !== (localAsn ?? config.asn);
  const isMember = peerAsn !== undefined && config.confederationMembers?.includes(peerAsn) === true;
  return isExternal && !isMember ? { ttl: 1 } : undefined;
}

function linkIndexOf(name: string): number {
  return Number(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'));
}
