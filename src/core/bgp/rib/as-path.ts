/** AS paths on their way out: what is put before them and what is taken from them. */
import type { Asn, AsPathSegment } from '../model.ts';

/** As many as a segment can have on the wire. */
const MAX_SEGMENT = 255;

/** The path with an AS before it, or several: in a sequence (RFC 4271 section 5.1.2). */
export function prepended(path: readonly AsPathSegment[], ...asns: readonly Asn[]): readonly AsPathSegment[] {
  return withFirst(path, 'sequence', asns);
}

/** The path with a member's AS before it (RFC 5065 section 5.2). */
export function confedPrepended(path: readonly AsPathSegment[], asn: Asn): readonly AsPathSegment[] {
  return withFirst(path, 'confed-sequence', [asn]);
}

function withFirst(
  path: readonly AsPathSegment[],
  type: 'sequence' | 'confed-sequence',
  asns: readonly Asn[],
): readonly AsPathSegment[] {
  if (asns.length === 0) return path;
  const [first] = path;
  const isJoined = first?.type === type && first.asns.length + asns.length <= MAX_SEGMENT;
  // Not by spreading: a list made so has room for more, which nobody needs.
  const segment: AsPathSegment = { type, asns: isJoined ? asns.concat(first.asns) : asns };
  const others = path.slice(isJoined ? 1 : 0);
  return others.length === 0 ? [segment] : [segment].concat(others);
}

/** The path as it is told outside a confederation (RFC 5065 section 5.2). */
export function withoutConfed(path: readonly AsPathSegment[]): readonly AsPathSegment[] {
  const isInside = ({ type }: AsPathSegment): boolean => type === 'confed-sequence' || type === 'confed-set';
  return path.some(isInside) ? path.filter((segment) => !isInside(segment)) : path;
}

/** The path without the numbers that are private (RFC 6996), or with another in their place. */
export function withoutPrivate(
  path: readonly AsPathSegment[],
  replacement: Asn | undefined,
): readonly AsPathSegment[] {
  if (!path.some(({ asns }) => asns.some(isPrivateAsn))) return path;
  return mapped(path, (asn) => (isPrivateAsn(asn) ? replacement : asn));
}

/** The path with another number in place of the peer's, which would take the route for a loop. */
export function withoutOwnPeer(
  path: readonly AsPathSegment[],
  peer: Asn,
  replacement: Asn,
): readonly AsPathSegment[] {
  if (!path.some(({ asns }) => asns.includes(peer))) return path;
  return mapped(path, (asn) => (asn === peer ? replacement : asn));
}

function mapped(path: readonly AsPathSegment[], change: (asn: Asn) => Asn | undefined): AsPathSegment[] {
  return path
    .map(({ type, asns }) => ({ type, asns: asns.map(change).filter((asn) => asn !== undefined) }))
    .filter(({ asns }) => asns.length > 0);
}

function isPrivateAsn(asn: Asn): boolean {
  return (asn >= 64_512 && asn <= 65_534) || (asn >= 4_200_000_000 && asn <= 4_294_967_294);
}
