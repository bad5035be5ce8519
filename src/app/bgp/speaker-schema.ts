/** The keys of a speaker's file, as a zod schema: what each may be. `poplin bgp schema` shows it. */
import { z } from 'zod';
import { canonicalIp, type IpPrefix, networkOf, parsePrefix } from '#base/ip/index.ts';
import { parseRouterId } from '#core/bgp/calico/index.ts';
import { type Community, parseCommunity } from '#core/bgp/filter/index.ts';

const MAX_ASN = 4_294_967_295;

function checked<Out>(what: string, parse: (text: string) => Out | undefined) {
  return z.string().transform((text, context): Out => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `must be ${what}` });
    return z.NEVER;
  });
}

const asn = z.int().min(1).max(MAX_ASN);
const address = checked('an IP address', canonicalIp);
const prefix = checked('a prefix such as 10.0.0.0/16', (text): IpPrefix | undefined =>
  parsePrefix(text) === undefined ? undefined : networkOf(text),
);
const routerId = checked('an identifier such as 10.0.0.1', (text) => {
  try {
    return parseRouterId(text) || undefined;
  } catch {
    return undefined;
  }
});
const community = checked(
  'a community such as 64512:1, 64512:1:1 or no-export',
  (text): Community | undefined => parseCommunity(text),
);
const seconds = z.number().min(0);
const family = z.union([z.literal(4), z.literal(6)]);

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

const neighbor = z.strictObject({
  name: z.string().min(1).describe('How commands name it'),
  address: address.describe('Where it is'),
  port: z.int().min(1).max(65_535).optional().describe('Where it listens; 179'),
  asn: asn.optional().describe('Its AS; absent: whatever it says'),
  localAsn: asn.optional().describe('Ours towards it'),
  localAddress: address.optional().describe('Where our connections come from'),
  interface: z.string().min(1).optional().describe('Link of a link-local neighbour'),
  passive: z.boolean().optional().describe('Wait for it to connect'),
  shutdown: z.boolean().optional().describe('Known, and not spoken to'),
  families: z.array(family).min(1).default([4, 6]).describe('4 and 6: IPv4 and IPv6 unicast'),
  addPath: z
    .strictObject({
      send: z.union([z.literal('all'), z.int().min(1).max(255)]).optional(),
      receive: z.boolean().optional(),
    })
    .optional()
    .describe('Several paths to a prefix (RFC 7911)'),
  extendedNextHop: z.boolean().optional().describe('IPv4 routes by IPv6 next hops (RFC 8950)'),
  holdTimeSec: z.int().min(0).max(65_535).optional().describe('0, or 3 and more; 90'),
  connectRetrySec: seconds.optional().describe('Between two attempts; 5'),
  passwordFile: z.string().min(1).optional().describe('File with the key of signatures (RFC 2385)'),
  ttlSecurityHops: z.int().min(1).max(254).optional().describe('How far away it is at most (RFC 5082)'),
  multihopTtl: z.int().min(1).max(255).optional().describe('Routers its packets may cross'),
  restart: z
    .strictObject({
      timeSec: z.int().min(1).max(4095).default(120),
      longStaleTimeSec: z.int().min(1).max(16_777_215).optional(),
    })
    .optional()
    .describe('Graceful restart (RFC 4724, RFC 9494)'),
  bfd: z
    .strictObject({
      transmitMs: z.int().min(10).max(60_000).default(300),
      receiveMs: z.int().min(10).max(60_000).default(300),
      multiplier: z.int().min(2).max(255).default(3),
    })
    .optional()
    .describe('Failures of the way to it are noticed at once (RFC 5880)'),
  reflectorClient: z.boolean().optional().describe('We reflect for it (RFC 4456)'),
  nextHop: z
    .enum(['auto', 'self', 'keep'])
    .optional()
    .describe('Next hop it is told; auto: ourselves if it is external'),
  nextHops: z
    .strictObject({ 4: address.optional(), 6: address.optional() })
    .optional()
    .describe('Our addresses as next hops'),
  linkLocalNextHop: address.optional().describe('Our link-local address on its link (RFC 2545)'),
  allowedOwnAsns: z.int().min(0).optional().describe('How often our AS may be in what it says'),
  privateAsns: z.enum(['keep', 'remove', 'replace']).optional().describe('Private ASes in what it is told'),
  overrideAsn: z.boolean().optional().describe('Our AS in place of its own in paths'),
  requireFilters: z.boolean().optional().describe('Nothing without filters, if it is external (RFC 8212)'),
  acceptBlackhole: z.boolean().optional().describe('Throw away what it marks as BLACKHOLE (RFC 7999)'),
  gracefulShutdown: z.boolean().optional().describe('Tell it that we are about to go (RFC 8326)'),
  maxRoutes: z
    .strictObject({
      4: z.int().min(0).optional(),
      6: z.int().min(0).optional(),
      action: z.enum(['warn', 'refuse', 'stop']).default('stop'),
    })
    .optional()
    .describe('Routes it may have, by family'),
  import: z.string().optional().describe('Name of the filter for what it says'),
  export: z.string().optional().describe('Name of the filter for what it is told'),
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
    neighbors: z.array(neighbor).default([]).describe('With whom we speak'),
  })
  .superRefine((file, context) => {
    const names = new Set<string>();
    const addresses = new Set<string>();
    for (const [index, { name, ...each }] of file.neighbors.entries()) {
      const fail = (key: string, message: string): void =>
        context.addIssue({ code: 'custom', path: ['neighbors', index, key], message });
      if (names.has(name)) fail('name', `must not be that of another neighbor: "${name}"`);
      names.add(name);
      if (addresses.has(each.address))
        fail('address', `must not be that of another neighbor: "${each.address}"`);
      addresses.add(each.address);
      for (const key of ['import', 'export'] as const)
        if (each[key] !== undefined && file.filters[each[key]] === undefined)
          fail(key, `must be the name of a filter, not "${each[key]}"`);
      if (each.holdTimeSec === 1 || each.holdTimeSec === 2) fail('holdTimeSec', 'must be 0, or 3 and more');
    }
  });

export type SpeakerFile = z.output<typeof SPEAKER_SCHEMA>;
