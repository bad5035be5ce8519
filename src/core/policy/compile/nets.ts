/**
 * Nets of one family of which some may lie in others. The kernel refuses ranges that overlap; since nets overlap only by lying in each
 * other, those that lie in no other are all that it needs.
 */
import {
  familyBits,
  familyOf,
  type IpPrefix,
  networkOf,
  prefixContains,
  prefixParts,
} from '#base/ip/index.ts';

/** Those that lie in no other, and no longer do. */
export interface NetChange {
  readonly added: readonly IpPrefix[];
  readonly removed: readonly IpPrefix[];
}

const NOTHING: NetChange = { added: [], removed: [] };

export class Nets {
  readonly #all = new Set<IpPrefix>();
  /** Of those that are more than one address: how many there are of a length. */
  readonly #lengths = new Map<number, number>();

  /** Some of them are more than one address. */
  get hasRanges(): boolean {
    return this.#lengths.size > 0;
  }

  /** An address costs a look for each length of nets there is; a net, which is rare, a look at all. */
  add(net: IpPrefix): NetChange {
    if (this.#all.has(net)) return NOTHING;
    const isInside = this.#isInside(net);
    const inner = isInside ? [] : this.#outermostIn(net);
    this.#all.add(net);
    this.#count(net, 1);
    return isInside ? NOTHING : { added: [net], removed: inner };
  }

  remove(net: IpPrefix): NetChange {
    if (!this.#all.delete(net)) return NOTHING;
    this.#count(net, -1);
    if (this.#isInside(net)) return NOTHING;
    return { added: this.#outermostIn(net), removed: [net] };
  }

  /** Those that lie in no other. */
  *outermost(): Iterable<IpPrefix> {
    for (const net of this.#all) if (!this.#isInside(net)) yield net;
  }

  #outermostIn(outer: IpPrefix): IpPrefix[] {
    if (isHost(outer)) return [];
    return [...this.#all].filter((net) => prefixContains(outer, net) && !this.#isInside(net));
  }

  #isInside(net: IpPrefix): boolean {
    if (this.#lengths.size === 0) return false;
    const { address, length } = prefixParts(net);
    for (const each of this.#lengths.keys())
      if (each < length && this.#all.has(networkOf(`${address}/${each}`))) return true;
    return false;
  }

  #count(net: IpPrefix, by: 1 | -1): void {
    if (isHost(net)) return;
    const { length } = prefixParts(net);
    const count = (this.#lengths.get(length) ?? 0) + by;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
  }
}

/** Those of a list that lie in no other of it, in the order of the text. */
export function outermost(list: readonly IpPrefix[]): IpPrefix[] {
  const nets = new Nets();
  for (const net of list) nets.add(networkOf(net));
  return [...nets.outermost()].toSorted();
}

/** Whether it is a single address. */
export function isHost(net: IpPrefix): boolean {
  return net.endsWith(`/${familyBits(familyOf(net))}`);
}
