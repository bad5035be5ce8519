/**
 * Nets of one family of which some may lie in others. The kernel refuses ranges that overlap; since nets overlap only by lying in each
 * other, those that lie in no other are all that it needs.
 */
import { familyBits, familyOf, type IpPrefix, networkOf, prefixContains } from '#base/ip/index.ts';

/** Of those that lie in no other: which are new, and which are not any more. */
export interface NetChange {
  readonly added: readonly IpPrefix[];
  readonly removed: readonly IpPrefix[];
}

const NOTHING: NetChange = { added: [], removed: [] };

export class Nets {
  readonly #all = new Set<IpPrefix>();
  #outermost: ReadonlySet<IpPrefix> = new Set();

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /** Looks at all nets there are: they are few. */
  change(added: readonly IpPrefix[], removed: readonly IpPrefix[]): NetChange {
    if (added.length + removed.length === 0) return NOTHING;
    for (const net of removed) this.#all.delete(net);
    for (const net of added) this.#all.add(net);
    const before = this.#outermost;
    const after = new Set(outermost([...this.#all]));
    this.#outermost = after;
    return { added: [...after.difference(before)], removed: [...before.difference(after)] };
  }
}

/** Those of a list that lie in no other of it, each once, in the order of their text. */
export function outermost(list: readonly IpPrefix[]): IpPrefix[] {
  const nets = [...new Set(list.map(networkOf))].toSorted();
  return nets.filter((net) => !nets.some((other) => other !== net && prefixContains(other, net)));
}

/** Whether it is a single address. */
export function isHost(net: IpPrefix): boolean {
  return net.endsWith(`/${familyBits(familyOf(net))}`);
}
