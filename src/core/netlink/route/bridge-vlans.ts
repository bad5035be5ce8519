/** The VLANs of a bridge's port, or of a bridge itself: RTM_SETLINK adds some, RTM_DELLINK removes some, RTM_GETLINK dumps all. */
import { type BridgeVlans, LAST_VLAN, type Link, vlanChange } from '#core/kernel/index.ts';
import { encodeMessage } from '../message.ts';
import {
  BRIDGE_FLAGS,
  bridgeMessage,
  BRIDGE_VLAN_INFO as INFO,
  RTEXT_FILTER_BRVLAN_COMPRESSED,
  type VlanInfo,
} from './bridge-message.ts';
import { RTM_LINK } from './link.ts';
import { AF } from './scope.ts';

const HEADER = { family: AF.BRIDGE, deviceType: 0, index: 0, flags: 0, change: 0 } as const;

/** Dumps the VLANs of all bridges and ports. */
export function vlanDump(): Uint8Array {
  return encodeMessage(bridgeMessage, {
    type: RTM_LINK.GET,
    flags: 0,
    payload: { ...HEADER, attributes: { extensions: RTEXT_FILTER_BRVLAN_COMPRESSED } },
  });
}

/**
 * The messages that lead from `previous` (absent: unknown) to the VLANs a link is to have. New ones come first: those that stay lose no
 * packet. Throws RangeError for a VLAN that is none, or two that are PVID.
 */
export function encodeVlans(link: Link, previous: Link['vlans'], index: number): Uint8Array[] {
  const { vlans = [] } = link;
  requireVlans(link.name, vlans);
  const { add, remove } = vlanChange(vlans, previous);
  const flags = link.detail.type === 'bridge' ? BRIDGE_FLAGS.SELF : BRIDGE_FLAGS.MASTER;
  const message = (type: number, ranges: readonly BridgeVlans[]) =>
    encodeMessage(bridgeMessage, {
      type,
      flags: 0,
      payload: { ...HEADER, index, attributes: { bridge: { flags, vlans: ranges.flatMap(infosOf) } } },
    });
  const messages: Uint8Array[] = [];
  if (add.length > 0) messages.push(message(RTM_LINK.SET, add));
  if (remove.length > 0) messages.push(message(RTM_LINK.DEL, remove));
  return messages;
}

/** The VLANs of a message; undefined for none. What a range's end lacks is taken from its beginning. */
export function vlansOf(infos: readonly VlanInfo[] = []): Link['vlans'] {
  const vlans: BridgeVlans[] = [];
  let begin: VlanInfo | undefined;
  for (const info of infos) {
    if ((info.flags & INFO.RANGE_BEGIN) !== 0) {
      begin = info;
      continue;
    }
    const { id: from, flags } = begin ?? info;
    begin = undefined;
    vlans.push({
      from,
      ...(info.id > from && { to: info.id }),
      ...((flags & INFO.PVID) !== 0 && { pvid: true }),
      ...((flags & INFO.UNTAGGED) !== 0 && { untagged: true }),
    });
  }
  return vlans.length === 0 ? undefined : vlans;
}

/** The VLANs of a link that is new: a bridge is in its default one from the beginning, and tells only of changes. */
export function firstVlansOf({ detail }: Link): Link['vlans'] {
  if (detail.type !== 'bridge' || !detail.vlanDefaultPvid) return undefined;
  return [{ from: detail.vlanDefaultPvid, pvid: true, untagged: true }];
}

function infosOf({ from, to = from, pvid, untagged }: BridgeVlans): VlanInfo[] {
  const flags = (pvid === true ? INFO.PVID : 0) | (untagged === true ? INFO.UNTAGGED : 0);
  if (to === from) return [{ id: from, flags }];
  return [
    { id: from, flags: flags | INFO.RANGE_BEGIN },
    { id: to, flags: flags | INFO.RANGE_END },
  ];
}

function requireVlans(name: string, vlans: readonly BridgeVlans[]): void {
  for (const { from, to = from } of vlans) {
    if (from >= 1 && from <= to && to <= LAST_VLAN) continue;
    throw new RangeError(`link ${name}: there are no VLANs ${from} to ${to}, only 1 to ${LAST_VLAN}`);
  }
  const pvids = vlans.filter(({ pvid }) => pvid === true);
  if (pvids.length > 1 || pvids.some(({ from, to = from }) => to !== from))
    throw new RangeError(`link ${name}: one VLAN can be the PVID, not several`);
}
