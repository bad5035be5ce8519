/**
 * Links as RTM_NEWLINK, RTM_SETLINK and RTM_DELLINK. The kernel takes no alias (it is ignored) and no address generation mode
 * (EAFNOSUPPORT) in the message that creates a link; so these follow, by name, in the same send, before the link goes up.
 */
import { familyOf } from '#base/ip/index.ts';
import { changedLinkFields, type Link, type LinkDetail, type VethPeer } from '#core/kernel/index.ts';
import { encodeMessage, NLM_F } from '../message.ts';
import { encodeVlans } from './bridge-vlans.ts';
import { type LinkMessage, linkMessage, RTM_LINK } from './link.ts';
import { IFF } from './link-header.ts';
import { type LinkIndex, requireIndex } from './link-index.ts';
import { INNER_IPV6 } from './link-kinds/ip6tnl.ts';
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

/**
 * Makes a link; what cannot be said at creation follows in messages of its own. A TUN or TAP device is there already, made by ioctl a
 * moment ago, and gets its settings. Throws MissingLinkError.
 */
export function encodeAddLink(link: Link, links: LinkIndex): Uint8Array[] {
  const { name } = link;
  const isMade = link.detail.type === 'tun' && link.netns === undefined;
  const messages = isMade ? [] : [creation(link, links)];
  // Made in another namespace, it is out of reach from here.
  if (link.netns !== undefined) return messages;
  // Alone, so that nothing can keep the owner's mark from the link: one without it would be nobody's.
  if (link.alias) messages.push(linkOp({ type: RTM_LINK.SET, attributes: { name, alias: link.alias } }));
  const later = isMade ? settings(link, links) : {};
  if (Object.keys(later).length > 0)
    messages.push(linkOp({ type: RTM_LINK.SET, attributes: { name, ...later } }));
  if (link.addressGeneration !== undefined) {
    messages.push(setAddressGeneration({ name }, 0, link.addressGeneration));
  }
  const port = portOptions(link);
  if (port.hairpin === 1 || port.isolated === 1) messages.push(setPort({ name }, 0, port));
  const flags =
    (link.up === true ? IFF.UP : 0) |
    (link.promiscuous === true ? IFF.PROMISC : 0) |
    (link.allMulticast === true ? IFF.ALLMULTI : 0);
  if (flags !== 0) messages.push(linkOp({ type: RTM_LINK.SET, flags, change: flags, attributes: { name } }));
  // The owner of a TUN device, too, is set in silence.
  else if (messages.length > 1 || isMade) messages.push(announcement({ name }, 0));
  return messages;
}

function creation(link: Link, links: LinkIndex): Uint8Array {
  const { kind, lower } = creationOf(link, links);
  return linkOp({
    type: RTM_LINK.NEW,
    messageFlags: NLM_F.CREATE | NLM_F.EXCL,
    attributes: {
      name: link.name,
      kind,
      ...settings(link, links),
      ...(lower === undefined ? {} : { link: lower }),
      ...(link.netns === undefined ? {} : { netnsFd: links.netnsFd(link.netns) }),
    },
  });
}

/** What can be said at creation and later alike. */
function settings(link: Link, links: LinkIndex): LinkAttributes {
  return {
    ...(link.mac === undefined ? {} : { address: link.mac }),
    ...(link.mtuBytes === undefined ? {} : { mtu: link.mtuBytes }),
    ...(link.master ? { master: requireIndex(links, link.master) } : {}),
    ...(link.transmitQueueLength === undefined ? {} : { transmitQueueLength: link.transmitQueueLength }),
  };
}

/** Deletes a link by its index. Throws MissingLinkError. */
export function encodeRemoveLink(link: Link, links: LinkIndex): Uint8Array[] {
  return [linkOp({ type: RTM_LINK.DEL, index: requireIndex(links, link.name) })];
}

/** Only what differs. A MAC is changed while the link is down if it goes down anyway; a link goes up last. */
export function encodeReplaceLink(link: Link, previous: Link, links: LinkIndex): Uint8Array[] {
  if (link.netns !== undefined) return [moveLink(link, previous, link.netns, links)];
  const index = requireIndex(links, link.name);
  const changed = new Set(changedLinkFields(link, previous));
  const messages: Uint8Array[] = [];
  const setFlags = (change: number, flags: number) =>
    messages.push(linkOp({ type: RTM_LINK.SET, index, flags, change }));
  if (changed.has('up') && link.up === false) setFlags(IFF.UP, 0);
  const attributes = changedAttributes(link, changed, links);
  if (Object.keys(attributes).length > 0) messages.push(linkOp({ type: RTM_LINK.SET, index, attributes }));
  const kind = detailChange(link.detail, previous.detail);
  if (kind !== undefined) messages.push(linkOp({ type: RTM_LINK.NEW, index, attributes: { kind } }));
  if (changed.has('addressGeneration') && link.addressGeneration !== undefined) {
    messages.push(setAddressGeneration({}, index, link.addressGeneration));
  }
  messages.push(...changedPort(link, previous, changed, index));
  if (changed.has('promiscuous')) setFlags(IFF.PROMISC, link.promiscuous === true ? IFF.PROMISC : 0);
  if (changed.has('allMulticast')) setFlags(IFF.ALLMULTI, link.allMulticast === true ? IFF.ALLMULTI : 0);
  if (changed.has('up') && link.up === true) setFlags(IFF.UP, IFF.UP);
  const isSilent =
    kind !== undefined ||
    (['alias', 'addressGeneration', 'hairpin', 'isolated'] as const).some((field) => changed.has(field));
  if (isSilent && (link.up ?? previous.up) !== true) messages.push(announcement({}, index));
  return messages;
}

