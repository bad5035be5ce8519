/**
 * What a set of nf_tables objects does with a packet, for as much of nf_tables as policy uses: a judge beside the kernel, for thousands of
 * packets a second and for tables that are on their way from one state to another.
 */
import { formatIp } from '#base/ip/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import {
  DATA_TYPES,
  formatHex,
  type NftChain,
  type NftElement,
  type NftExpression,
  type NftFamily,
  type NftHookName,
  type NftSet,
  type NftValue,
  type NftVerdict,
  paddedBytes,
  parseHex,
  valueBytes,
} from '#core/nft/index.ts';

/** A packet on its way, as an IP packet without a frame around it. Rules may mark it, and take it out of tracking. */
export interface Passing {
  readonly bytes: Uint8Array;
  iifname?: string;
  iif?: number;
  oifname?: string;
  /** Absent: it opens a connection. */
  state?: 'established' | 'related' | 'new' | 'untracked';
  /** Of the packet. */
  mark?: number;
  /** Addresses of the host. */
  readonly own?: readonly string[];
}

interface LoadedSet {
  readonly set: NftSet;
  readonly exact: Map<string, NftElement>;
  readonly ranges: { readonly from: string; readonly to: string; readonly element: NftElement }[];
}

type Outcome = 'accept' | 'drop' | 'return' | 'continue';
const HEADER_BYTES = { 4: 20, 6: 40 } as const;

export class Interpreter {
  readonly #family: NftFamily;
  readonly #chains = new Map<string, NftChain>();
  readonly #sets = new Map<string, LoadedSet>();
  /** Prefixes of what was logged, in order. */
  readonly logged: string[] = [];

  constructor(objects: Iterable<KernelObject>, family: NftFamily = 'inet') {
    this.#family = family;
    const elements: NftElement[] = [];
    for (const object of objects) {
      if (!('family' in object) || object.family !== family) continue;
      if (object.kind === 'nft-chain') this.#chains.set(object.name, object);
      else if (object.kind === 'nft-set')
        this.#sets.set(object.name, { set: object, exact: new Map(), ranges: [] });
      else if (object.kind === 'nft-element') elements.push(object);
    }
    for (const element of elements) this.#load(element);
  }

  /** Whether the packet gets past all base chains of a hook. */
  passes(hook: NftHookName, packet: Passing): boolean {
    return this.passesFrom(hook, packet, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
  }

  /** The same, of those base chains whose priority lies between; both included. */
  passesFrom(hook: NftHookName, packet: Passing, from: number, to: number): boolean {
    const base = [...this.#chains.values()].filter(
      (chain) => chain.hook?.hook === hook && chain.hook.priority >= from && chain.hook.priority <= to,
    );
    base.sort((a, b) => (a.hook?.priority ?? 0) - (b.hook?.priority ?? 0));
    return base.every((chain) => {
      const outcome = this.#walk(chain.name, packet);
      return outcome === 'accept' || (outcome !== 'drop' && chain.hook?.policy !== 'drop');
    });
  }

  #walk(name: string, packet: Passing): Outcome {
    const chain = this.#chains.get(name);
    if (chain === undefined) throw new Error(`there is no chain ${name}`);
    for (const { expressions } of chain.rules) {
      const verdict = new RuleRun(this.#family, packet, this.#sets, this.logged).run(expressions);
      if (verdict === undefined || verdict.verdict === 'continue' || verdict.verdict === 'break') continue;
      if (verdict.verdict !== 'jump' && verdict.verdict !== 'goto') return verdict.verdict;
      const outcome = this.#walk(verdict.chain, packet);
      if (outcome === 'accept' || outcome === 'drop') return outcome;
      if (verdict.verdict === 'goto') return 'return'; // at a base chain its policy follows
    }
    return 'continue';
  }

  #load(element: NftElement): void {
    const loaded = this.#sets.get(element.set);
    if (loaded === undefined) throw new Error(`there is no set ${element.set}`);
    const from = keyText(loaded.set, element.key);
    if (loaded.set.interval !== true) return void loaded.exact.set(from, element);
    const to = keyText(loaded.set, element.keyEnd ?? element.key);
    for (const other of loaded.ranges)
      if (other.from <= to && from <= other.to)
        throw new Error(
          `elements of ${element.set} overlap: ${element.key.join()} and ${other.element.key.join()}`,
        );
    loaded.ranges.push({ from, to, element });
  }
}

class RuleRun {
  readonly #family: NftFamily;
  readonly #packet: Passing;
  readonly #sets: ReadonlyMap<string, LoadedSet>;
  readonly #logged: string[];
  /** Registers of four bytes, 8 up to 23. */
  readonly #registers = new Uint8Array(24 * 4);
  #verdict: NftVerdict | undefined;

  constructor(family: NftFamily, packet: Passing, sets: ReadonlyMap<string, LoadedSet>, logged: string[]) {
    this.#family = family;
    this.#packet = packet;
    this.#sets = sets;
    this.#logged = logged;
  }

