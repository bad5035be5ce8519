/** Values as Calico writes them: AS numbers as number or text, durations as Go has them, addresses with a port. Each throws what is wrong. */

import { digest64 } from '#base/hash.ts';
import { formatIp, parseIp, parseScopedIp, type ScopedIp } from '#base/ip/index.ts';
import type { Asn, RouterId } from '../model.ts';

/** A number, its text, or two halves with a dot between (RFC 5396: asdot). */
export function parseAsn(value: number | string): Asn {
  const text = String(value);
  const dotted = /^(\d{1,5})\.(\d{1,5})$/.exec(text);
  const [high, low] = [Number(dotted?.[1] ?? 0), Number(dotted?.[2] ?? text)];
  const isNumber = dotted !== null || /^\d{1,10}$/.test(text);
  const asn = high * 0x1_0000 + low;
  const isHalf = dotted === null || (high <= 0xffff && low <= 0xffff);
  if (!isNumber || !isHalf || asn < 1 || asn > 0xffff_ffff)
    throw new RangeError(`"${text}" is no AS number: 1 to 4294967295`);
  return asn;
}

const SECONDS = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 } as const;

/** Whole seconds of `1m30s`. */
export function parseDuration(text: string): number {
  let seconds = 0;
  let at = 0;
  for (const [part, amount = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/gy)) {
    seconds += Number(amount) * (SECONDS[unit as keyof typeof SECONDS] ?? 0);
    at += part.length;
  }
  if (text === '0') return 0;
  if (at === 0 || at !== text.length) throw new RangeError(`"${text}" is no duration such as 120s or 1m30s`);
  return Math.round(seconds);
}

export interface PeerAddress extends ScopedIp {
  readonly port?: number;
}

/** `10.0.0.1`, `10.0.0.1:1179`, `fd00::1` or `[fd00::1]:1179`; one that is link-local may have its link: `fe80::1%eth0`. */
export function parsePeerAddress(text: string): PeerAddress {
  const bare = parseScopedIp(text);
  if (bare !== undefined) return bare;
  const parts = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(text);
  const scoped = parseScopedIp(parts?.[1] ?? parts?.[2] ?? '');
  const port = Number(parts?.[3]);
  if (scoped === undefined || !(port >= 1 && port <= 0xffff))
    throw new RangeError(
      `"${text}" is no address, or address and port such as 10.0.0.1:179, [fd00::1]:179 or [fe80::1%eth0]:179`,
    );
  return { ...scoped, port };
}

/** An identifier that is written as an IPv4 address. */
export function parseRouterId(text: string): RouterId {
  const bytes = parseIp(text);
  if (bytes?.length !== 4) throw new RangeError(`"${text}" is no IPv4 address`);
  return new DataView(bytes.buffer).getUint32(0);
}

/** An identifier for a node without an IPv4 address, from its name: never zero. */
export function hashedRouterId(name: string): RouterId {
  return Number(digest64(name) & 0xffff_ffffn) || 1;
}

/** The text of an identifier. */
export function formatRouterId(id: RouterId): string {
  return formatIp(Uint8Array.of(id >>> 24, id >>> 16, id >>> 8, id));
}
