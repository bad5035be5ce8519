/**
 * Our own changes as the kernel announces them. A notification of a new route, neighbour or forwarding entry repeats what was asked
 * for, with a few more attributes that the mirror does not look at: where the bytes that count are those of the request, the object
 * is known and need not be decoded. That holds whoever made the change; what is not recognised, or is no proper row of attributes, is
 * decoded as anybody's.
 */
import { familyOf } from '#base/ip/index.ts';
import {
  type KernelObject,
  type KernelOp,
  keyOfOp,
  MAIN_TABLE,
  type Route,
  routeMetric,
} from '#core/kernel/index.ts';
import { HEADER_BYTES } from '../message.ts';
import { NTF, RTM_NEIGHBOUR } from './neighbour.ts';
import { RTNH_F } from './next-hop.ts';
import { isPlainRoute } from './plain-route.ts';
import { RTM_F_CLONED, RTM_ROUTE } from './route.ts';

type Echoed = Extract<KernelObject, { readonly kind: 'route' | 'neighbour' | 'fdb' }>;

export interface Echo {
  /** As decoding the notification would have given it. */
  readonly object: Echoed;
  readonly key: string;
  /** The number of its link as the notification has it. */
  readonly index: number;
}

interface Expected {
  readonly request: Uint8Array;
  readonly op: KernelOp;
}

/** So many refused requests in a row are passed over; behind more, notifications are decoded. */
const LOOKAHEAD = 8;
/** Requests are forgotten so many at a time. */
const DONE_MAX = 500;
const BODY_AT = HEADER_BYTES;
const ATTRIBUTES_AT = HEADER_BYTES + 12;
const NEIGHBOUR_INDEX_AT = HEADER_BYTES + 4;
const NEIGHBOUR_FLAGS_AT = HEADER_BYTES + 10;
const ROUTE_TABLE_AT = HEADER_BYTES + 4;
const ROUTE_FLAGS_AT = HEADER_BYTES + 8;
const ROUTE_TABLE = 15;
const OUTPUT_LINK = 4;
/** What the mirror reads of a message, as bits: destination, link-layer address and protocol of neighbours. */
const NEIGHBOUR_ATTRIBUTES = (1 << 1) | (1 << 2) | (1 << 12);
/** Of routes: destination, link, gateway, metric, source, metrics, next hops, gateway of another family and tunnel; the table apart. */
const ROUTE_ATTRIBUTES =
  (1 << 1) |
  (1 << OUTPUT_LINK) |
  (1 << 5) |
  (1 << 6) |
  (1 << 7) |
  (1 << 8) |
  (1 << 9) |
  (1 << 18) |
  (1 << 21) |
  (1 << 22);

/** Requests under way, in their order. */
export class EchoQueue {
  private expected: Expected[] = [];
  private next = 0;

  /** Before the request is sent. Requests of other kinds are left to decoding. */
  expect(request: Uint8Array, op: KernelOp): void {
    const { verb, object } = op;
    if (verb === 'remove') return;
    if (this.next >= DONE_MAX) {
      this.expected = this.expected.slice(this.next);
      this.next = 0;
    }
    const isKnown =
      object.kind === 'route' ? isPlainRoute(object) : object.kind === 'neighbour' || object.kind === 'fdb';
    if (isKnown) this.expected.push({ request, op });
  }

  /** Nothing is under way any more. */
  clear(): void {
    this.expected = [];
    this.next = 0;
  }

  /** What a notification tells, if it answers one of the next requests. */
  take(notification: Uint8Array): Echo | undefined {
    const { expected } = this;
    const end = Math.min(expected.length, this.next + LOOKAHEAD);
    for (let at = this.next; at < end; at++) {
      const { request, op } = expected[at] as Expected;
      const index = linkOfMatch(request, notification);
      if (index === undefined) continue;
      this.next = at + 1;
      const object = op.object as Echoed;
      return { object: object.kind === 'route' ? announcedRoute(object) : object, key: keyOfOp(op), index };
    }
    return undefined;
  }
}

/** The link of an object that is on one. */
export function linkOfEchoed(object: Echoed): string | undefined {
  return object.kind === 'route' ? object.nextHops[0]?.link : object.link;
}

