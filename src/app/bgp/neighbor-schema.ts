/** Keys of a speaker's file about those it speaks with: one by one, or all of a range. */
import { z } from 'zod';
import { address, asn, linkName, prefix, scopedAddress } from './schema-values.ts';

const seconds = z.number().min(0);
const family = z.union([z.literal(4), z.literal(6)]);

const name = z.string().min(1).describe('How commands name it');

/** What holds for a session, whoever it is with. */
const terms = {
  localAsn: asn.optional().describe('Ours towards it'),
  localAddress: address.optional().describe('Where our connections come from'),
  families: z.array(family).min(1).default([4, 6]).describe('4 and 6: IPv4 and IPv6 unicast'),
  addPath: z
    .strictObject({
      send: z.union([z.literal('all'), z.int().min(1).max(255)]).optional(),
      receive: z.boolean().optional(),
    })
    .optional()
    .describe('Several paths to a prefix (RFC 7911)'),
  extendedNextHop: z
    .boolean()
    .optional()
    .describe('IPv4 routes by IPv6 next hops (RFC 8950); absent: if it is link-local'),
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
};

export const NEIGHBOR = z.strictObject({
  name,
  address: scopedAddress
    .optional()
    .describe('Where it is; link-local: fe80::1%eth0. Absent: whoever is at the other end of the interface'),
  port: z.int().min(1).max(65_535).optional().describe('Where it listens; 179'),
  asn: z
    .union([asn, z.enum(['external', 'internal'])])
    .optional()
    .describe('Its AS; external: another than ours; internal: ours; absent: whatever it says'),
  interface: linkName.optional().describe('The link it is on'),
  passive: z.boolean().optional().describe('Wait for it to connect'),
  shutdown: z.boolean().optional().describe('Known, and not spoken to'),
  ...terms,
});

/** Neighbours that are known when they come. */
export const RANGE = z.strictObject({
  name,
  prefix: prefix.describe('Whoever connects from it is a neighbor; of several the narrowest counts'),
  interface: linkName.optional().describe('Link-local neighbours of this link alone'),
  asns: z.array(asn).min(1).optional().describe('The ASes they may be of; absent: any'),
  limit: z.int().min(1).max(65_535).default(100).describe('How many there may be at once'),
  ...terms,
});
