/** What a speaker says it can do (RFC 5492), as one value; capabilities nobody here knows are not kept. */
import { type Codec, decodeAll, encodeAll, type ValueOf } from '#core/codec/index.ts';
import type { Asn, RouteFamily } from '../model.ts';
import { CAPABILITY, CAPABILITY_CODECS } from './capability-table.ts';
import { familyOfNumbers, numbersOf } from './family.ts';

/** A capability as it comes. */
export interface RawCapability {
  readonly code: number;
  readonly value: Uint8Array;
}

export interface AddPathAbility {
  readonly canReceive: boolean;
  readonly canSend: boolean;
}

export interface RestartAbility {
  /** 0 to 4095. */
  readonly restartTimeSec: number;
  readonly isRestarting: boolean;
  /** RFC 8538: a NOTIFICATION, too, is a reason to keep routes. */
  readonly keepsAfterNotification: boolean;
  readonly families: ReadonlyMap<RouteFamily, { readonly isForwardingKept: boolean }>;
}

export interface LongLivedAbility {
  readonly staleTimeSec: number;
  readonly isForwardingKept: boolean;
}

export interface Capabilities {
  /** RFC 4760; absent: nothing was said, and it is IPv4 unicast. */
  readonly families?: readonly RouteFamily[];
  readonly hasRouteRefresh: boolean;
  readonly hasEnhancedRefresh: boolean;
  readonly hasExtendedMessages: boolean;
  readonly fourOctetAsn?: Asn;
  /** Families whose prefixes may have IPv6 next hops though they are IPv4. */
  readonly extendedNextHop: readonly RouteFamily[];
  readonly addPath: ReadonlyMap<RouteFamily, AddPathAbility>;
  readonly restart?: RestartAbility;
  readonly longLived: ReadonlyMap<RouteFamily, LongLivedAbility>;
}

const RESTARTING = 0x8000;
const KEEPS_AFTER_NOTIFICATION = 0x4000;
const RESTART_TIME = 0x0fff;
const FORWARDING_KEPT = 0x80;
const CAN_RECEIVE = 1;
const CAN_SEND = 2;
const IPV6_AFI = 2;

type Name = keyof typeof CAPABILITY_CODECS;
type Mutable = { -readonly [K in keyof Capabilities]: Capabilities[K] };

/** Throws DecodeError for a value that is malformed. */
export function readCapabilities(raw: readonly RawCapability[]): Capabilities {
  const out: Mutable = {
    hasRouteRefresh: false,
    hasEnhancedRefresh: false,
    hasExtendedMessages: false,
    extendedNextHop: [],
    addPath: new Map(),
    longLived: new Map(),
  };
  for (const { code, value } of raw) READERS.get(code)?.(out, value);
  return out;
}

/** All capabilities, in the order of their numbers but for families, which come first. */
export function writeCapabilities(said: Capabilities): RawCapability[] {
  const out: RawCapability[] = [];
  for (const family of said.families ?? [])
    out.push(row('multiprotocol', { ...numbersOf(family), reserved: 0 }));
  if (said.hasRouteRefresh) out.push(row('routeRefresh', true));
  if (said.extendedNextHop.length > 0)
    out.push(
      row(
        'extendedNextHop',
        said.extendedNextHop.map((family) => ({ ...numbersOf(family), nextHopAfi: IPV6_AFI })),
      ),
    );
  if (said.hasExtendedMessages) out.push(row('extendedMessage', true));
  if (said.restart !== undefined) out.push(row('gracefulRestart', restartValue(said.restart)));
  if (said.fourOctetAsn !== undefined) out.push(row('fourOctetAsn', said.fourOctetAsn));
  if (said.addPath.size > 0) out.push(row('addPath', [...said.addPath].map(addPathEntry)));
  if (said.hasEnhancedRefresh) out.push(row('enhancedRefresh', true));
  if (said.longLived.size > 0) out.push(row('longLivedRestart', [...said.longLived].map(longLivedEntry)));
  return out;
}

function row<N extends Name>(name: N, value: ValueOf<(typeof CAPABILITY_CODECS)[N]>): RawCapability {
  const codec = CAPABILITY_CODECS[name] as unknown as Codec<typeof value>;
  return { code: CAPABILITY[name], value: encodeAll(codec, value) };
}

