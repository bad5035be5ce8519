/**
 * One namespace at one moment, whoever made what is in it: links, addresses, routes of all tables but the kernel's local one, and rules;
 * where they are asked for, permanent neighbours and VXLAN forwarding entries too.
 */
import { Reader } from '#core/codec/index.ts';
import { type KernelObject, keyOf } from '#core/kernel/index.ts';
import { decodeMessage, messageHeader } from '../message.ts';
import { addressMessage, RTM_ADDRESS } from './address.ts';
import { addressOf, fdbOf, linkOf, neighbourOf, routeOf, ruleOf } from './decode.ts';
import { dumpRequests, everyRouteRequests } from './dump.ts';
import { type LinkMessage, linkMessage, RTM_LINK } from './link.ts';
import { isPermanent } from './mirror-facts.ts';
import { NTF, neighbourMessage, RTM_NEIGHBOUR } from './neighbour.ts';
import { RTM_F_CLONED, RTM_ROUTE, routeMessage } from './route.ts';
import { FIB_RULE, RTM_RULE, ruleMessage } from './rule.ts';
import { AF } from './scope.ts';

/** The kernel's own table of local and broadcast addresses. */
const LOCAL_TABLE = 255;

/** The dumps whose answers snapshotOf takes, in order. */
export function snapshotRequests(): Uint8Array[] {
  return [...dumpRequests(['link', 'address']), ...everyRouteRequests(), ...dumpRequests(['rule'])];
}

/** The same with neighbours and forwarding entries. */
export function fullSnapshotRequests(): Uint8Array[] {
  return [...snapshotRequests(), ...dumpRequests(['neighbour', 'fdb'])];
}

/** The objects that the answers tell of, by key. What this vocabulary has no words for is left out. Throws DecodeError. */
export function snapshotOf(messages: Iterable<Uint8Array>): Map<string, KernelObject> {
  const state = new Map<string, KernelObject>();
  const names = new Map<number, string>();
  const links: LinkMessage[] = [];
  const nameOf = (index: number) => names.get(index) ?? '';
  for (const message of messages) {
    const { type } = messageHeader.decode(new Reader(message));
    let object: KernelObject | undefined;
    if (type === RTM_LINK.NEW) {
      const { payload } = decodeMessage(linkMessage, message);
      if (payload.family !== AF.UNSPEC || payload.attributes.name === undefined) continue;
      names.set(payload.index, payload.attributes.name);
      links.push(payload);
    } else if (type === RTM_ADDRESS.NEW) {
      const { payload } = decodeMessage(addressMessage, message);
      object = addressOf(payload, nameOf(payload.index));
    } else if (type === RTM_ROUTE.NEW) object = routeIn(message, nameOf);
    else if (type === RTM_RULE.NEW) {
      const { payload } = decodeMessage(ruleMessage, message);
      if ((payload.flags & FIB_RULE.INVERT) === 0) object = ruleOf(payload);
    } else if (type === RTM_NEIGHBOUR.NEW) object = neighbourIn(message, nameOf);
    if (object !== undefined) state.set(keyOf(object), object);
  }
  // A link may stand on one that is listed after it.
  for (const payload of links) {
    const link = linkOf(payload, (index) => names.get(index));
    state.set(keyOf(link), link);
  }
  return state;
}

/** A neighbour that nobody marked has protocol 0, which the kernel does not show. */
function neighbourIn(message: Uint8Array, nameOf: (index: number) => string): KernelObject | undefined {
  const { payload } = decodeMessage(neighbourMessage, message);
  const { index, attributes, flags, state } = payload;
  if ((flags & NTF.PROXY) !== 0 || !isPermanent(state)) return undefined;
  // The entries of bridges have no destination.
  if (payload.family === AF.BRIDGE) return fdbOf(payload, nameOf(index));
  return neighbourOf({ ...payload, attributes: { protocol: 0, ...attributes } }, nameOf(index));
}

function routeIn(message: Uint8Array, nameOf: (index: number) => string): KernelObject | undefined {
  const { payload } = decodeMessage(routeMessage, message);
  if ((payload.flags & RTM_F_CLONED) !== 0 || payload.tos !== 0 || payload.srcLength !== 0) return undefined;
  const route = routeOf(payload, nameOf);
  return route?.table === LOCAL_TABLE ? undefined : route;
}
