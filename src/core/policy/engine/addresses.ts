/** Members by address: those that have exactly it, and those whose nets it lies in. */
import {
  familyBits,
  familyOf,
  hostPrefixOf,
  type IpAddress,
  type IpFamily,
  type IpPrefix,
  networkOf,
  prefixParts,
} from '#base/ip/index.ts';
import type { Entry } from './entry.ts';

const NONE: readonly Entry[] = [];

export class AddressIndex {
  /** Mostly one, and then without an array around it. */
  readonly #byNet = new Map<IpPrefix, Entry | readonly Entry[]>();
  /** By family and length, how many nets there are; hosts are not counted. */
  readonly #lengths: Readonly<Record<IpFamily, Map<number, number>>> = { 4: new Map(), 6: new Map() };

  add(entry: Entry): void {
    for (const net of new Set(entry.member.nets)) {
      const there = entriesOf(this.#byNet.get(net));
      const now = [...there, entry].toSorted(byKey);
      this.#byNet.set(net, now.length === 1 ? entry : now);
      this.#count(net, 1);
    }
  }

  /** To be called while the member still has the nets it was added with. */
  remove(entry: Entry): void {
    for (const net of new Set(entry.member.nets)) {
      const left = entriesOf(this.#byNet.get(net)).filter((each) => each !== entry);
      if (left.length === 0) this.#byNet.delete(net);
      else this.#byNet.set(net, left.length === 1 ? (left[0] as Entry) : left);
      this.#count(net, -1);
    }
  }

  /** Those that have the address itself, by key. */
  at(address: IpAddress): readonly Entry[] {
    return entriesOf(this.#byNet.get(hostPrefixOf(address)));
  }

  /** All whose nets the address lies in. */
  covering(address: IpAddress): readonly Entry[] {
    const lengths = this.#lengths[familyOf(address)];
    const exact = this.at(address);
    if (lengths.size === 0) return exact;
    const found = new Set(exact);
    for (const length of lengths.keys()) {
      for (const entry of entriesOf(this.#byNet.get(networkOf(`${address}/${length}`)))) found.add(entry);
    }
    return [...found];
  }

  #count(net: IpPrefix, by: 1 | -1): void {
    if (isHost(net)) return;
    const { family, length } = prefixParts(net);
    const count = (this.#lengths[family].get(length) ?? 0) + by;
    if (count === 0) this.#lengths[family].delete(length);
    else this.#lengths[family].set(length, count);
  }
}

/** Whether a net is a single address. */
export function isHost(net: IpPrefix): boolean {
  return net.endsWith(net.includes(':') ? '/128' : '/32');
}

/** The address of a net that is a single one. */
export function hostOf(net: IpPrefix): IpAddress {
  return net.slice(0, net.length - `/${familyBits(familyOf(net))}`.length);
}

function entriesOf(value: Entry | readonly Entry[] | undefined): readonly Entry[] {
  if (value === undefined) return NONE;
  return Array.isArray(value) ? (value as readonly Entry[]) : [value as Entry];
}

const byKey = (a: Entry, b: Entry): number => (a.member.key < b.member.key ? -1 : 1);
