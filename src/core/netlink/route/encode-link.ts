/**
 * Links as RTM_NEWLINK, RTM_SETLINK and RTM_DELLINK. The kernel takes no alias (it is ignored) and no address generation mode
 * (EAFNOSUPPORT) in the message that creates a link; so these follow, by name, in the same send, before the link goes up.
 */
import { familyOf } from '#base/ip/index.ts';
import { changedLinkFields, type Link, type LinkDetail, type VethPeer } from '#core/kernel/index.ts';
import { encodeMessage, NLM_F } from '../message.ts';
import { type LinkMessage, linkMessage, RTM_LINK } from './link.ts';
import { IFF } from './link-header.ts';
import { type LinkIndex, requireIndex } from './link-index.ts';
import { AF } from './scope.ts';

type LinkAttributes = LinkMessage['attributes'];
type LinkKind = NonNullable<LinkAttributes['kind']>;

interface Draft {
  readonly type: number;
  readonly messageFlags?: number;
  readonly index?: number;
  readonly flags?: number;
  readonly change?: number;
  readonly attributes?: LinkAttributes;
}

function linkOp(draft: Draft): Uint8Array {
  return encodeMessage(linkMessage, {
    type: draft.type,
    flags: draft.messageFlags ?? 0,
    payload: {
      family: AF.UNSPEC,
      deviceType: 0,
      index: draft.index ?? 0,
      flags: draft.flags ?? 0,
      change: draft.change ?? 0,
      attributes: draft.attributes ?? {},
    },
  });
}

/** Makes a link; what cannot be said at creation follows in messages of its own. Throws MissingLinkError. */
export function encodeAddLink(link: Link, links: LinkIndex): Uint8Array[] {
  const { name } = link;
  const { kind, lower } = creationOf(link, links);
  const create = linkOp({
    type: RTM_LINK.NEW,
    messageFlags: NLM_F.CREATE | NLM_F.EXCL,
    attributes: {
      name,
      kind,
      ...(link.mac === undefined ? {} : { address: link.mac }),
      ...(link.mtuBytes === undefined ? {} : { mtu: link.mtuBytes }),
      ...(lower === undefined ? {} : { link: lower }),
      ...(link.master ? { master: requireIndex(links, link.master) } : {}),
    },
  });
  const messages = [create];
  // Alone, so that nothing can keep the owner's mark from the link: one without it would be nobody's.
  if (link.alias) messages.push(linkOp({ type: RTM_LINK.SET, attributes: { name, alias: link.alias } }));
  if (link.addressGeneration !== undefined) {
    messages.push(setAddressGeneration({ name }, 0, link.addressGeneration));
  }
  if (link.hairpin === true) messages.push(setHairpin({ name }, 0, true));
  const flags = (link.up === true ? IFF.UP : 0) | (link.promiscuous === true ? IFF.PROMISC : 0);
  if (flags !== 0) messages.push(linkOp({ type: RTM_LINK.SET, flags, change: flags, attributes: { name } }));
  else if (messages.length > 1) messages.push(announcement({ name }, 0));
  return messages;
}

/** Deletes a link by its index. Throws MissingLinkError. */
export function encodeRemoveLink(link: Link, links: LinkIndex): Uint8Array[] {
  return [linkOp({ type: RTM_LINK.DEL, index: requireIndex(links, link.name) })];
}

/** Only what differs. A MAC is changed while the link is down if it goes down anyway; a link goes up last. */
export function encodeReplaceLink(link: Link, previous: Link, links: LinkIndex): Uint8Array[] {
  const index = requireIndex(links, link.name);
  const changed = new Set(changedLinkFields(link, previous));
  const messages: Uint8Array[] = [];
  const setFlags = (change: number, flags: number) =>
    messages.push(linkOp({ type: RTM_LINK.SET, index, flags, change }));
  if (changed.has('up') && link.up === false) setFlags(IFF.UP, 0);
  const attributes: LinkAttributes = {
    ...(changed.has('mac') && link.mac !== undefined ? { address: link.mac } : {}),
    ...(changed.has('mtuBytes') && link.mtuBytes !== undefined ? { mtu: link.mtuBytes } : {}),
    ...(changed.has('alias') && link.alias !== undefined ? { alias: link.alias } : {}),
    ...(changed.has('master') && link.master !== undefined
      ? { master: link.master === '' ? 0 : requireIndex(links, link.master) }
      : {}),
  };
  if (Object.keys(attributes).length > 0) messages.push(linkOp({ type: RTM_LINK.SET, index, attributes }));
  const kind = detailChange(link.detail, previous.detail);
  if (kind !== undefined) messages.push(linkOp({ type: RTM_LINK.NEW, index, attributes: { kind } }));
  if (changed.has('addressGeneration') && link.addressGeneration !== undefined) {
    messages.push(setAddressGeneration({}, index, link.addressGeneration));
  }
  // A port that got a new master has that master's defaults; without a master there is no such option.
  if (link.master !== '' && (changed.has('hairpin') || (changed.has('master') && link.hairpin === true))) {
    messages.push(setHairpin({}, index, link.hairpin === true));
  }
  if (changed.has('promiscuous')) setFlags(IFF.PROMISC, link.promiscuous === true ? IFF.PROMISC : 0);
  if (changed.has('up') && link.up === true) setFlags(IFF.UP, IFF.UP);
  const isSilent =
    changed.has('alias') || changed.has('addressGeneration') || changed.has('hairpin') || kind !== undefined;
  if (isSilent && (link.up ?? previous.up) !== true) messages.push(announcement({}, index));
  return messages;
}