  run(expressions: readonly NftExpression[]): NftVerdict | undefined {
    for (const each of expressions) if (!this.#step(each)) return undefined;
    return this.#verdict;
  }

  /** False if the rule ends here. */
  #step(e: NftExpression): boolean {
    switch (e.op) {
      case 'payload': {
        const bytes = this.#payload(e.base, e.offset, e.length);
        if (bytes !== undefined) this.#store(e.register, bytes);
        return bytes !== undefined;
      }
      case 'meta':
        return this.#storeAll(e.register, this.#meta(e.key));
      case 'ct':
        return this.#storeAll(e.register, this.#ct(e.key));
      case 'cmp': {
        const wanted = parseHex(e.value);
        const have = formatHex(this.#read(e.register, wanted.length));
        const sign = have === e.value ? 0 : have < e.value ? -1 : 1;
        return {
          eq: sign === 0,
          neq: sign !== 0,
          lt: sign < 0,
          lte: sign <= 0,
          gt: sign > 0,
          gte: sign >= 0,
        }[e.relation];
      }
      case 'range': {
        const have = formatHex(this.#read(e.register, parseHex(e.from).length));
        return (e.from <= have && have <= e.to) !== (e.inverted === true);
      }
      case 'bitwise': {
        const mask = parseHex(e.mask);
        const xor = parseHex(e.xor);
        const value = this.#read(e.source, mask.length);
        this.#store(
          e.register,
          value.map((byte, at) => (byte & (mask[at] ?? 0)) ^ (xor[at] ?? 0)),
        );
        return true;
      }
      case 'lookup':
        return this.#lookup(e);
      case 'verdict':
        this.#verdict = e.verdict;
        return true;
      case 'log':
        this.#logged.push(e.prefix ?? '');
        return true;
      case 'notrack':
        this.#packet.state = 'untracked';
        return true;
      case 'immediate':
        return this.#storeAll(e.register, parseHex(e.value));
      case 'meta-set':
        if (e.key !== 'mark') throw new Error(`no meaning for setting ${e.key}`);
        this.#packet.mark = new DataView(this.#read(e.register, 4).buffer).getUint32(0, true);
        return true;
      case 'fib':
        return this.#storeAll(e.register, this.#addressKind(e.input[0] ?? ''));
      default:
        throw new Error(`no meaning for ${e.op}`);
    }
  }

  #lookup(e: Extract<NftExpression, { op: 'lookup' }>): boolean {
    const loaded = this.#sets.get(e.set);
    if (loaded === undefined) throw new Error(`there is no set ${e.set}`);
    const length =
      loaded.set.keyType.length === 1
        ? DATA_TYPES[loaded.set.keyType[0] as keyof typeof DATA_TYPES].bytes
        : loaded.set.keyType.reduce((total, type) => total + paddedBytes(type), 0);
    const key = formatHex(this.#read(e.register, length));
    const found =
      loaded.exact.get(key) ?? loaded.ranges.find(({ from, to }) => from <= key && key <= to)?.element;
    if (e.result === 'verdict') {
      if (found?.data !== undefined && 'verdict' in found.data) this.#verdict = found.data;
      return found !== undefined;
    }
    return (found !== undefined) !== (e.inverted === true);
  }

  get #ipFamily(): 4 | 6 {
    return (this.#packet.bytes[0] ?? 0) >> 4 === 4 ? 4 : 6;
  }

  get #protocol(): number {
    return this.#packet.bytes[this.#ipFamily === 4 ? 9 : 6] ?? 0;
  }

  #payload(base: string, offset: number, length: number): Uint8Array | undefined {
    const start = (base === 'transport' ? HEADER_BYTES[this.#ipFamily] : 0) + offset;
    const bytes = this.#packet.bytes.subarray(start, start + length);
    return bytes.length === length ? bytes : undefined;
  }

  #meta(key: string): Uint8Array {
    const { iifname = '', oifname = '' } = this.#packet;
    switch (key) {
      case 'nfproto':
        return valueBytes('nf_proto', this.#ipFamily === 4 ? 'ipv4' : 'ipv6');
      case 'protocol':
        return valueBytes('ether_type', this.#ipFamily === 4 ? 'ip' : 'ip6');
      case 'l4proto':
        return Uint8Array.of(this.#protocol);
      case 'iif':
        return valueBytes('iface_index', this.#packet.iif ?? 0);
      case 'iifname':
        return valueBytes('ifname', iifname);
      case 'oifname':
        return valueBytes('ifname', oifname);
      case 'mark':
        return valueBytes('mark', this.#packet.mark ?? 0);
      default:
        throw new Error(`no meaning for meta ${key} in ${this.#family}`);
    }
  }

  #addressKind(input: string): Uint8Array {
    const [from, length] = this.#ipFamily === 4 ? [12, 4] : [8, 16];
    const at = from + (input === 'daddr' ? length : 0);
    const address = formatIp(this.#packet.bytes.subarray(at, at + length));
    return valueBytes('fib_addrtype', this.#packet.own?.includes(address) === true ? 'local' : 'unicast');
  }

  #ct(key: string): Uint8Array {
    if (key === 'state') return valueBytes('ct_state', this.#packet.state ?? 'new');
    if (key === 'mark') return valueBytes('mark', 0);
    throw new Error(`no meaning for ct ${key}`);
  }

  #storeAll(register: number, bytes: Uint8Array): true {
    this.#store(register, bytes);
    return true;
  }

  #store(register: number, bytes: Uint8Array): void {
    this.#registers.fill(0, register * 4, register * 4 + ((bytes.length + 3) & ~3));
    this.#registers.set(bytes, register * 4);
  }

  #read(register: number, length: number): Uint8Array {
    return this.#registers.slice(register * 4, register * 4 + length);
  }
}

function keyText({ keyType, interval }: NftSet, values: readonly NftValue[]): string {
  const isOne = keyType.length === 1;
  const parts = keyType.map((type, at) => {
    const bytes = valueBytes(type, values[at] as NftValue, interval === true);
    const padded = new Uint8Array(isOne ? bytes.length : paddedBytes(type));
    padded.set(bytes);
    return formatHex(padded).slice(2);
  });
  return `0x${parts.join('')}`;
}
