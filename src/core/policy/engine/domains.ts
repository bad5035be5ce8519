/** Names in DNS with the addresses that they were found to have, asked for from both ends. */
import type { IpAddress } from '#base/ip/index.ts';

interface Found {
  readonly addresses: readonly IpAddress[];
  readonly former: readonly IpAddress[];
}

export class Domains {
  /** In lower case, as all names here are. */
  readonly #names = new Map<string, Found>();
  /** By address, the names that it was found by, and whether it still is theirs. */
  readonly #byAddress = new Map<IpAddress, Map<string, boolean>>();

  /** All addresses of a name, and those that it had, in place of what was said before. */
  set(name: string, addresses: readonly IpAddress[], former: readonly IpAddress[]): void {
    const key = name.toLowerCase();
    const before = this.#names.get(key);
    for (const address of [...(before?.former ?? []), ...(before?.addresses ?? [])]) {
      const names = this.#byAddress.get(address);
      if (names?.delete(key) === true && names.size === 0) this.#byAddress.delete(address);
    }
    if (addresses.length + former.length === 0) this.#names.delete(key);
    else this.#names.set(key, { addresses, former });
    for (const address of former) this.#note(address, key, false);
    for (const address of addresses) this.#note(address, key, true);
  }

  /** The addresses of all names of these patterns. */
  addressesOf(patterns: readonly string[]): Set<IpAddress> {
    const found = new Set<IpAddress>();
    const add = (each: Found | undefined): void => {
      for (const address of each?.addresses ?? []) found.add(address);
    };
    const wildcards = patterns.filter(isWildcard);
    for (const name of patterns) add(this.#names.get(name.toLowerCase()));
    if (wildcards.length === 0) return found;
    for (const [name, each] of this.#names) if (isNamed(wildcards, name)) add(each);
    return found;
  }

  /** Whether the address is one of a name of these patterns; with `hasBegun`, or was. */
  isOf(patterns: readonly string[], address: IpAddress, hasBegun = false): boolean {
    for (const [name, isCurrent] of this.#byAddress.get(address) ?? [])
      if ((isCurrent || hasBegun) && isNamed(patterns, name)) return true;
    return false;
  }

  /** Everything, to be set elsewhere. */
  copyTo(other: Domains): void {
    for (const [name, { addresses, former }] of this.#names) other.set(name, addresses, former);
  }

  #note(address: IpAddress, name: string, isCurrent: boolean): void {
    const names = this.#byAddress.get(address);
    if (names === undefined) this.#byAddress.set(address, new Map([[name, isCurrent]]));
    else names.set(name, isCurrent);
  }
}

/** Whether a name, in lower case, is one of those given; `*.example.com` is every name below example.com, and not that name itself. */
export function isNamed(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => {
    const wanted = pattern.toLowerCase();
    return isWildcard(wanted) ? name.endsWith(wanted.slice(1)) : name === wanted;
  });
}

function isWildcard(pattern: string): boolean {
  return pattern.startsWith('*.');
}
