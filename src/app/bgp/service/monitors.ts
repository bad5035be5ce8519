/** The stations that are told of our sessions and their routes, and what they are told when (RFC 7854). */
import { hostname } from 'node:os';
import type { Clock, Random } from '#base/clock.ts';
import type { SessionNews } from '#core/bgp/index.ts';
import {
  type BmpEnd,
  type MonitoredSession,
  type MonitoredSide,
  peerDown,
  peerUp,
  statistics,
  toldNews,
  toldSwept,
  toldTable,
} from '#core/bgp/monitor/index.ts';
import type { Rib } from '#core/bgp/rib/index.ts';
import type { Talk } from '#io/bgp/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import packageJson from '../../../../package.json' with { type: 'json' };
import { Station, type StationConfig } from './station.ts';

export interface MonitorsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace?: Namespace;
  readonly rib: Rib;
  /** UPDATEs of a peer that were taken for withdrawals. */
  readonly treatedAsWithdraw: (key: string) => number;
  readonly onReport: (station: string, text: string) => void;
}

export class Monitors implements AsyncDisposable {
  readonly #options: MonitorsOptions;
  readonly #system = { name: hostname(), description: `poplin ${packageJson.version}` };
  readonly #stations = new Map<string, Station>();
  readonly #closing = new Set<Promise<void>>();
  readonly #sessions = new Map<string, MonitoredSession>();

  constructor(options: MonitorsOptions) {
    this.#options = options;
  }

  /** Takes other stations; those that stay are not disturbed. */
  configure(stations: readonly StationConfig[]): void {
    const wanted = new Map(stations.map((station) => [JSON.stringify(station), station]));
    for (const [key, station] of this.#stations) if (!wanted.has(key)) this.#end(key, station);
    for (const [key, station] of wanted)
      if (!this.#stations.has(key)) this.#stations.set(key, this.#open(station));
  }

  /** Filters were asked again, or are others. */
  restate(): void {
    for (const station of this.#stations.values()) station.restate();
  }

  /** Before the tables take it. */
  hearBefore(key: string, news: SessionNews): void {
    const isEnd = news.type === 'end-of-rib' || (news.type === 'refresh' && news.subtype === 'end');
    if (isEnd)
      this.#tell(key, (session, side, now) => toldSwept(this.#options.rib, session, news.family, side, now));
  }

  /** After it. `talk` is that of the connection the session is on, or was. */
  hearAfter(key: string, news: SessionNews, talk: Talk | undefined): void {
    if (news.type === 'established') this.#up(key, news, talk);
    else if (news.type === 'down') this.down(key, talk);
    else this.#tell(key, (session, side, now) => toldNews(this.#options.rib, session, news, side, now));
  }

  /** A session is no more. Harmless if repeated. */
  down(key: string, talk: Talk | undefined): void {
    const session = this.#sessions.get(key);
    if (session === undefined) return;
    this.#sessions.delete(key);
    this.#tellAll(() => [peerDown(session, endOf(talk), this.#options.clock.now())]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [key, station] of this.#stations) this.#end(key, station);
    await Promise.all(this.#closing);
  }

  #up(key: string, { agreed }: Extract<SessionNews, { type: 'established' }>, talk: Talk | undefined): void {
    const { sentOpen, receivedOpen } = talk ?? {};
    if (talk === undefined || sentOpen === undefined || receivedOpen === undefined) return;
    const { localPort, remotePort } = talk;
    const upSinceMs = this.#options.clock.now();
    const session = { key, agreed, upSinceMs, localPort, remotePort, sentOpen, receivedOpen };
    this.#sessions.set(key, session);
    this.#tellAll(() => [peerUp(session)]);
  }

  #tell(
    key: string,
    messages: (session: MonitoredSession, side: MonitoredSide, nowMs: number) => Iterable<Uint8Array>,
  ): void {
    if (this.#stations.size === 0) return;
    const session = this.#sessions.get(key);
    if (session === undefined) return;
    this.#tellAll(function* (sides, now) {
      for (const side of sides) yield* messages(session, side, now);
    });
  }

  #tellAll(messages: (sides: readonly MonitoredSide[], nowMs: number) => Iterable<Uint8Array>): void {
    for (const station of this.#stations.values())
      station.tell(messages(station.sides, this.#options.clock.now()));
  }

  #open(config: StationConfig): Station {
    const { clock, rib, treatedAsWithdraw } = this.#options;
    const sessions = this.#sessions;
    return new Station(config, {
      ...this.#options,
      system: this.#system,
      sessionsUp: () => [...sessions.values()].map(peerUp),
      table: (side, isRestated) => toldTable(rib, sessions, side, clock.now(), isRestated),
      statistics: () =>
        [...sessions.values()].map((session) => {
          const { 4: ipv4, 6: ipv6 } = rib.tables.peer(session.key).families;
          const numbers = {
            learned: ipv4.routes + ipv6.routes,
            told: ipv4.out.count + ipv6.out.count,
            treatedAsWithdraw: treatedAsWithdraw(session.key),
          };
          return statistics(session, numbers, clock.now());
        }),
      onReport: (text) => this.#options.onReport(`${config.address} port ${config.port}`, text),
    });
  }

  #end(key: string, station: Station): void {
    this.#stations.delete(key);
    const ended = station[Symbol.asyncDispose]();
    this.#closing.add(ended);
    void ended.then(() => this.#closing.delete(ended));
  }
}

/** Section 4.9: who ended it, and in which words. */
function endOf(talk: Talk | undefined): BmpEnd {
  const { sentNotification, receivedNotification } = talk ?? {};
  if (receivedNotification !== undefined) return { by: 'peer', notification: receivedNotification };
  if (sentNotification !== undefined) return { by: 'us', notification: sentNotification };
  return { by: 'network' };
}
