/**
 * Who owns what: every part of Poplin marks what it makes, and touches nothing that does not carry its mark.
 * Links carry an alias, routes, rules and neighbours a protocol number, nf_tables objects live in a table of the owner's name.
 * What lies on an owned link (addresses, forwarding entries) belongs to the link's owner.
 */
import type { KernelObject, KernelState } from './state.ts';

export interface Owner {
  readonly name: string;
  /** rtm_protocol, FRA_PROTOCOL and NDA_PROTOCOL of its routes, rules and neighbours. */
  readonly protocol: number;
  /** Alias of its links: exactly this, or this, a colon and more. */
  readonly alias: string;
  /** Its nf_tables tables, any family. */
  readonly tables: readonly string[];
}

export const OVERLAY: Owner = {
  name: 'overlay',
  protocol: 112,
  alias: 'poplin:overlay',
  tables: ['poplin-overlay'],
};
export const CNI: Owner = { name: 'cni', protocol: 113, alias: 'poplin:cni', tables: ['poplin-cni'] };
export const LAB: Owner = { name: 'lab', protocol: 114, alias: 'poplin:lab', tables: ['poplin-lab'] };
export const OWNERS: readonly Owner[] = [OVERLAY, CNI, LAB];

/** The owner whose mark an object carries; `state` is consulted for the link an address or forwarding entry lies on. */
export function ownerOf(object: KernelObject, state: KernelState): Owner | undefined {
  switch (object.kind) {
    case 'link':
      return ownerOfAlias(object.alias);
    case 'address':
      // The kernel makes link-local addresses by itself: they are nobody's.
      return object.address.startsWith('fe80:') ? undefined : ownerOfLink(object.link, state);
    case 'fdb':
      return ownerOfLink(object.link, state);
    case 'route':
    case 'rule':
    case 'neighbour':
      return OWNERS.find((owner) => owner.protocol === object.protocol);
    case 'nft-table':
      return ownerOfTable(object.name);
    case 'nft-chain':
    case 'nft-set':
    case 'nft-element':
      return ownerOfTable(object.table);
    case 'sysctl':
      return undefined;
  }
}

function ownerOfLink(name: string, state: KernelState): Owner | undefined {
  const link = state.get(`link ${name}`);
  return link?.kind === 'link' ? ownerOfAlias(link.alias) : undefined;
}

function ownerOfAlias(alias: string | undefined): Owner | undefined {
  if (alias === undefined) return undefined;
  return OWNERS.find((owner) => alias === owner.alias || alias.startsWith(`${owner.alias}:`));
}

function ownerOfTable(name: string): Owner | undefined {
  return OWNERS.find((owner) => owner.tables.includes(name));
}
