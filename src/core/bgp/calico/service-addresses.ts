/**
 * Addresses of services that a node tells one by one, beside the blocks that it tells as wholes: those that only some nodes serve
 * (externalTrafficPolicy Local), and those that no block stands for.
 */
import {
  canonicalIp,
  familyOf,
  hostPrefixOf,
  type IpAddress,
  type IpPrefix,
  prefixContains,
} from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { ServiceBlocks } from './services.ts';

interface ServiceSpec {
  readonly type?: string;
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly externalIPs?: readonly string[];
  readonly externalTrafficPolicy?: string;
}

interface ServiceStatus {
  readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] };
}

interface Endpoint {
  readonly nodeName?: string;
  readonly conditions?: { readonly ready?: boolean };
}

const TYPES = new Set<string | undefined>(['ClusterIP', 'NodePort', 'LoadBalancer', undefined]);
const SLICE_OF = 'kubernetes.io/service-name';

/** Of `objects` Services and EndpointSlices count. Each once, in the order of the alphabet. */
export function serviceAddresses(
  objects: readonly KubeObject[],
  blocks: ServiceBlocks,
  node: string,
): readonly IpPrefix[] {
  const served = servedHere(objects, node);
  const told = new Set<IpPrefix>();
  for (const service of objects) {
    if (service.kind !== 'Service') continue;
    const { name, namespace = '' } = service.metadata;
    const isServed = (address: IpAddress) => served.has(`${namespace}/${name} ${familyOf(address)}`);
    for (const prefix of addressesOf(service, blocks, isServed)) told.add(prefix);
  }
  return [...told].toSorted();
}

function addressesOf(
  service: KubeObject,
  { clusterIps, externalIps, loadBalancerIps, isAggregated }: ServiceBlocks,
  isServed: (address: IpAddress) => boolean,
): readonly IpPrefix[] {
  const spec = (service['spec'] ?? {}) as ServiceSpec;
  const status = (service['status'] ?? {}) as ServiceStatus;
  const own = spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP]);
  // One without an address of the cluster has endpoints, and nothing that would send to them.
  if (!TYPES.has(spec.type) || own.every((text) => canonicalIp(text) === undefined)) return [];
  const balanced = (status.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
  const isLocal = spec.externalTrafficPolicy === 'Local';
  return [
    ...within(own, clusterIps, true),
    ...within(spec.externalIPs ?? [], externalIps, true),
    ...within(balanced, loadBalancerIps, isAggregated),
  ].flatMap(({ address, isStoodFor }) =>
    (isLocal ? isServed(address) : !isStoodFor) ? [hostPrefixOf(address)] : [],
  );
}

/** Those that lie in a block, and whether the block is told for all of it. */
function within(
  texts: readonly string[],
  blocks: readonly IpPrefix[],
  isAggregated: boolean,
): readonly { readonly address: IpAddress; readonly isStoodFor: boolean }[] {
  return texts.flatMap((text) => {
    const address = canonicalIp(text);
    if (address === undefined) return [];
    const around = blocks.filter(
      (block) => familyOf(block) === familyOf(address) && prefixContains(block, address),
    );
    const isStoodFor = isAggregated && around.some((block) => block !== hostPrefixOf(address));
    return around.length === 0 ? [] : [{ address, isStoodFor }];
  });
}

/** `NAMESPACE/NAME FAMILY` of services that have an endpoint that is ready on the node. */
function servedHere(objects: readonly KubeObject[], node: string): ReadonlySet<string> {
  const served = new Set<string>();
  for (const slice of objects) {
    const service = slice.metadata.labels?.[SLICE_OF];
    if (slice.kind !== 'EndpointSlice' || service === undefined) continue;
    const endpoints = (slice['endpoints'] ?? []) as readonly Endpoint[];
    // Kubernetes' API: what is not known to be unready is ready.
    if (!endpoints.some(({ nodeName, conditions }) => nodeName === node && conditions?.ready !== false))
      continue;
    served.add(`${slice.metadata.namespace ?? ''}/${service} ${slice['addressType'] === 'IPv6' ? 6 : 4}`);
  }
  return served;
}
