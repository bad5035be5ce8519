/**
 * Who owns what: every part of Poplin marks what it makes, and touches nothing that does not carry its mark.
 * Links carry an alias, routes, rules and neighbours a protocol number, nf_tables objects live in a table of the owner's name.
 * What lies on an owned link (addresses, forwarding entries) belongs to the link's owner.
 */
import { linksOf } from './order.ts';
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

/** True for the host's link of a pod: its alias says of which attachment. The bridges that pods share are not meant. */
export function isAttachmentLink(object: KernelObject): boolean {
  return object.kind === 'link' && object.alias?.startsWith(`${CNI.alias}:`) === true;
}

/**
 * True for CNI's links and what lies on them: made by ADD and removed by DEL, and by nothing else. That no record wants them is no
 * reason to remove them: the record may be lost, and a pod or somebody else's port is at work there.
 */
export function isAttached(object: KernelObject, state: KernelState): boolean {
  if (object.kind === 'link') return ownerOfAlias(object.alias) === CNI;
  return linksOf(object).some((name) => ownerOfLink(name, state) === CNI);
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
