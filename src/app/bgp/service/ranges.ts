/**
 * Neighbours that are known when they come: whoever connects from a range is one, for as long as it has a session or its routes are kept for it
 * (RFC 4724). They are passive: who does not come is nobody.
 */
import type { Clock } from '#base/clock.ts';
import { formatScopedIp, type IpAddress, type IpPrefix, prefixContains } from '#base/ip/index.ts';
import type { SessionNews } from '#core/bgp/index.ts';
import type {
  NeighborConfig,
  NeighborPolicy,
  NeighborSession,
  SpeakerConfig,
} from '#core/bgp/speaker/index.ts';
import type { BgpEndpoint, TcpStream } from '#io/bgp/index.ts';
import { doorOf } from './door.ts';

export interface RangeConfig {
  readonly name: string;
  readonly prefix: IpPrefix;
  /** How many neighbours there may be at once. */
  readonly limit: number;
  /** With a link: whoever comes by it alone. */
  readonly session: Omit<NeighborSession, 'peerAddress'>;
  readonly policy: NeighborPolicy;
}

export interface RangesPorts {
  readonly clock: Clock;
  /** Absent: nobody can come. */
  readonly endpoint: BgpEndpoint | undefined;
  /** There is one more or less. */
  readonly onChange: () => void;
  /** A neighbour that there is now has made a connection. */
  readonly onStream: (key: string, stream: TcpStream) => void;
  /** Whether a neighbour has a connection. */
  readonly isConnected: (key: string) => boolean;
  readonly onRefused: (range: string, text: string) => void;
}

interface Known {
  readonly range: RangeConfig;
  readonly address: IpAddress;
  /** Of a link-local one. */
  readonly link: string | undefined;
  /** It is forgotten then, if it has no connection. */
  timer?: Disposable;
}

export class Ranges implements Disposable {
  readonly #ports: RangesPorts;
  #ranges: readonly RangeConfig[] = [];
  #doors: Disposable[] = [];
  readonly #known = new Map<string, Known>();

  constructor(ports: RangesPorts) {
    this.#ports = ports;
  }

  /** Those that are there, in the order in which they came. */
  get neighbors(): readonly NeighborConfig[] {
    return [...this.#known].map(([key, known]) => ({
      key,
      session: sessionOf(known),
      policy: known.range.policy,
    }));
  }

  /** Other ranges. Neighbours that are in none of the same name any more, or have a name of their own in `config`, are forgotten. */
  configure(ranges: readonly RangeConfig[], config: SpeakerConfig): void {
    const byName = new Map(ranges.map((range) => [range.name, range]));
    const named = new Set(config.neighbors.map(({ session }) => placeOf(session)));
    for (const [key, known] of this.#known) {
      const range = byName.get(known.range.name);
      const stays =
        range !== undefined &&
        prefixContains(range.prefix, known.address) &&
        (range.session.interface ?? known.link) === known.link &&
        !named.has(placeOf(sessionOf(known)));
      if (stays) this.#known.set(key, { ...known, range });
      else this.#drop(key);
    }
    this.#ranges = ranges;
    this.#open(config);
  }

  /** What a session says. */
  hear(key: string, news: SessionNews): void {
    if (news.type === 'established') this.#stay(key);
    if (news.type !== 'down') return;
    const { restart } = this.#known.get(key)?.range.session ?? {};
    const { restartTimeSec = 0, longStaleTimeSec = 0 } = (news.keepsRoutes ? restart : undefined) ?? {};
    this.#leave(key, (restartTimeSec + longStaleTimeSec) * 1000);
  }

  /** A connection has ended, or an attempt at a session. */
  hearEnd(key: string): void {
    if (this.#known.get(key)?.timer === undefined) this.#leave(key, 0);
  }

  [Symbol.dispose](): void {
    for (const door of this.#doors) door[Symbol.dispose]();
    for (const { timer } of this.#known.values()) timer?.[Symbol.dispose]();
  }

  #open(config: SpeakerConfig): void {
    const { endpoint } = this.#ports;
    for (const door of this.#doors) door[Symbol.dispose]();
    this.#doors = [];
    if (endpoint === undefined) return;
    for (const range of this.#ranges)
      this.#doors.push(
        endpoint.add({
          peer: range.prefix,
          ...(range.session.interface === undefined ? {} : { link: range.session.interface }),
          ...doorOf(config, range.session),
          onStream: (stream) => this.#receive(range, stream),
        }),
      );
  }

  #receive(range: RangeConfig, stream: TcpStream): void {
    const { remoteAddress: address, link } = stream;
    const place = formatScopedIp(address, link);
    const key = `${range.name} ${place}`;
    const known = this.#known.get(key);
    if (known === undefined) {
      const count = [...this.#known.values()].filter((each) => each.range.name === range.name).length;
      if (count >= range.limit) {
        stream.destroy();
        this.#ports.onRefused(range.name, `${place} came, and there are ${count} neighbors already`);
        return;
      }
      this.#known.set(key, { range, address, link });
      this.#ports.onChange();
    }
    this.#ports.onStream(key, stream);
  }

  #stay(key: string): void {
    const known = this.#known.get(key);
    known?.timer?.[Symbol.dispose]();
    if (known !== undefined) delete known.timer;
  }

  /** Forgets it after a while, unless it is back. */
  #leave(key: string, ms: number): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    known.timer?.[Symbol.dispose]();
    known.timer = this.#ports.clock.setTimeout(ms, () => {
      delete known.timer;
      if (this.#known.get(key) !== known || this.#ports.isConnected(key)) return;
      this.#known.delete(key);
      this.#ports.onChange();
    });
  }

  #drop(key: string): void {
    this.#known.get(key)?.timer?.[Symbol.dispose]();
    this.#known.delete(key);
  }
}

function sessionOf({ range, address, link }: Known): NeighborSession {
  return { ...range.session, peerAddress: address, ...(link === undefined ? {} : { interface: link }) };
}

/** Where a neighbour is, in a text of its own: its address, with the link if that belongs to it, or the link alone. */
export function placeOf({ peerAddress, interface: link }: NeighborSession): string {
  return peerAddress === undefined ? `%${link ?? ''}` : formatScopedIp(peerAddress, link);
}