/** What a capability's value adds; of several of one kind the last one counts, of families each. */
const READERS: ReadonlyMap<number, (out: Mutable, value: Uint8Array) => void> = new Map([
  reader('multiprotocol', (out, { afi, safi }) => {
    const family = familyOfNumbers(afi, safi);
    const known = out.families ?? [];
    out.families = family === undefined || known.includes(family) ? known : [...known, family];
  }),
  reader('routeRefresh', (out) => {
    out.hasRouteRefresh = true;
  }),
  reader('extendedNextHop', (out, entries) => {
    const families = entries.flatMap(({ afi, safi, nextHopAfi }) => {
      const family = familyOfNumbers(afi, safi);
      return family === undefined || nextHopAfi !== IPV6_AFI ? [] : [family];
    });
    out.extendedNextHop = [...new Set(families)];
  }),
  reader('extendedMessage', (out) => {
    out.hasExtendedMessages = true;
  }),
  reader('gracefulRestart', (out, { flagsAndTime, families }) => {
    out.restart = {
      restartTimeSec: flagsAndTime & RESTART_TIME,
      isRestarting: (flagsAndTime & RESTARTING) !== 0,
      keepsAfterNotification: (flagsAndTime & KEEPS_AFTER_NOTIFICATION) !== 0,
      families: byFamily(families, ({ flags }) => ({ isForwardingKept: (flags & FORWARDING_KEPT) !== 0 })),
    };
  }),
  reader('fourOctetAsn', (out, asn) => {
    out.fourOctetAsn = asn;
  }),
  reader('addPath', (out, entries) => {
    // RFC 7911 section 4: a mode that is none of the three is to be ignored.
    const valid = entries.filter(({ mode }) => mode >= CAN_RECEIVE && mode <= (CAN_SEND | CAN_RECEIVE));
    out.addPath = byFamily(valid, ({ mode }) => ({
      canReceive: (mode & CAN_RECEIVE) !== 0,
      canSend: (mode & CAN_SEND) !== 0,
    }));
  }),
  reader('enhancedRefresh', (out) => {
    out.hasEnhancedRefresh = true;
  }),
  reader('longLivedRestart', (out, entries) => {
    out.longLived = byFamily(entries, ({ flags, staleTimeSec }) => ({
      staleTimeSec,
      isForwardingKept: (flags & FORWARDING_KEPT) !== 0,
    }));
  }),
]);

function reader<N extends Name>(
  name: N,
  read: (out: Mutable, value: ValueOf<(typeof CAPABILITY_CODECS)[N]>) => void,
): [number, (out: Mutable, value: Uint8Array) => void] {
  const codec = CAPABILITY_CODECS[name] as unknown as Codec<ValueOf<(typeof CAPABILITY_CODECS)[N]>>;
  return [CAPABILITY[name], (out, value) => read(out, decodeAll(codec, value))];
}

function byFamily<E extends { readonly afi: number; readonly safi: number }, T>(
  entries: readonly E[],
  valueOf: (entry: E) => T,
): Map<RouteFamily, T> {
  const out = new Map<RouteFamily, T>();
  for (const entry of entries) {
    const family = familyOfNumbers(entry.afi, entry.safi);
    if (family !== undefined) out.set(family, valueOf(entry));
  }
  return out;
}

function restartValue({ restartTimeSec, isRestarting, keepsAfterNotification, families }: RestartAbility) {
  if (restartTimeSec > RESTART_TIME)
    throw new RangeError(`restart time ${restartTimeSec} s is more than 4095`);
  const flags = (isRestarting ? RESTARTING : 0) | (keepsAfterNotification ? KEEPS_AFTER_NOTIFICATION : 0);
  return {
    flagsAndTime: flags | restartTimeSec,
    families: [...families].map(([family, { isForwardingKept }]) => ({
      ...numbersOf(family),
      flags: isForwardingKept ? FORWARDING_KEPT : 0,
    })),
  };
}

function addPathEntry([family, { canReceive, canSend }]: readonly [RouteFamily, AddPathAbility]) {
  return { ...numbersOf(family), mode: (canReceive ? CAN_RECEIVE : 0) | (canSend ? CAN_SEND : 0) };
}

function longLivedEntry([family, { staleTimeSec, isForwardingKept }]: readonly [
  RouteFamily,
  LongLivedAbility,
]) {
  return { ...numbersOf(family), flags: isForwardingKept ? FORWARDING_KEPT : 0, staleTimeSec };
}
