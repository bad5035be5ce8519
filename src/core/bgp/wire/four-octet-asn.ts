/** AS numbers of four octets through peers that know two (RFC 6793 section 4.2). */
import type { AsPathSegment } from '../model.ts';
import type { WireAttributes } from './attributes.ts';
import { AS_TRANS } from './open.ts';

const isConfederate = ({ type }: AsPathSegment) => type === 'confed-sequence' || type === 'confed-set';

/** From a peer with two octets: puts what travelled beside the attributes into them (section 4.2.3). Changes the attributes. */
export function mergeFourOctet(attributes: WireAttributes): void {
  const { as4Path, as4Aggregator, aggregator, asPath } = attributes;
  delete attributes.as4Path;
  delete attributes.as4Aggregator;
  // An AGGREGATOR that is not AS_TRANS was made by one who dropped what is in the others.
  if (aggregator !== undefined && aggregator.asn !== AS_TRANS) return;
  if (aggregator !== undefined && as4Aggregator !== undefined) attributes.aggregator = as4Aggregator;
  if (as4Path !== undefined && asPath !== undefined) attributes.asPath = mergePaths(asPath, as4Path);
}

/** The first of the two-octet path, as many as it is longer, before the four-octet one. */
export function mergePaths(
  asPath: readonly AsPathSegment[],
  as4Path: readonly AsPathSegment[],
): readonly AsPathSegment[] {
  // RFC 6793 section 6: members of a confederation are not to be in an AS4_PATH; they are dropped.
  const wide = as4Path.filter((segment) => !isConfederate(segment));
  let missing = pathLength(asPath) - pathLength(wide);
  if (missing < 0) return asPath;
  const leading: AsPathSegment[] = [];
  for (const segment of asPath) {
    // A leading part of a confederation is kept: it is right before what follows.
    if (missing === 0 && !isConfederate(segment)) break;
    if (isConfederate(segment)) {
      leading.push(segment);
    } else if (segment.type === 'set') {
      leading.push(segment);
      missing -= 1;
    } else {
      const asns = segment.asns.slice(0, missing);
      leading.push({ type: 'sequence', asns });
      missing -= asns.length;
      if (asns.length < segment.asns.length) break;
    }
  }
  const last = leading.at(-1);
  const [first, ...others] = wide;
  if (last?.type !== 'sequence' || first?.type !== 'sequence') return [...leading, ...wide];
  const joined: AsPathSegment = { type: 'sequence', asns: [...last.asns, ...first.asns] };
  return [...leading.slice(0, -1), joined, ...others];
}

/** RFC 4271 section 9.1.2.2, RFC 5065 section 5.3: a set counts as one, members of a confederation do not count. */
function pathLength(path: readonly AsPathSegment[]): number {
  let length = 0;
  for (const segment of path) {
    if (!isConfederate(segment)) length += segment.type === 'set' ? 1 : segment.asns.length;
  }
  return length;
}

/** For a peer with two octets: what does not fit is AS_TRANS, and travels beside it (sections 4.2.2). */
export function splitFourOctet(attributes: WireAttributes): WireAttributes {
  const { asPath = [], aggregator } = attributes;
  const out: WireAttributes = { ...attributes };
  if (asPath.some(({ asns }) => asns.some(isWide))) {
    out.asPath = asPath.map(({ type, asns }) => ({ type, asns: asns.map(narrowed) }));
    const wide = asPath.filter((segment) => !isConfederate(segment));
    if (wide.some(({ asns }) => asns.some(isWide))) out.as4Path = wide;
  }
  if (aggregator !== undefined && isWide(aggregator.asn)) {
    out.aggregator = { ...aggregator, asn: AS_TRANS };
    out.as4Aggregator = aggregator;
  }
  return out;
}

const isWide = (asn: number) => asn > 0xffff;
const narrowed = (asn: number) => (isWide(asn) ? AS_TRANS : asn);
