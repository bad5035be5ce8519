/** What a configuration says of services, and of the metric of routes. */
import { type IpPrefix, prefixParts } from '#base/ip/index.ts';
import type { Configuration } from './schemas.ts';

const DEFAULT_PRIORITY = 1024;

/** Blocks that addresses of services are from. */
export interface ServiceBlocks {
  readonly clusterIps: readonly IpPrefix[];
  readonly externalIps: readonly IpPrefix[];
  readonly loadBalancerIps: readonly IpPrefix[];
  /** Addresses of load balancers are told by their blocks. */
  readonly isAggregated: boolean;
}

/** The metric of routes that nobody has given another. */
export function prioritiesOf(configuration: Configuration): { readonly 4: number; readonly 6: number } {
  return {
    4: configuration.ipv4NormalRoutePriority ?? DEFAULT_PRIORITY,
    6: configuration.ipv6NormalRoutePriority ?? DEFAULT_PRIORITY,
  };
}

/** All blocks, by what they are for. */
export function servicesOf(configuration: Configuration): ServiceBlocks {
  const cidrsOf = (blocks: readonly { readonly cidr: IpPrefix }[]) => blocks.map(({ cidr }) => cidr);
  return {
    clusterIps: cidrsOf(configuration.serviceClusterIPs),
    externalIps: cidrsOf(configuration.serviceExternalIPs),
    loadBalancerIps: cidrsOf(configuration.serviceLoadBalancerIPs),
    isAggregated: configuration.serviceLoadBalancerAggregation !== 'Disabled',
  };
}

/** All blocks: what is within them may be told. */
export function allServices(configuration: Configuration): readonly IpPrefix[] {
  const { clusterIps, externalIps, loadBalancerIps } = servicesOf(configuration);
  return [...clusterIps, ...externalIps, ...loadBalancerIps];
}

/** Blocks of services that are told as they are: single addresses wait for a service that has them. */
export function toldServices(configuration: Configuration): readonly IpPrefix[] {
  const { clusterIps, externalIps, loadBalancerIps, isAggregated } = servicesOf(configuration);
  return [...clusterIps, ...externalIps, ...(isAggregated ? loadBalancerIps : [])].filter((cidr) => {
    const { length, family } = prefixParts(cidr);
    return length < (family === 4 ? 32 : 128);
  });
}
