/** Neighbours and VXLAN forwarding entries as RTM_NEWNEIGH and RTM_DELNEIGH. */
import { familyOf } from '#base/ip/index.ts';
import type { FdbEntry, KernelOp, Neighbour } from '#core/kernel/index.ts';
import { encodeMessage, NLM_F } from '../message.ts';
import { type LinkIndex, requireIndex } from './link-index.ts';
import { NTF, neighbourMessage, PERMANENT_NOARP, RTM_NEIGHBOUR } from './neighbour.ts';
import { AF } from './scope.ts';

const ALL_ZERO_MAC = '00:00:00:00:00:00';

/** Adding takes the place of an entry that ARP or NDP learned: such a one is no state of anybody's. */
export function encodeNeighbour(verb: KernelOp['verb'], entry: Neighbour, links: LinkIndex): Uint8Array {
  return neighbourOp(verb !== 'remove', 'permanent', entry, links);
}

/** The kernel announces no change of the protocol number alone: then the entry is in another state, as valid, for a moment. */
export function encodeReplaceNeighbour(
  entry: Neighbour,
  previous: Neighbour,
  links: LinkIndex,
): Uint8Array[] {
  const messages = [neighbourOp(true, 'permanent', entry, links)];
  if (entry.protocol !== previous.protocol) messages.unshift(neighbourOp(true, 'noarp', entry, links));
  return messages;
}

function neighbourOp(
  set: boolean,
  state: 'permanent' | 'noarp',
  entry: Neighbour,
  links: LinkIndex,
): Uint8Array {
  return encodeMessage(neighbourMessage, {
    type: set ? RTM_NEIGHBOUR.NEW : RTM_NEIGHBOUR.DEL,
    flags: set ? NLM_F.CREATE | NLM_F.REPLACE : 0,
    payload: {
      family: familyOf(entry.address) === 4 ? AF.INET : AF.INET6,
      index: requireIndex(links, entry.link),
      state,
      flags: 0,
      type: 0,
      attributes: set
        ? { dst: entry.address, linkLayerAddress: entry.mac, protocol: entry.protocol }
        : { dst: entry.address },
    },
  });
}

/** The all-zero MAC has many destinations, so one is appended; any other has one, and takes the place of a learned entry. */
export function encodeFdb(verb: KernelOp['verb'], entry: FdbEntry, links: LinkIndex): Uint8Array {
  const remove = verb === 'remove';
  const create = NLM_F.CREATE | (entry.mac === ALL_ZERO_MAC ? NLM_F.APPEND : NLM_F.REPLACE);
  return encodeMessage(neighbourMessage, {
    type: remove ? RTM_NEIGHBOUR.DEL : RTM_NEIGHBOUR.NEW,
    flags: remove ? 0 : create,
    payload: {
      family: AF.BRIDGE,
      index: requireIndex(links, entry.link),
      state: PERMANENT_NOARP,
      flags: NTF.SELF,
      type: 0,
      attributes: { dst: entry.dst, linkLayerAddress: entry.mac },
    },
  });
}
