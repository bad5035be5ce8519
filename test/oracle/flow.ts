/** Flows and clusters of the oracle, as the engine has them. */
import { type Flow, PolicyCluster, PROTOCOLS } from '#core/policy/index.ts';
import type { Document, OracleFlow } from './world.ts';

export const NUMBERS = {
  TCP: PROTOCOLS.tcp,
  UDP: PROTOCOLS.udp,
  SCTP: PROTOCOLS.sctp,
  ICMP: PROTOCOLS.icmp,
  ICMPv6: PROTOCOLS.icmpv6,
} as const;

export function flowOf({ icmpType, icmpCode, protocol, ...flow }: OracleFlow): Flow {
  return {
    ...flow,
    protocol: NUMBERS[protocol],
    ...(icmpType !== undefined && { icmp: { type: icmpType, code: icmpCode ?? 0 } }),
  };
}

export function clusterOf(documents: readonly Document[]): PolicyCluster {
  const cluster = new PolicyCluster();
  for (const document of documents) cluster.upsert(document);
  return cluster;
}
