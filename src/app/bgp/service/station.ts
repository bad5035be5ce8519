/**
 * One BMP station (RFC 7854): a connection to it, begun again whenever it is lost, and what it is told. It never makes a session wait: one that
 * reads too slowly is let go, and told everything anew.
 */
import { Backoff } from '#base/backoff.ts';
import type { Clock, Random } from '#base/clock.ts';
import type { IpAddress } from '#base/ip/index.ts';
import { encodeInitiation, encodeTermination, type MonitoredSide } from '#core/bgp/monitor/index.ts';
import { dial, type TcpStream } from '#io/bgp/index.ts';
import type { Namespace } from '#io/namespace/index.ts';

/** Where a station is, and what it wants. */
export interface StationConfig {
  readonly address: IpAddress;
  readonly port: number;
  readonly side: MonitoredSide | 'both';
  /** Between two messages of numbers; 0: none. */
  readonly statisticsSec: number;
}

export interface StationPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly namespace?: Namespace;
  readonly system: { readonly name: string; readonly description: string };
  /** All sessions that are up. */
  readonly sessionsUp: () => Iterable<Uint8Array>;
  /** All routes, at the reader's pace. `isRestated`: what is refused is withdrawn. */
  readonly table: (side: MonitoredSide, isRestated: boolean) => Iterator<Uint8Array>;
  readonly statistics: () => Iterable<Uint8Array>;
  readonly onReport: (text: string) => void;
}

/** More than this waiting, and the table had better wait as well. */
const HIGH_WATER_BYTES = 256 * 1024;
/** More than this waiting, and the station is let go. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;
/** Messages of the table written in one turn of the event loop. */
const ROUND = 256;
/** RFC 7854 section 3.2 would have 30 s to 12 minutes; a station that is there again should not wait so long. */
const BACKOFF = { initialMs: 1000, maxMs: 60_000 };
/** Failures are forgotten after a connection of this length. */
const SETTLED_MS = 30_000;

export class Station implements AsyncDisposable {
  readonly config: StationConfig;
  readonly #ports: StationPorts;
  readonly #backoff: Backoff;
  #attempt: Disposable | undefined;
  #retry: Disposable | undefined;
  #statistics: Disposable | undefined;
  #settled: Disposable | undefined;
  #stream: TcpStream | undefined;
  readonly #tables: Iterator<Uint8Array>[] = [];
  #isRoundDue = false;

  constructor(config: StationConfig, ports: StationPorts) {
    this.config = config;
    this.#ports = ports;
    this.#backoff = new Backoff(BACKOFF, ports.random);
    this.#connect();
  }

  get sides(): readonly MonitoredSide[] {
    const { side } = this.config;
    return side === 'both' ? ['pre-policy', 'post-policy'] : [side];
  }

  /** Tells what has happened just now. Without a connection it is told with the tables of the next one. */
  tell(messages: Iterable<Uint8Array>): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    for (const message of messages) stream.write(message);
    if (stream.waitingBytes <= MAX_WAITING_BYTES) return;
    stream.destroy();
    this.#lose(`it reads too slowly: ${stream.waitingBytes} bytes wait`);
  }

  /** Filters are others: tells again what they have left. */
  restate(): void {
    if (this.#stream === undefined || !this.sides.includes('post-policy')) return;
    this.#tables.push(this.#ports.table('post-policy', true));
    this.#goOn();
  }

  /** With a last word (section 4.5). */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#attempt?.[Symbol.dispose]();
    this.#retry?.[Symbol.dispose]();
    const stream = this.#stream;
    this.#forget();
    if (stream === undefined) return;
    stream.write(encodeTermination(0));
    stream.end();
    await stream.closed;
  }

  #connect(): void {
    const { clock, namespace } = this.#ports;
    const { address: remote, port } = this.config;
    this.#attempt = dial(
      { clock, remote, port, ...(namespace === undefined ? {} : { namespace }) },
      { onStream: (stream) => this.#begin(stream), onFailure: (reason) => this.#lose(reason) },
    );
  }

  #begin(stream: TcpStream): void {
    const { clock, system, sessionsUp, table } = this.#ports;
    this.#stream = stream;
    // Section 3.2: a station says nothing.
    stream.start({
      onBytes: () => undefined,
      onEnd: (reason) => this.#lose(reason),
      onDrain: () => this.#goOn(),
    });
    this.#settled = clock.setTimeout(SETTLED_MS, () => this.#backoff.reset());
    stream.write(encodeInitiation(system));
    for (const message of sessionsUp()) stream.write(message);
    for (const side of this.sides) this.#tables.push(table(side, false));
    this.#statisticsLater();
    this.#ports.onReport('is told what is monitored');
    this.#goOn();
  }

  /** As much of the tables as the station takes. */
  #goOn(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    for (let left = ROUND; left > 0; left--) {
      const [table] = this.#tables;
      if (table === undefined || stream.waitingBytes >= HIGH_WATER_BYTES) return;
      const next = table.next();
      if (next.done === true) this.#tables.shift();
      else stream.write(next.value);
    }
    if (this.#isRoundDue) return;
    this.#isRoundDue = true;
    setImmediate(() => {
      this.#isRoundDue = false;
      this.#goOn();
    });
  }

  #statisticsLater(): void {
    const { statisticsSec } = this.config;
    if (statisticsSec === 0) return;
    this.#statistics = this.#ports.clock.setTimeout(statisticsSec * 1000, () => {
      this.tell(this.#ports.statistics());
      if (this.#stream !== undefined) this.#statisticsLater();
    });
  }

  #lose(reason: string): void {
    this.#forget();
    this.#ports.onReport(reason);
    this.#retry = this.#ports.clock.setTimeout(this.#backoff.next(), () => this.#connect());
  }

  #forget(): void {
    this.#stream = undefined;
    this.#tables.length = 0;
    this.#statistics?.[Symbol.dispose]();
    this.#settled?.[Symbol.dispose]();
  }
}
