/** One pod of the matrix, attached by one plugin in one version and family; and what a row of the matrix says of its plugin. */
import { expect } from 'vitest';
import { type CniVersion, isAtLeast, type JsonObject } from '#core/cni/index.ts';
import { type Answer, type CniWorld, HOST, pings } from '../cni-world.ts';
import type { Coverage, Family } from './cells.ts';

type Digit = 4 | 6;
type Awaitable = void | string | Promise<void>;

/** What is particular about a plugin. */
export interface Row extends Coverage {
  /** It works on what bridge made. */
  readonly isChained?: true;
  /** It gives addresses, and makes no interface. */
  readonly isIpam?: true;
  /** Its addresses come from the subnets of the family, by host-local: a full pool makes ADD impossible. */
  readonly isPooled?: true;
  /** The agent puts back what is damaged: it has to look away for CHECK to see it. */
  readonly isKept?: true;
  /** Made once for all of a plugin and version. */
  prepare?(world: CniWorld): Promise<AsyncDisposable> | Awaitable;
  /** What the plugin finds in the pod. */
  before?(subject: Subject): void;
  /** Its keys of the configuration. */
  keys(subject: Subject): object;
  /** What it made is in the kernel, and traffic goes as it should. */
  works(subject: Subject): Awaitable;
  damage(subject: Subject): Awaitable;
  /** Nothing of it is left after DEL. */
  gone(subject: Subject): Awaitable;
  /** Nothing is left after GC, of which the pod's namespace is no business; absent if it does what DEL does. */
  collected?(subject: Subject): Awaitable;
  /** A configuration by which ADD cannot be served. */
  impossible?(subject: Subject): object;
}

const NUMBERS: Readonly<Record<Family, number>> = { IPv4: 1, IPv6: 2, 'dual stack': 3 };

/** A neighbour of the host, beyond the pods' networks. */
export const FAR = { 4: '192.168.70.9', 6: 'fd70::9' } as const;
export { HOST };

export class Subject {
  readonly world: CniWorld;
  readonly plugin: string;
  readonly row: Row;
  readonly version: CniVersion;
  readonly family: Family;
  /** 'a' is the first of its network, 'b' the second. */
  readonly letter: 'a' | 'b';
  /** What the plugins before it gave. */
  previous: JsonObject | undefined;
  result: JsonObject = {};

  constructor(from: Pick<Subject, 'world' | 'plugin' | 'row' | 'version' | 'family' | 'letter'>) {
    this.world = from.world;
    this.plugin = from.plugin;
    this.row = from.row;
    this.version = from.version;
    this.family = from.family;
    this.letter = from.letter;
    this.world.pod(this.pod);
  }

  /** A pod of the same network that is not attached yet. */
  anew(letter: 'a' | 'b'): Subject {
    const { world, plugin, row, version, family } = this;
    return new Subject({ world, plugin, row, version, family, letter });
  }

  get pod(): string {
    return `${this.letter}${NUMBERS[this.family]}`;
  }

  get netns(): string {
    return this.world.pod(this.pod);
  }

  get ifName(): string {
    return this.plugin === 'loopback' ? 'lo' : 'eth0';
  }

  get network(): string {
    return `net-${NUMBERS[this.family]}`;
  }

  /** The IP versions of the family. */
  get digits(): readonly Digit[] {
    return this.family === 'IPv4' ? [4] : this.family === 'IPv6' ? [6] : [4, 6];
  }

  subnet(digit: Digit): string {
    const number = NUMBERS[this.family];
    return digit === 4 ? `10.6${number}.0.0/24` : `fd6${number}::/64`;
  }

  /** The first address of the subnet. */
  gateway(digit: Digit): string {
    return this.subnet(digit).replace(digit === 4 ? '0/24' : '/64', '1');
  }

  /** The `ipam` section: `only` narrows each range to one address. */
  hostLocal(only?: readonly string[]): object {
    const ranges = this.digits.map((digit) => {
      const one = only?.find((address) => address.includes(':') === (digit === 6));
      return [{ subnet: this.subnet(digit), ...(one && { rangeStart: one, rangeEnd: one }) }];
    });
    return { type: 'host-local', ranges, routes: this.defaultRoutes() };
  }

  defaultRoutes(): object[] {
    return this.digits.map((digit) => ({ dst: digit === 4 ? '0.0.0.0/0' : '::/0' }));
  }

  request(more: object = {}): object {
    return {
      cniVersion: this.version,
      name: this.network,
      type: this.plugin,
      ...this.row.keys(this),
      ...(this.previous && { prevResult: this.previous }),
      ...more,
    };
  }

  call(command: string, config: object = this.request()): Promise<Answer> {
    return this.world.call(this.plugin, command, this.pod, config);
  }

  /** The pod's part of the bridge that a chained plugin stands on. */
  base(): object {
    return {
      cniVersion: this.version,
      name: this.network,
      type: 'bridge',
      bridge: `br-${NUMBERS[this.family]}`,
      isGateway: true,
      ipam: this.hostLocal(),
    };
  }

  sh(commandLine: string): string {
    return this.world.sh(commandLine);
  }

  inPod(commandLine: string): string {
    return this.world.inPod(this.pod, commandLine);
  }

  /** Addresses of the result with their prefix lengths, whatever its version. */
  get prefixes(): string[] {
    if (isAtLeast(this.version, '0.3.0'))
      return ((this.result['ips'] ?? []) as { address: string }[]).map(({ address }) => address);
    return [this.result['ip4'], this.result['ip6']].flatMap((ip) =>
      ip === undefined ? [] : [(ip as { ip: string }).ip],
    );
  }

  get addresses(): string[] {
    return this.prefixes.map((prefix) => prefix.split('/')[0] as string);
  }

  address(digit: Digit): string {
    const found = this.addresses.find((address) => address.includes(':') === (digit === 6));
    if (found === undefined) throw new Error(`no IPv${digit} address in ${JSON.stringify(this.result)}`);
    return found;
  }

  reaches(address: string): boolean {
    return pings(this.netns, address);
  }

  /** As reaches: a port of a bridge that was just made may wait for a second before it forwards. */
  async reachesSoon(address: string): Promise<void> {
    await expect.poll(() => this.reaches(address), { timeout: 8000, message: address }).toBe(true);
  }

  /** The host's end of the pod's veth, as the pod's end names it. */
  hostLink(): string {
    const index = /eth0@if(\d+)/.exec(this.inPod('ip -o link show eth0'))?.[1];
    const link = new RegExp(`^${index}: ([^@:]+)`, 'm').exec(this.sh('ip -o link'))?.[1];
    if (link === undefined) throw new Error('the pod has no veth');
    return link;
  }

  /** True if a part of the attachment is recorded on disk: all of it, or what a chained plugin did. */
  isRecorded(): boolean {
    const part = `${this.network}/container-${this.pod}/${this.ifName}`;
    const own = this.row.isChained === true ? `${part}+${this.plugin}` : part;
    return this.world.recorded().some((name) => name.endsWith(own));
  }

  /** True if an address of the result is reserved. */
  isReserved(): boolean {
    const reserved = this.world.reserved(this.network);
    return this.addresses.some((address) => reserved.includes(address));
  }
}
