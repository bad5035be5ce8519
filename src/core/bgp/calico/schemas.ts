/** The keys of projectcalico.org/v3 that are about BGP, as zod schemas: what each may be, and nothing of what it means. */
import { z } from 'zod';
import { canonicalIp, networkOf, parsePrefix } from '#base/ip/index.ts';
import { parseCommunity } from '../filter/index.ts';
import { parseAsn, parseDuration, parsePeerAddress, parseRouterId } from './values.ts';

/** A value that a function reads; what the function throws is the problem. */
function read<In extends z.ZodType, Out>(schema: In, parse: (value: z.output<In>) => Out) {
  return schema.transform((value, context): Out => {
    try {
      return parse(value);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
      return z.NEVER;
    }
  });
}

const asn = read(z.union([z.int(), z.string()]), parseAsn);
const duration = read(z.string(), parseDuration);
const address = read(z.string(), (text) => canonicalIp(text) ?? fail(`"${text}" is no IP address`));
const cidr = read(z.string(), (text) =>
  parsePrefix(text) === undefined ? fail(`"${text}" is no prefix`) : networkOf(text),
);
const community = read(z.string(), (text) =>
  /^[\d:]+$/.test(text) && parseCommunity(text) !== undefined
    ? text
    : fail(`"${text}" is no community such as 64512:1 or 64512:1:1`),
);
const port = z.int().min(1).max(65_535);
const password = z.strictObject({
  secretKeyRef: z
    .strictObject({ name: z.string().min(1), key: z.string().min(1), optional: z.boolean().optional() })
    .optional(),
});
const blocks = z.array(z.strictObject({ cidr })).default([]);
const switched = z.enum(['Enabled', 'Disabled']);

export const CONFIGURATION = z.strictObject({
  logSeverityScreen: z.enum(['Debug', 'Info', 'Warning', 'Error', 'Fatal']).optional(),
  nodeToNodeMeshEnabled: z.boolean().optional(),
  asNumber: asn.optional(),
  serviceClusterIPs: blocks,
  serviceExternalIPs: blocks,
  serviceLoadBalancerIPs: blocks,
  serviceLoadBalancerAggregation: switched.optional(),
  communities: z.array(z.strictObject({ name: z.string().min(1), value: community })).default([]),
  prefixAdvertisements: z.array(z.strictObject({ cidr, communities: z.array(z.string()) })).optional(),
  listenPort: port.optional(),
  nodeMeshPassword: password.optional(),
  nodeMeshMaxRestartTime: duration.optional(),
  bindMode: z.enum(['None', 'NodeIP']).optional(),
  ignoredInterfaces: z.array(z.string().min(1)).optional(),
  localWorkloadPeeringIPV4: address.optional(),
  localWorkloadPeeringIPV6: address.optional(),
  programClusterRoutes: switched.optional(),
  ipv4NormalRoutePriority: z.int().min(1).max(2_147_483_646).optional(),
  ipv6NormalRoutePriority: z.int().min(1).max(2_147_483_646).optional(),
});

export const PEER = z.strictObject({
  node: z.string().optional(),
  nodeSelector: z.string().optional(),
  peerIP: read(z.string(), (text) => (text === '' ? undefined : parsePeerAddress(text))).optional(),
  asNumber: asn.optional(),
  localASNumber: asn.optional(),
  peerSelector: z.string().optional(),
  keepOriginalNextHop: z.boolean().optional(),
  nextHopMode: z.enum(['Auto', 'Self', 'Keep']).optional(),
  password: password.optional(),
  sourceAddress: z.enum(['UseNodeIP', 'None']).optional(),
  maxRestartTime: duration.optional(),
  keepaliveTime: duration.optional(),
  numAllowedLocalASNumbers: z.int().min(0).max(2_147_483_647).optional(),
  ttlSecurity: z.int().min(0).max(255).optional(),
  reachableBy: address.optional(),
  filters: z.array(z.string().min(1)).default([]),
  localWorkloadSelector: z.string().optional(),
  reversePeering: z.enum(['Auto', 'Manual']).optional(),
});

const operation = z.strictObject({
  addCommunity: z.strictObject({ value: community }).optional(),
  prependASPath: z.strictObject({ prefix: z.array(asn).min(1).max(10) }).optional(),
  setPriority: z.strictObject({ value: z.int().min(1).max(2_147_483_646) }).optional(),
});

function rule(longest: number) {
  return z.strictObject({
    cidr: z.union([z.literal(''), cidr]).optional(),
    prefixLength: z
      .strictObject({
        min: z.int().min(0).max(longest).optional(),
        max: z.int().min(0).max(longest).optional(),
      })
      .optional(),
    source: z.literal('RemotePeers').optional(),
    interface: z.string().optional(),
    matchOperator: z.enum(['Equal', 'NotEqual', 'In', 'NotIn']).optional(),
    peerType: z.enum(['eBGP', 'iBGP']).optional(),
    communities: z.strictObject({ values: z.array(community).min(1).max(1) }).optional(),
    asPathPrefix: z.array(asn).optional(),
    priority: z.int().min(1).max(2_147_483_646).optional(),
    action: z.enum(['Accept', 'Reject']),
    operations: z.array(operation).min(1).max(10).optional(),
  });
}

export const FILTER = z.strictObject({
  exportV4: z.array(rule(32)).default([]),
  importV4: z.array(rule(32)).default([]),
  exportV6: z.array(rule(128)).default([]),
  importV6: z.array(rule(128)).default([]),
});

const encapsulation = z.enum(['Never', 'Always', 'CrossSubnet']);

export const POOL = z.strictObject({
  cidr,
  ipipMode: encapsulation.default('Never'),
  vxlanMode: encapsulation.default('Never'),
  natOutgoing: z.boolean().default(false),
  disabled: z.boolean().default(false),
  disableBGPExport: z.boolean().default(false),
  blockSize: z.int().min(20).max(128).optional(),
  nodeSelector: z.string().default('all()'),
  namespaceSelector: z.string().default('all()'),
  allowedUses: z.array(z.enum(['Workload', 'Tunnel', 'LoadBalancer'])).default(['Workload', 'Tunnel']),
  assignmentMode: z.enum(['Automatic', 'Manual']).default('Automatic'),
});

/** `spec.bgp` of Calico's own Node. */
export const NODE_BGP = z.strictObject({
  asNumber: asn.optional(),
  ipv4Address: z.string().optional(),
  ipv6Address: z.string().optional(),
  ipv4IPIPTunnelAddr: address.optional(),
  routeReflectorClusterID: read(z.string(), (text) =>
    text === '' ? undefined : parseRouterId(text),
  ).optional(),
});

export type Configuration = z.output<typeof CONFIGURATION>;
export type Peer = z.output<typeof PEER>;
export type FilterSpec = z.output<typeof FILTER>;
export type FilterRuleSpec = FilterSpec['exportV4'][number];
export type Pool = z.output<typeof POOL>;

function fail(message: string): never {
  throw new RangeError(message);
}
