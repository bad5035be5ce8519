/** The keys of a speaker's file, as a zod schema: what each may be. `poplin bgp schema` shows it. */
import { z } from 'zod';
import { formatScopedIp, isLinkLocal } from '#base/ip/index.ts';
import { checkPasswords, checkPlace, placeOf } from './neighbor-checks.ts';
import { NEIGHBOR, RANGE } from './neighbor-schema.ts';
import { address, asn, community, MAX_ASN, prefix, routerId } from './schema-values.ts';

const attributes = {
  communities: z.array(community).optional().describe('Communities, by number or name'),
  med: z.int().min(0).max(MAX_ASN).optional().describe('Multi-exit discriminator'),
  localPref: z.int().min(0).max(MAX_ASN).optional().describe('Local preference'),
};

const route = z.union([
  prefix.transform((text) => ({ prefix: text })),
  z.strictObject({
    prefix: prefix.describe('What is announced'),
    discard: z.boolean().optional().describe('Throw away what no longer route takes'),
    nextHop: address.optional().describe('Instead of ourselves'),
    ...attributes,
  }),
]);

const aggregate = z.strictObject({
  prefix: prefix.describe('Announced while something longer within it is known'),
  summaryOnly: z.boolean().optional().describe('Tell nobody what is within it'),
  ...attributes,
});

const prefixMatch = z.strictObject({
  operator: z.enum(['equal', 'not-equal', 'in', 'not-in']).describe('How the prefix is compared'),
  prefix: prefix.describe('Compared with the prefix of the route'),
  minLength: z.int().min(0).max(128).optional().describe('Shortest length, with in and not-in'),
  maxLength: z.int().min(0).max(128).optional().describe('Longest length, with in and not-in'),
});

const match = z.strictObject({
  prefix: prefixMatch.optional().describe('A prefix'),
  prefixes: z.array(prefixMatch).optional().describe('One of several prefixes'),
  source: z.enum(['remote', 'local']).optional().describe('Learned from a peer, or our own'),
  interface: z.string().min(1).optional().describe('Link that packets leave by; * is any text'),
  peerType: z.enum(['external', 'internal']).optional().describe('Kind of peer'),
  communities: z.array(community).optional().describe('All of them are there'),
  asPathPrefix: z.array(asn).optional().describe('The AS path begins with these'),
  asPathContains: z.array(asn).optional().describe('These are in the AS path'),
  originAsn: asn.optional().describe('The last AS of the path'),
  asPathLength: z
    .strictObject({ min: z.int().min(0).optional(), max: z.int().min(0).optional() })
    .optional()
    .describe('How many ASes are in the path'),
  priority: z.int().min(0).optional().describe('Metric of the kernel route'),
});

const operation = z.union([
  z.strictObject({ type: z.literal('add-community'), community }),
  z.strictObject({ type: z.literal('remove-community'), community }),
  z.strictObject({ type: z.literal('prepend-as-path'), asns: z.array(asn).min(1) }),
  z.strictObject({ type: z.literal('set-priority'), priority: z.int().min(0) }),
  z.strictObject({ type: z.literal('set-local-pref'), localPref: z.int().min(0).max(MAX_ASN) }),
  z.strictObject({ type: z.literal('set-med'), med: z.int().min(0).max(MAX_ASN) }),
]);

const filter = z.strictObject({
  rules: z
    .array(
      z.strictObject({
        match: match.default({}).describe('All conditions must hold; none is any route'),
        action: z.enum(['accept', 'reject', 'next']).describe('What becomes of a route that matches'),
        operations: z.array(operation).optional().describe('What is done to it'),
      }),
    )
    .describe('Asked in turn'),
  otherwise: z.enum(['accept', 'reject']).describe('What becomes of a route that no rule decided'),
});

const station = z.strictObject({
  address: address.describe('Where the station is'),
  port: z.int().min(1).max(65_535).default(11_019).describe('Where it listens'),
  side: z
    .enum(['pre-policy', 'post-policy', 'both'])
    .default('pre-policy')
    .describe('Routes as they came, or what the import filters left of them'),
  statisticsSec: z.int().min(0).max(86_400).default(60).describe('Between two messages of numbers; 0: none'),
});

