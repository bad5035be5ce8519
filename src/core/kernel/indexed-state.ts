/**
 * A kernel state that finds addresses by their link and links by their alias: an ADD or DEL asks for both, and must not walk over the
 * objects of all other pods. The functions below work on any state; only on this one are they quick. It is made empty.
 */
import type { Address, KernelObject, KernelState, Link } from './state.ts';

export class IndexedState extends Map<string, KernelObject> {
  private readonly byLink = new Map<string, Map<string, Address>>();
  private readonly byAlias = new Map<string, Map<string, Link>>();

  override set(key: string, object: KernelObject): this {
    const before = this.get(key);
    if (before !== undefined) this.unlist(key, before);
    if (object.kind === 'address') list(this.byLink, object.link, key, object);
    else if (object.kind === 'link' && object.alias) list(this.byAlias, object.alias, key, object);
    return super.set(key, object);
  }

  override delete(key: string): boolean {
    const before = this.get(key);
    if (before !== undefined) this.unlist(key, before);
    return super.delete(key);
  }

  override clear(): void {
    this.byLink.clear();
    this.byAlias.clear();
    super.clear();
  }

  addressesOn(link: string): Iterable<Address> {
    return this.byLink.get(link)?.values() ?? [];
  }

  *addresses(): Iterable<Address> {
    for (const ofLink of this.byLink.values()) yield* ofLink.values();
  }

  linksOfAlias(alias: string): Iterable<Link> {
    return this.byAlias.get(alias)?.values() ?? [];
  }

  private unlist(key: string, object: KernelObject): void {
    if (object.kind === 'address') unlist(this.byLink, object.link, key);
    else if (object.kind === 'link' && object.alias) unlist(this.byAlias, object.alias, key);
  }
}

/** The addresses of one link. */
export function addressesOn(state: KernelState, link: string): Address[] {
  if (state instanceof IndexedState) return [...state.addressesOn(link)];
  return addressesIn(state).filter((address) => address.link === link);
}

/** The addresses of all links. */
export function addressesIn(state: KernelState): Address[] {
  if (state instanceof IndexedState) return [...state.addresses()];
  return [...state.values()].filter((object) => object.kind === 'address');
}

/** The links that carry exactly this alias. */
export function linksOfAlias(state: KernelState, alias: string): Link[] {
  if (state instanceof IndexedState) return [...state.linksOfAlias(alias)];
  return [...state.values()]
    .filter((object) => object.kind === 'link')
    .filter((link) => link.alias === alias);
}

function list<T>(index: Map<string, Map<string, T>>, name: string, key: string, object: T): void {
  const found = index.get(name);
  if (found === undefined) index.set(name, new Map([[key, object]]));
  else found.set(key, object);
}

function unlist<T>(index: Map<string, Map<string, T>>, name: string, key: string): void {
  const found = index.get(name);
  if (found?.delete(key) === true && found.size === 0) index.delete(name);
}
