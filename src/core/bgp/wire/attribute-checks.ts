/** When the value of an attribute is malformed though its bytes are in order. */
import type { IpAddress } from '#base/ip/index.ts';
import type { AsPathSegment, PathAttributes } from '../model.ts';
import type { UpdateContext } from './attributes.ts';

/** Why it is malformed; undefined if it is not. */
export type Check<T> = (value: T, context: UpdateContext) => string | undefined;

const isConfederate = ({ type }: AsPathSegment) => type === 'confed-sequence' || type === 'confed-set';

export const checkAsPath: Check<readonly AsPathSegment[]> = (path, context) => {
  if (holdsZero(path)) return 'as number 0'; // RFC 7607 section 2
  const [first] = path;
  // RFC 5065 section 5: between members of a confederation the path begins with members, from elsewhere it names none.
  if (context.relation === 'confederation' && first?.type !== 'confed-sequence')
    return 'the path does not begin with a member of the confederation';
  if (context.relation !== 'external') return undefined;
  if (path.some(isConfederate)) return 'members of a confederation in a path from outside';
  // RFC 4271 section 6.3: the leftmost AS is the peer's, if that is asked for.
  if (context.isFirstAsnChecked !== true) return undefined;
  if (first?.type !== 'sequence' || first.asns[0] !== expectedFirst(context))
    return `the path begins with ${first?.asns[0] ?? 'nothing'}, the peer is ${context.peerAsn}`;
  return undefined;
};

/** RFC 4271 section 6.3: it has to be the address of a host. */
export function checkHost(address: IpAddress): string | undefined {
  const isHost = address.includes(':')
    ? address !== '::' && !/^ff[0-9a-f]{2}:/.test(address)
    : !/^(0|22[4-9]|2[3-5][0-9])\./.test(address);
  return isHost ? undefined : `${address} is no address of a host`;
}

export const checkAs4Path: Check<readonly AsPathSegment[]> = (path) =>
  holdsZero(path) ? 'as number 0' : undefined; // RFC 7607 section 2

export const checkAggregator: Check<NonNullable<PathAttributes['aggregator']>> = ({ asn }) =>
  asn === 0 ? 'as number 0' : undefined; // RFC 7607 section 2

function holdsZero(path: readonly AsPathSegment[]): boolean {
  return path.some(({ asns }) => asns.includes(0));
}

/** A peer without four octets writes what it is called there. */
function expectedFirst({ peerAsn, hasFourOctetAsn }: UpdateContext): number {
  return hasFourOctetAsn || peerAsn <= 0xffff ? peerAsn : 23456;
}