/** A plain route with all that the kernel tells of one. */
export function announcedRoute(route: Route): Route {
  const { kind, dst, nextHops, protocol } = route;
  const metric = routeMetric(route);
  const table = route.table ?? MAIN_TABLE;
  if (familyOf(dst) === 6)
    return table === MAIN_TABLE
      ? { kind, dst, nextHops, metric, protocol }
      : { kind, dst, nextHops, metric, protocol, table };
  const scope = route.scope ?? 'global';
  return table === MAIN_TABLE
    ? { kind, dst, nextHops, metric, protocol, scope }
    : { kind, dst, nextHops, metric, protocol, table, scope };
}

/** The link's number if the notification says of all that counts what the request says. */
export function linkOfMatch(request: Uint8Array, notification: Uint8Array): number | undefined {
  if (uint16(request, 4) !== uint16(notification, 4) || notification.length < ATTRIBUTES_AT) return undefined;
  switch (uint16(notification, 4)) {
    case RTM_NEIGHBOUR.NEW:
      // Family, link and state; type and other flags are the kernel's.
      if (!equalBytes(request, BODY_AT, notification, BODY_AT, 10)) return undefined;
      if (((notification[NEIGHBOUR_FLAGS_AT] as number) & NTF.PROXY) !== 0) return undefined;
      if (!equalAttributes(request, notification, NEIGHBOUR_ATTRIBUTES)) return undefined;
      return int32(notification, NEIGHBOUR_INDEX_AT);
    case RTM_ROUTE.NEW: {
      // All but the flags, of which one is a wish.
      if (!equalBytes(request, BODY_AT, notification, BODY_AT, 8)) return undefined;
      const flags = int32(notification, ROUTE_FLAGS_AT);
      if ((flags & RTM_F_CLONED) !== 0) return undefined;
      if (((flags ^ int32(request, ROUTE_FLAGS_AT)) & RTNH_F.ONLINK) !== 0) return undefined;
      if (tableOf(notification) !== tableOf(request)) return undefined;
      if (!equalAttributes(request, notification, ROUTE_ATTRIBUTES)) return undefined;
      return valueOf(notification, OUTPUT_LINK);
    }
  }
  return undefined;
}

function tableOf(route: Uint8Array): number {
  return valueOf(route, ROUTE_TABLE) ?? (route[ROUTE_TABLE_AT] as number);
}

/** Of the attributes in `mask` both have the same, with the same content. */
function equalAttributes(a: Uint8Array, b: Uint8Array, mask: number): boolean {
  let wanted = 0;
  for (let at = ATTRIBUTES_AT; at + 4 <= a.length; at = next(a, at)) {
    const type = uint16(a, at + 2);
    if (!isIn(mask, type)) continue;
    wanted++;
    const found = attributeAt(b, type);
    const length = uint16(a, at);
    if (found < 0 || found + length > b.length || !equalBytes(a, at, b, found, length)) return false;
  }
  for (let at = ATTRIBUTES_AT; at < b.length; at = next(b, at)) {
    const length = uint16(b, at);
    if (length < 4 || at + length > b.length) return false;
    if (isIn(mask, uint16(b, at + 2))) wanted--;
  }
  return wanted === 0;
}

function isIn(mask: number, type: number): boolean {
  return type < 32 && ((mask >>> type) & 1) !== 0;
}

/** The place of the first attribute of a type, or -1. */
export function attributeAt(message: Uint8Array, type: number): number {
  for (let at = ATTRIBUTES_AT; at + 4 <= message.length; at = next(message, at))
    if (uint16(message, at + 2) === type) return at;
  return -1;
}

function valueOf(message: Uint8Array, type: number): number | undefined {
  const at = attributeAt(message, type);
  return at < 0 || uint16(message, at) !== 8 || at + 8 > message.length ? undefined : int32(message, at + 4);
}

/** Attributes begin at multiples of four; one that claims to be shorter than its header ends the walk. */
function next(message: Uint8Array, at: number): number {
  const length = uint16(message, at);
  return length < 4 ? message.length : at + ((length + 3) & ~3);
}

function equalBytes(a: Uint8Array, at: number, b: Uint8Array, from: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[at + i] !== b[from + i]) return false;
  return true;
}

function uint16(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

function int32(bytes: Uint8Array, at: number): number {
  return uint16(bytes, at) | (uint16(bytes, at + 2) << 16);
}
