/**
 * What the answers that were seen said of names that policies speak of, and until when that counts. Time comes with events. What does not count
 * any more is kept for a while as former addresses: by them flows are known that began when it did.
 */
import type { IpAddress } from '#base/ip/index.ts';
import type { DnsResponse } from '#core/dns/index.ts';
import { toldNames } from './chain.ts';

export interface NameTerms {
  /** An address counts at least this long, however short the answer says. */
  readonly floorSec: number;
  /** And this long beyond: programs use an address for longer than they may. */
  readonly extraSec: number;
  /** And no longer than this before the extra time. */
  readonly ceilingSec: number;
  /** How long it is known that it did. */
  readonly formerSec: number;
  readonly namesMax: number;
  readonly addressesPerNameMax: number;
  readonly addressesMax: number;
}

export const NAME_TERMS: NameTerms = {
  floorSec: 10,
  extraSec: 60,
  ceilingSec: 86_400,
  formerSec: 86_400,
  namesMax: 2000,
  addressesPerNameMax: 1000,
  addressesMax: 50_000,
};

/** All that is known of a name from now on: nothing, if both are empty. */
export interface NameChange {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
  /** Those that counted once. */
  readonly former: readonly IpAddress[];
}

/** A name with its addresses and the times, in milliseconds since 1970, until which each counts: to be kept. */
export type KeptName = readonly [name: string, addresses: readonly (readonly [IpAddress, number])[]];

interface Seen {
  untilMs: number;
  /** As somebody was told. */
  isCurrent: boolean;
}

export class SeenNames {
  readonly #terms: NameTerms;
  /** The one that was spoken of longest ago comes first. */
  readonly #names = new Map<string, Map<IpAddress, Seen>>();
  #addressCount = 0;
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(terms: Partial<NameTerms> = {}) {
    this.#terms = { ...NAME_TERMS, ...terms };
  }

  /** How many names are known. */
  get size(): number {
    return this.#names.size;
  }

  /** When expire() has something to do next; Infinity: never. */
  get nextMs(): number {
    return this.#nextMs;
  }

  /** Takes in an answer that was seen now; names that nobody wants are not kept. Gives those that stand for others than before. */
  take(
    response: DnsResponse,
    nowMs: number,
    isWanted: (name: string) => boolean,
  ): { readonly changes: readonly NameChange[]; readonly isRenewed: boolean } {
    const changed = new Set<string>();
    let isRenewed = false;
    for (const { name, ttlSecByAddress } of toldNames(response)) {
      if (ttlSecByAddress.size === 0 || !isWanted(name)) continue;
      isRenewed = true;
      for (const [address, ttlSec] of ttlSecByAddress)
        if (this.#see(name, address, nowMs + this.#termMs(ttlSec))) changed.add(name);
      this.#limit(name, changed);
    }
    return { changes: this.#changesOf(changed), isRenewed };
  }

  /** What has come to its end by now. */
  expire(nowMs: number): NameChange[] {
    const changed = new Set<string>();
    const formerMs = this.#terms.formerSec * 1000;
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const [name, addresses] of this.#names) {
      for (const [address, seen] of addresses) {
        if (seen.isCurrent && seen.untilMs <= nowMs) {
          seen.isCurrent = false;
          changed.add(name);
        }
        if (seen.untilMs + formerMs <= nowMs) {
          this.#forget(addresses, address);
          changed.add(name);
        } else this.#nextMs = Math.min(this.#nextMs, seen.untilMs + (seen.isCurrent ? 0 : formerMs));
      }
      if (addresses.size === 0) this.#names.delete(name);
    }
    return this.#changesOf(changed);
  }

  /** Everything, to be kept on disk. */
  kept(): KeptName[] {
    return Array.from(this.#names, ([name, addresses]) => [
      name,
      Array.from(addresses, ([address, { untilMs }]) => [address, untilMs] as const),
    ]);
  }

  /**
   * Takes in what was kept at some time. What counted then counts for a while yet, for nobody saw the answers since. Gives all that is known.
   */
  restore(kept: readonly KeptName[], keptMs: number, nowMs: number): NameChange[] {
    const restored = new Set<string>();
    for (const [name, addresses] of kept) {
      for (const [address, untilMs] of addresses) {
        const isOpen = untilMs > keptMs;
        // The clock may have been set back since.
        const latestMs = nowMs + this.#termMs(this.#terms.ceilingSec);
        this.#see(
          name,
          address,
          Math.min(isOpen ? Math.max(untilMs, nowMs + this.#termMs(0)) : untilMs, latestMs),
        );
      }
      restored.add(name);
      this.#limit(name, restored);
    }
    for (const { name } of this.expire(nowMs)) restored.add(name);
    return this.#changesOf(restored);
  }

  #termMs(ttlSec: number): number {
    const { floorSec, extraSec, ceilingSec } = this.#terms;
    return (Math.min(Math.max(ttlSec, floorSec), ceilingSec) + extraSec) * 1000;
  }

  /** True if the name did not stand for the address. */
  #see(name: string, address: IpAddress, untilMs: number): boolean {
    const addresses = this.#names.get(name) ?? new Map<IpAddress, Seen>();
    // The last that was spoken of comes last.
    this.#names.delete(name);
    this.#names.set(name, addresses);
    const seen = addresses.get(address);
    addresses.delete(address);
    const until = Math.max(untilMs, seen?.untilMs ?? 0);
    addresses.set(address, { untilMs: until, isCurrent: true });
    this.#nextMs = Math.min(this.#nextMs, until);
    if (seen === undefined) this.#addressCount++;
    return seen?.isCurrent !== true;
  }

  /** Lets go of what was spoken of longest ago, first of the name, then of all names. */
  #limit(name: string, changed: Set<string>): void {
    const { namesMax, addressesPerNameMax, addressesMax } = this.#terms;
    const addresses = this.#names.get(name);
    for (const address of addresses?.keys() ?? []) {
      if ((addresses?.size ?? 0) <= addressesPerNameMax) break;
      this.#forget(addresses as Map<IpAddress, Seen>, address);
      changed.add(name);
    }
    for (const [oldest, its] of this.#names) {
      if (this.#names.size <= namesMax && this.#addressCount <= addressesMax) break;
      this.#addressCount -= its.size;
      this.#names.delete(oldest);
      changed.add(oldest);
    }
  }

  #forget(addresses: Map<IpAddress, Seen>, address: IpAddress): void {
    addresses.delete(address);
    this.#addressCount--;
  }

  #changesOf(names: ReadonlySet<string>): NameChange[] {
    return Array.from(names, (name) => {
      const [addresses, former]: [IpAddress[], IpAddress[]] = [[], []];
      for (const [address, { isCurrent }] of this.#names.get(name) ?? [])
        (isCurrent ? addresses : former).push(address);
      return { name, addresses, former };
    });
  }
}