/** What a link is as a port of a bridge. One that got a new master has that master's defaults; without a master there is nothing to say. */
function changedPort(link: Link, previous: Link, changed: ChangedFields, index: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  const isJoining = changed.has('master');
  const port = portOptions(link);
  const isChanged = changed.has('hairpin') || changed.has('isolated');
  const hasWishes = port.hairpin === 1 || port.isolated === 1;
  if (link.master !== '' && (isChanged || (isJoining && hasWishes))) messages.push(setPort({}, index, port));
  const known = isJoining ? undefined : previous.vlans;
  const hasVlans = link.detail.type === 'bridge' || link.master !== '';
  if (hasVlans && link.vlans !== undefined && (known === undefined || changed.has('vlans')))
    messages.push(...encodeVlans(link, known, index));
  return messages;
}

type ChangedFields = ReadonlySet<ReturnType<typeof changedLinkFields>[number]>;

/** What RTM_SETLINK changes by attributes. */
function changedAttributes(link: Link, changed: ChangedFields, links: LinkIndex): LinkAttributes {
  return {
    ...(changed.has('mac') && link.mac !== undefined ? { address: link.mac } : {}),
    ...(changed.has('mtuBytes') && link.mtuBytes !== undefined ? { mtu: link.mtuBytes } : {}),
    ...(changed.has('transmitQueueLength') && link.transmitQueueLength !== undefined
      ? { transmitQueueLength: link.transmitQueueLength }
      : {}),
    ...(changed.has('alias') && link.alias !== undefined ? { alias: link.alias } : {}),
    ...(changed.has('master') && link.master !== undefined
      ? { master: link.master === '' ? 0 : requireIndex(links, link.master) }
      : {}),
  };
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

interface PortOptions {
  readonly hairpin?: number;
  readonly isolated?: number;
}

/** What is wished of a link as a port of its bridge. */
function portOptions({ hairpin, isolated }: Link): PortOptions {
  return {
    ...(hairpin === undefined ? {} : { hairpin: hairpin ? 1 : 0 }),
    ...(isolated === undefined ? {} : { isolated: isolated ? 1 : 0 }),
  };
}

/** RTM_NEWLINK without NLM_F_CREATE: RTM_SETLINK reads no IFLA_INFO_SLAVE_DATA. The link must be a port already. */
function setPort(name: { name?: string }, index: number, options: PortOptions): Uint8Array {
  return linkOp({
    type: RTM_LINK.NEW,
    index,
    attributes: { ...name, kind: { slaveKind: 'bridge', slaveData: { ...options } } },
  });
}

/** To another namespace, under the name it is to have there: the kernel takes it down, and everything off it. */
function moveLink(link: Link, previous: Link, netns: string, links: LinkIndex): Uint8Array {
  return linkOp({
    type: RTM_LINK.SET,
    index: requireIndex(links, previous.name),
    attributes: { name: link.name, netnsFd: links.netnsFd(netns) },
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
        kind: { kind: 'macvlan', data: macvlanOptions(detail) },
        lower: requireIndex(links, detail.parent),
      };
    case 'ipvlan':
      return {
        kind: { kind: 'ipvlan', data: { mode: detail.mode } },
        lower: requireIndex(links, detail.parent),
      };
    case 'vlan':
      return {
        kind: { kind: 'vlan', data: { id: detail.id } },
        lower: requireIndex(links, detail.parent),
      };
    case 'vrf':
      return { kind: { kind: 'vrf', data: { table: detail.table } } };
    case 'dummy':
      return { kind: { kind: 'dummy' } };
    case 'ipip':
      return { kind: { kind: 'ipip', data: ipipOptions(detail) } };
    case 'ip6tnl':
      return {
        kind: {
          kind: 'ip6tnl',
          data: {
            innerProtocol: INNER_IPV6,
            ...(detail.external === true ? { collectMetadata: true as const } : {}),
          },
        },
      };
    case 'wireguard':
      return { kind: { kind: 'wireguard' } };
    case 'ifb':
      return { kind: { kind: 'ifb' } };
    case 'tun':
      throw new RangeError(`link ${link.name}: a ${detail.mode} link is made by ioctl, where it is to be`);
    case 'other':
      throw new RangeError(`link ${link.name}: links of kind ${detail.linkKind} are seen, never made`);
  }
}

function ipipOptions({ local, ttl }: LinkDetail & { type: 'ipip' }) {
  return { ...(local === undefined ? {} : { local }), ...(ttl === undefined ? {} : { ttl }) };
}

function macvlanOptions({ mode, broadcastQueueLength }: LinkDetail & { type: 'macvlan' }) {
  return { mode, ...(broadcastQueueLength === undefined ? {} : { broadcastQueueLength }) };
}

/** VLAN filtering is off in a new bridge; kernels built without it refuse to hear even that. */
function newBridge({ vlanFiltering, ...detail }: LinkDetail & { type: 'bridge' }) {
  return vlanFiltering === true ? { ...detail, vlanFiltering } : detail;
}

function bridgeOptions(detail: LinkDetail & { type: 'bridge' }) {
  return {
    ...(detail.vlanFiltering === undefined ? {} : { vlanFiltering: detail.vlanFiltering ? 1 : 0 }),
    ...(detail.vlanDefaultPvid === undefined ? {} : { vlanDefaultPvid: detail.vlanDefaultPvid }),
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
