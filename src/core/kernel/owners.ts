/**
 * Who owns what: every part of Poplin marks what it makes, and touches nothing that does not carry its mark.
 * Links carry an alias, routes, rules and neighbours a protocol number, nf_tables objects live in a table of the owner's name.
 * What lies on an owned link (addresses, forwarding entries, what WireGuard knows) belongs to the link's owner. Qdiscs and filters do not: other programs put
 * theirs on every link, and ours are put on pods that a foreign plugin attached. A root qdisc is marked by its handle, a filter by its
 * preference. An ingress qdisc can carry no mark (its handle is always ffff:): it is ours while all filters on it are, and nobody's
 * while it is empty.
 */
import { linksOf } from './order.ts';
import type { KernelObject, KernelState, Link, Qdisc, TrafficFilter } from './state.ts';

export interface Owner {
  readonly name: string;
  /** rtm_protocol, FRA_PROTOCOL and NDA_PROTOCOL of its routes, rules and neighbours. */
  readonly protocol: number;
  /** Major number of the handles of its root qdiscs; below 8000:, where the kernel begins to choose. */
  readonly qdiscHandle: number;
  /** Preference of its filters. */
  readonly filterPreference: number;
  /** Alias of its links: exactly this, or this, a colon and more. */
  readonly alias: string;
  /** Its nf_tables tables, any family. */
  readonly tables: readonly string[];
}

export const OVERLAY: Owner = {
  name: 'overlay',
  protocol: 112,
  qdiscHandle: 0x112,
  filterPreference: 112,
  alias: 'poplin:overlay',
  tables: ['poplin-overlay', 'poplin-network'],
};
export const CNI: Owner = {
  name: 'cni',
  protocol: 113,
  qdiscHandle: 0x113,
  filterPreference: 113,
  alias: 'poplin:cni',
  tables: ['poplin-cni'],
};
export const LAB: Owner = {
  name: 'lab',
  protocol: 114,
  qdiscHandle: 0x114,
  filterPreference: 114,
  alias: 'poplin:lab',
  tables: ['poplin-lab'],
};
export const POLICY: Owner = {
  name: 'policy',
  protocol: 115,
  qdiscHandle: 0x115,
  filterPreference: 115,
  alias: 'poplin:policy',
  tables: ['poplin-policy'],
};
/** Routes that BGP has learned, the tunnels some of them go by, and what else Calico's pools want of a node. */
export const BGP: Owner = {
  name: 'bgp',
  protocol: 116,
  qdiscHandle: 0x116,
  filterPreference: 116,
  alias: 'poplin:bgp',
  tables: ['poplin-bgp', 'poplin-bgp-vxlan', 'poplin-bgp-ipip'],
};
/** A host may be a node of further networks beside its first. */
export const FURTHER_NETWORKS = 7;

/** The owner of a network's overlay: the first, 0, has OVERLAY's marks, and each further one, up to FURTHER_NETWORKS, its own. */
export function overlayOwner(network: number): Owner {
  const owner = OVERLAYS[network];
  if (owner === undefined) throw new RangeError(`a host has ${OVERLAYS.length} networks at most`);
  return owner;
}

const OVERLAYS: readonly Owner[] = [
  OVERLAY,
  ...Array.from({ length: FURTHER_NETWORKS }, (_, index): Owner => {
    const network = index + 1;
    return {
      name: `overlay ${network}`,
      protocol: 120 + network,
      qdiscHandle: 0x120 + network,
      filterPreference: 120 + network,
      alias: `${OVERLAY.alias}-${network}`,
      tables: OVERLAY.tables.map((table) => `${table}-${network}`),
    };
  }),
];

/** True for the overlay of any network. */
export function isOverlay(owner: Owner | undefined): boolean {
  return owner !== undefined && OVERLAYS.includes(owner);
}

export const OWNERS: readonly Owner[] = [...OVERLAYS, CNI, LAB, POLICY, BGP];
/** Those that a host with one network knows. */
export const USUAL_OWNERS: readonly Owner[] = [OVERLAY, CNI, LAB, POLICY, BGP];

/** The owner whose mark an object carries; `state` is consulted for the link an address or forwarding entry lies on. */
export function ownerOf(object: KernelObject, state: KernelState): Owner | undefined {
  switch (object.kind) {
    case 'link':
      return ownerOfAlias(object.alias);
    case 'address':
      // The kernel makes link-local addresses by itself: they are nobody's.
      return object.address.startsWith('fe80:') ? undefined : ownerOfLink(object.link, state);
    case 'fdb':
    case 'wireguard-device':
    case 'wireguard-peer':
    case 'wireguard-allowed-ip':
      return ownerOfLink(object.link, state);
    case 'route':
    case 'rule':
    case 'neighbour':
      return OWNERS.find((owner) => owner.protocol === object.protocol);
    case 'qdisc':
      return ownerOfQdisc(object, state);
    case 'filter':
      return ownerOfPreference(object);
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

/** True for the links of an attachment on the host: the alias says of which. The bridges that pods share are not meant. */
export function isAttachmentLink(object: KernelObject): boolean {
  return object.kind === 'link' && object.alias?.startsWith(`${CNI.alias}:`) === true;
}

/** True for a link that comes and goes with its pod. Made by a pass it would be of no use: it would lead nowhere. */
export function isPodLink(object: KernelObject): object is Link {
  return isAttachmentLink(object) && object.kind === 'link' && object.detail.type !== 'ifb';
}

/**
 * True for CNI's links and what lies on them: made by ADD and removed by DEL, and by nothing else. That no record wants them is no
 * reason to remove them: the record may be lost, and a pod or somebody else's port is at work there.
 */
export function isAttached(object: KernelObject, state: KernelState): boolean {
  if (object.kind === 'link') return ownerOfAlias(object.alias) === CNI;
  if (object.kind === 'qdisc' || object.kind === 'filter') return ownerOf(object, state) === CNI;
  return linksOf(object).some((name) => ownerOfLink(name, state) === CNI);
}

function ownerOfLink(name: string, state: KernelState): Owner | undefined {
  const link = state.get(`link ${name}`);
  return link?.kind === 'link' ? ownerOfAlias(link.alias) : undefined;
}

function ownerOfQdisc(qdisc: Qdisc, state: KernelState): Owner | undefined {
  if (qdisc.parent === 'root') return OWNERS.find((owner) => owner.qdiscHandle === qdisc.handle);
  const owners = new Set<Owner | undefined>();
  for (const object of state.values()) {
    if (object.kind === 'filter' && object.link === qdisc.link) owners.add(ownerOfPreference(object));
  }
  const [owner] = owners;
  return owners.size === 1 ? owner : undefined;
}

function ownerOfPreference({ preference }: TrafficFilter): Owner | undefined {
  return OWNERS.find((owner) => owner.filterPreference === preference);
}

function ownerOfAlias(alias: string | undefined): Owner | undefined {
  if (alias === undefined) return undefined;
  return OWNERS.find((owner) => alias === owner.alias || alias.startsWith(`${owner.alias}:`));
}

function ownerOfTable(name: string): Owner | undefined {
  return OWNERS.find((owner) => owner.tables.includes(name));
}
