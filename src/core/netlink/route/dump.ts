/** The requests of dumps, and the multicast groups that keep a mirror fresh after one. */
import { type Owner, USUAL_OWNERS } from '#core/kernel/index.ts';
import { encodeMessage } from '../message.ts';
import { qdiscDump } from '../traffic/encode.ts';
import { addressMessage, RTM_ADDRESS } from './address.ts';
import { vlanDump } from './bridge-vlans.ts';
import { linkMessage, RTEXT_FILTER_SKIP_STATS, RTM_LINK } from './link.ts';
import { neighbourMessage, RTM_NEIGHBOUR } from './neighbour.ts';
import { RTM_ROUTE, routeMessage } from './route.ts';
import { RTM_RULE, ruleMessage } from './rule.ts';
import { AF } from './scope.ts';

/** Kinds of objects, and `vlan` for the VLANs of bridges and their ports. */
export type DumpKind =
  | 'link'
  | 'vlan'
  | 'address'
  | 'route'
  | 'neighbour'
  | 'fdb'
  | 'rule'
  | 'qdisc'
  | 'filter';
export const DUMP_KINDS: readonly DumpKind[] = [
  'link',
  'vlan',
  'address',
  'route',
  'neighbour',
  'fdb',
  'rule',
  'qdisc',
  'filter',
];

/** RTNLGRP_*: link, neighbour (with forwarding entries), traffic control, and addresses, routes and rules of both families. */
export const ROUTE_GROUPS: readonly number[] = [1, 3, 4, 5, 7, 8, 9, 11, 19];

const FAMILIES = [AF.INET, AF.INET6] as const;

/**
 * The dumps that fill a mirror, links first. Strict checking (NETLINK_GET_STRICT_CHK) must be on: routes are filtered by the
 * kernel, one dump per owner's protocol number and family, so that a full BGP table beside ours costs no messages.
 */
export function dumpRequests(
  kinds: readonly DumpKind[] = DUMP_KINDS,
  owners: readonly Owner[] = USUAL_OWNERS,
): Uint8Array[] {
  return DUMP_KINDS.filter((kind) => kinds.includes(kind)).flatMap((kind) => requestsOf(kind, owners));
}

/** Dumps all routes of both families, whoever made them: for namespaces that have few. */
export function everyRouteRequests(): Uint8Array[] {
  return FAMILIES.map((family) => routeDump(family, 0));
}

function requestsOf(kind: DumpKind, owners: readonly Owner[]): Uint8Array[] {
  switch (kind) {
    case 'link':
      return [encodeLinkRequest({})];
    case 'vlan':
      return [vlanDump()];
    case 'address':
      return [encodeMessage(addressMessage, { type: RTM_ADDRESS.GET, flags: 0, payload: EMPTY_ADDRESS })];
    case 'route':
      return FAMILIES.flatMap((family) => owners.map(({ protocol }) => routeDump(family, protocol)));
    case 'neighbour':
      return FAMILIES.map(neighbourDump);
    case 'fdb':
      return [neighbourDump(AF.BRIDGE)];
    case 'rule':
      return FAMILIES.map(ruleDump);
    case 'qdisc':
      return [qdiscDump()];
    case 'filter':
      return []; // of each link that has any: RouteMirror.filterRequests()
  }
}

const EMPTY_ADDRESS = {
  family: AF.UNSPEC,
  prefixLength: 0,
  flags: 0,
  scope: 'global',
  index: 0,
  attributes: {},
} as const;

/** Asks for one link by name; the answer is a message for decodeLink, or ENODEV. */
export function linkRequest(name: string): Uint8Array {
  return encodeLinkRequest({ name });
}

function encodeLinkRequest(attributes: { readonly name?: string }): Uint8Array {
  const header = { family: AF.UNSPEC, deviceType: 0, index: 0, flags: 0, change: 0 };
  const payload = { ...header, attributes: { ...attributes, extensions: RTEXT_FILTER_SKIP_STATS } };
  return encodeMessage(linkMessage, { type: RTM_LINK.GET, flags: 0, payload });
}

/** Dumps the IPv6 addresses of one link: the kernel tells of a new one only when its duplicate address detection has run, or was skipped. */
export function linkAddressesRequest(index: number): Uint8Array {
  return encodeMessage(addressMessage, {
    type: RTM_ADDRESS.GET,
    flags: 0,
    payload: { ...EMPTY_ADDRESS, family: AF.INET6, index },
  });
}

function routeDump(family: number, protocol: number): Uint8Array {
  return encodeMessage(routeMessage, {
    type: RTM_ROUTE.GET,
    flags: 0,
    payload: {
      family,
      dstLength: 0,
      srcLength: 0,
      tos: 0,
      table: 0,
      protocol,
      scope: 'global',
      type: 'unspecified',
      flags: 0,
      attributes: {},
    },
  });
}

function neighbourDump(family: number): Uint8Array {
  return encodeMessage(neighbourMessage, {
    type: RTM_NEIGHBOUR.GET,
    flags: 0,
    payload: { family, index: 0, state: 'none', flags: 0, type: 0, attributes: {} },
  });
}

function ruleDump(family: number): Uint8Array {
  return encodeMessage(ruleMessage, {
    type: RTM_RULE.GET,
    flags: 0,
    payload: {
      family,
      dstLength: 0,
      srcLength: 0,
      tos: 0,
      table: 0,
      action: 0,
      flags: 0,
      attributes: {},
    },
  });
}
