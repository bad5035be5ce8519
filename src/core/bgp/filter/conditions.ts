/** Conditions of rules, each as a function that says why it does not hold. Compiled once; prefixes are parsed once for a route. */
import { familyBits, familyOf, ipBytes, prefixParts } from '#base/ip/index.ts';
import type { FilteredRoute } from '../rib/index.ts';
import { formatCommunity } from './community.ts';
import type { Community, PrefixMatch, RouteMatch } from './model.ts';

/** What is known of the peer and the host, whatever the route. */
export interface FilterContext {
  readonly peerType: 'external' | 'internal';
  /** The link that packets to a route leave by, where it is known. */
  readonly interfaceOf?: (route: FilteredRoute) => string | undefined;
}

/** Why a condition does not hold; undefined if it does. */
export type Condition = (route: FilteredRoute, context: FilterContext) => string | undefined;

/** The conditions of a match, the cheap ones first. Throws a RangeError on a prefix that is none. */
export function conditionsOf(match: RouteMatch): readonly Condition[] {
  const { prefix, prefixes, source, peerType, communities, priority } = match;
  const conditions: Condition[] = [];
  if (peerType !== undefined)
    conditions.push((_, context) => unless(context.peerType === peerType, `the peer is not ${peerType}`));
  if (source !== undefined)
    conditions.push((route) =>
      unless((route.source === 'local') === (source === 'local'), `it is not ${source}`),
    );
  if (prefix !== undefined) conditions.push(prefixCondition(prefix));
  if (prefixes !== undefined) {
    const each = prefixes.map(prefixCondition);
    conditions.push((route, context) =>
      unless(
        each.some((one) => one(route, context) === undefined),
        'its prefix is none of the list',
      ),
    );
  }
  if (priority !== undefined)
    conditions.push(({ attributes }) =>
      unless(attributes.priority === priority, `its priority is not ${priority}`),
    );
  for (const community of communities ?? [])
    conditions.push((route) =>
      unless(hasCommunity(route, community), `it has no community ${formatCommunity(community)}`),
    );
  conditions.push(...pathConditions(match));
  if (match.interface !== undefined) conditions.push(interfaceCondition(match.interface));
  return conditions;
}

function pathConditions(match: RouteMatch): readonly Condition[] {
  const { asPathPrefix, asPathContains, originAsn, asPathLength } = match;
  const conditions: Condition[] = [];
  if (asPathPrefix !== undefined)
    conditions.push((route) => {
      const path = pathOf(route);
      const begins = asPathPrefix.every((asn, at) => path[at] === asn);
      return unless(begins, `its path does not begin with ${asPathPrefix.join(' ')}`);
    });
  for (const asn of asPathContains ?? [])
    conditions.push((route) => unless(pathOf(route).includes(asn), `AS ${asn} is not in its path`));
  if (originAsn !== undefined)
    conditions.push((route) => unless(pathOf(route).at(-1) === originAsn, `it is not from AS ${originAsn}`));
  if (asPathLength !== undefined) {
    const { min = 0, max = Infinity } = asPathLength;
    conditions.push((route) => {
      const { length } = pathOf(route);
      return unless(length >= min && length <= max, `its path has ${length} ASes`);
    });
  }
  return conditions;
}

/** The numbers of a path in order, without those of a confederation. */
function pathOf({ attributes }: FilteredRoute): readonly number[] {
  const [first, second] = attributes.asPath;
  if (first?.type === 'sequence' && second === undefined) return first.asns;
  return attributes.asPath.flatMap(({ type, asns }) => (type === 'sequence' || type === 'set' ? asns : []));
}

function hasCommunity({ attributes }: FilteredRoute, community: Community): boolean {
  if (typeof community === 'number') return attributes.communities?.includes(community) ?? false;
  return (
    attributes.largeCommunities?.some((each) => each.every((part, at) => part === community[at])) ?? false
  );
}

function prefixCondition(match: PrefixMatch): Condition {
  const { operator } = match;
  const { address, length, family } = prefixParts(match.prefix);
  const bytes = ipBytes(address);
  const isRange = operator === 'in' || operator === 'not-in';
  const min = isRange ? Math.max(match.minLength ?? length, length) : length;
  const max = isRange ? (match.maxLength ?? familyBits(family)) : length;
  const isWanted = operator === 'in' || operator === 'equal';
  const range = min === length && max === familyBits(family) ? '' : ` with a length from ${min} to ${max}`;
  const words = isRange ? `within ${match.prefix}${range}` : match.prefix;
  const why = isWanted ? `it is not ${words}` : `it is ${words}`;
  return (route) => {
    const isIn = familyOf(route.prefix) === family && isInside(parsed(route.prefix), bytes, length, min, max);
    return isIn === isWanted ? undefined : why;
  };
}

interface Parsed {
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** The last prefix that was parsed: rules are asked about one route after another. */
let last: Parsed = { text: '', bytes: new Uint8Array(), length: 0 };

function parsed(prefix: string): Parsed {
  if (last.text === prefix) return last;
  const { address, length } = prefixParts(prefix);
  last = { text: prefix, bytes: ipBytes(address), length };
  return last;
}

function isInside(route: Parsed, bytes: Uint8Array, length: number, min: number, max: number): boolean {
  if (route.length < min || route.length > max) return false;
  const whole = length >> 3;
  for (let at = 0; at < whole; at++) if (route.bytes[at] !== bytes[at]) return false;
  const rest = length & 7;
  if (rest === 0) return true;
  return (((route.bytes[whole] ?? 0) ^ (bytes[whole] ?? 0)) & (0xff00 >> rest) & 0xff) === 0;
}

function interfaceCondition(pattern: string): Condition {
  const matches = glob(pattern);
  return (route, { interfaceOf }) => {
    const name = interfaceOf?.(route);
    if (name === undefined) return `nobody knows whether it leaves by ${pattern}`;
    return unless(matches(name), `it leaves by ${name}, not ${pattern}`);
  };
}

/** A pattern of names of links, where `*` is any text and `?` any character. */
function glob(pattern: string): (name: string) => boolean {
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  const expression = new RegExp(`^${source}$`);
  return (name) => expression.test(name);
}

function unless(holds: boolean, why: string): string | undefined {
  return holds ? undefined : why;
}