function setAddressGeneration(name: { name?: string }, index: number, mode: 'eui64' | 'none'): Uint8Array {
  return linkOp({
    type: RTM_LINK.SET,
    index,
    attributes: { ...name, addressFamilies: { inet6: { addressGeneration: mode } } },
  });
}

/**
 * What is set on a link that is down is not announced (netdev_state_change looks for IFF_UP), so nobody's mirror would learn
 * of it. Setting the broadcast address to what it is makes the kernel announce the link in either state.
 */
function announcement(name: { name?: string }, index: number): Uint8Array {
  return linkOp({ type: RTM_LINK.SET, index, attributes: { ...name, broadcast: 'ff:ff:ff:ff:ff:ff' } });
}

/** RTM_NEWLINK without NLM_F_CREATE: RTM_SETLINK reads no IFLA_INFO_SLAVE_DATA. The link must be a port already. */
function setHairpin(name: { name?: string }, index: number, on: boolean): Uint8Array {
  return linkOp({
    type: RTM_LINK.NEW,
    index,
    attributes: { ...name, kind: { slaveKind: 'bridge', slaveData: { hairpin: on ? 1 : 0 } } },
  });
}

/** IFLA_LINKINFO of a new link, and the link it lies on (IFLA_LINK). */
function creationOf(link: Link, links: LinkIndex): { kind: LinkKind; lower?: number } {
  const { detail } = link;
  switch (detail.type) {
    case 'bridge':
      return { kind: { kind: 'bridge', data: bridgeOptions(newBridge(detail)) } };
    case 'veth':
      return {
        kind: {
          kind: 'veth',
          ...(detail.peer === undefined ? {} : { data: { peer: peerOf(detail.peer, links) } }),
        },
      };
    case 'vxlan':
      return { kind: { kind: 'vxlan', data: vxlanData(detail, links) } };
    case 'macvlan':
      return {
        kind: { kind: 'macvlan', data: { mode: detail.mode } },
        lower: requireIndex(links, detail.parent),
      };
    case 'dummy':
      return { kind: { kind: 'dummy' } };
    case 'ifb':
      return { kind: { kind: 'ifb' } };
    case 'tun':
      throw new RangeError(`link ${link.name}: a ${detail.mode} link is made by ioctl, not by rtnetlink`);
    case 'other':
      throw new RangeError(`link ${link.name}: links of kind ${detail.linkKind} are seen, never made`);
  }
}

/** VLAN filtering is off in a new bridge; kernels built without it refuse to hear even that. */
function newBridge({ vlanFiltering, ...detail }: LinkDetail & { type: 'bridge' }) {
  return vlanFiltering === true ? { ...detail, vlanFiltering } : detail;
}

function bridgeOptions(detail: LinkDetail & { type: 'bridge' }) {
  return {
    ...(detail.vlanFiltering === undefined ? {} : { vlanFiltering: detail.vlanFiltering ? 1 : 0 }),
    ...(detail.stp === undefined ? {} : { stpState: detail.stp ? 1 : 0 }),
    ...(detail.multicastSnooping === undefined
      ? {}
      : { multicastSnooping: detail.multicastSnooping ? 1 : 0 }),
  };
}

/** No IFF_UP here: the kernel would raise the peer before its twin exists (ENOTCONN). */
function peerOf(peer: VethPeer, links: LinkIndex) {
  return {
    family: AF.UNSPEC,
    deviceType: 0,
    index: 0,
    flags: 0,
    change: 0,
    attributes: {
      name: peer.name,
      ...(peer.mac === undefined ? {} : { address: peer.mac }),
      ...(peer.mtuBytes === undefined ? {} : { mtu: peer.mtuBytes }),
      ...(peer.netns === undefined ? {} : { netnsFd: links.netnsFd(peer.netns) }),
    },
  };
}

function vxlanData(detail: LinkDetail & { type: 'vxlan' }, links: LinkIndex) {
  const { local } = detail;
  return {
    id: detail.vni,
    port: detail.port,
    learning: detail.learning ? 1 : 0,
    ...(local === undefined ? {} : familyOf(local) === 4 ? { local } : { local6: local }),
    ...(detail.underlay === undefined ? {} : { link: requireIndex(links, detail.underlay) }),
    ...(detail.gbp === true ? { gbp: true as const } : {}),
    ...(detail.udpChecksum === undefined ? {} : { udpChecksum: detail.udpChecksum ? 1 : 0 }),
  };
}

/** The options that the kernel changes in place; throws RangeError for others: such a link must be made anew. */
function detailChange(wanted: LinkDetail, previous: LinkDetail): LinkKind | undefined {
  if (wanted.type === 'bridge' && previous.type === 'bridge') {
    const data = bridgeOptions(onlyChanged(wanted, previous));
    return Object.keys(data).length === 0 ? undefined : { kind: 'bridge', data };
  }
  const { peer: _, ...rest } = onlyChanged(wanted, previous) as { peer?: unknown; type: string };
  if (Object.keys(rest).length === (wanted.type === previous.type ? 1 : 0)) return undefined;
  throw new RangeError(
    `a ${previous.type} link cannot become what is wanted in place; remove it and add it anew`,
  );
}

/** The type and the options that are wished for and differ. */
function onlyChanged<D extends LinkDetail>(wanted: D, previous: LinkDetail): D {
  const have = previous as unknown as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(wanted).filter(
      ([field, value]) => field === 'type' || (value !== undefined && value !== have[field]),
    ),
  ) as D;
}