/** The whole file. */
export const SPEAKER_SCHEMA = z
  .strictObject({
    asn: asn.describe('Our AS; within a confederation the member'),
    routerId: routerId.describe('Our identifier'),
    clusterId: routerId.optional().describe('Identifier of the cluster we reflect for'),
    confederation: z
      .strictObject({ id: asn, members: z.array(asn).default([]) })
      .optional()
      .describe('RFC 5065'),
    listen: z
      .strictObject({
        port: z.int().min(1).max(65_535).default(179),
        addresses: z.array(address).default(['0.0.0.0', '::']),
      })
      .default({ port: 179, addresses: ['0.0.0.0', '::'] })
      .describe('Where peers may connect; no addresses: nowhere'),
    monitor: z
      .array(station)
      .default([])
      .describe('Stations that are told of sessions and routes by BMP (RFC 7854)'),
    decision: z
      .strictObject({
        alwaysCompareMed: z.boolean().optional(),
        preferOldest: z.boolean().optional(),
        ignorePathLength: z.boolean().optional(),
        relaxMultipath: z.boolean().optional(),
        maxPaths: z
          .strictObject({
            external: z.int().min(1).max(256).optional(),
            internal: z.int().min(1).max(256).optional(),
          })
          .optional(),
      })
      .optional()
      .describe('How routes are compared, and how many are used at once'),
    routes: z.array(route).default([]).describe('Routes of our own'),
    aggregates: z
      .array(aggregate)
      .default([])
      .describe('Own routes that are there while something is within them'),
    filters: z.record(z.string(), filter).default({}).describe('Filters by name'),
    neighbors: z.array(NEIGHBOR).default([]).describe('With whom we speak'),
    ranges: z.array(RANGE).default([]).describe('With whom we speak if they come'),
  })
  .superRefine((file, context) => {
    const names = new Set<string>();
    const places = new Set<string>();
    const check = (each: Named, path: readonly (string | number)[], key: string, place: string): void => {
      const fail = failAt(context, path);
      const { name, holdTimeSec } = each;
      if (names.has(name)) fail('name', `must not be that of another neighbor: "${name}"`);
      names.add(name);
      if (places.has(place)) fail(key, `must not be that of another neighbor: "${place.replace(/^%/, '')}"`);
      places.add(place);
      for (const filter of ['import', 'export'] as const)
        if (each[filter] !== undefined && file.filters[each[filter]] === undefined)
          fail(filter, `must be the name of a filter, not "${each[filter]}"`);
      if (holdTimeSec === 1 || holdTimeSec === 2) fail('holdTimeSec', 'must be 0, or 3 and more');
    };
    for (const [index, each] of file.neighbors.entries()) {
      const path = ['neighbors', index];
      const key = each.address === undefined ? 'interface' : 'address';
      check(each, path, key, placeOf(each) ?? `${index}`);
      checkPlace(each, failAt(context, path));
    }
    checkPasswords(file.neighbors, (index, key, message) =>
      failAt(context, ['neighbors', index])(key, message),
    );
    for (const [index, each] of file.ranges.entries()) {
      const path = ['ranges', index];
      check(each, path, 'prefix', formatScopedIp(each.prefix, each.interface));
      if (each.interface !== undefined && !isLinkLocal(each.prefix))
        failAt(context, path)('interface', `goes with a link-local prefix alone, not "${each.prefix}"`);
    }
  });

function failAt(context: z.RefinementCtx, path: readonly (string | number)[]) {
  return (key: string, message: string): void =>
    context.addIssue({ code: 'custom', path: [...path, key], message });
}

interface Named {
  readonly name: string;
  readonly holdTimeSec?: number | undefined;
  readonly import?: string | undefined;
  readonly export?: string | undefined;
}

export type SpeakerFile = z.output<typeof SPEAKER_SCHEMA>;
