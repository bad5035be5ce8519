/**
 * Removing many links at once, by their group (IFLA_GROUP): the kernel waits for all of them together (rcu_barrier, some 16 ms),
 * where it would wait for each.
 */
import { encodeMessage } from '../message.ts';
import { linkMessage, RTM_LINK } from './link.ts';
import { AF } from './scope.ts';

/** Puts a link into a group. */
export function encodeGroupLink(index: number, group: number): Uint8Array {
  return message(RTM_LINK.SET, index, group);
}

/** Removes every link of a group; ENODEV if there is none. */
export function encodeRemoveGroup(group: number): Uint8Array {
  return message(RTM_LINK.DEL, 0, group);
}

function message(type: number, index: number, group: number): Uint8Array {
  const header = { family: AF.UNSPEC, deviceType: 0, index, flags: 0, change: 0 };
  return encodeMessage(linkMessage, { type, flags: 0, payload: { ...header, attributes: { group } } });
}
