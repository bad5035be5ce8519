/** IPPool: what packets to its addresses travel in, and who is told of them. */
import { familyBits, familyOf, type IpAddress, type IpPrefix, prefixContains } from '#base/ip/index.ts';
import { type Findings, readValue } from './reader.ts';
import { POOL } from './schemas.ts';

export interface CalicoPool {
  readonly name: string;
  readonly cidr: IpPrefix;
  readonly encapsulation: 'none' | 'ipip' | 'vxlan';
  /** Encapsulated towards nodes of other networks only. */
  readonly isCrossSubnet: boolean;
  readonly natOutgoing: boolean;
  /** No new addresses are taken from it. */
  readonly isDisabled: boolean;
  /** BGP tells of it. */
  readonly isExported: boolean;
  readonly blockSize: number;
  readonly nodeSelector: string;
  readonly namespaceSelector: string;
  readonly allowedUses: readonly ('Workload' | 'Tunnel' | 'LoadBalancer')[];
  readonly isManual: boolean;
}

const BLOCK_SIZES = { 4: 26, 6: 122 } as const;

export function readPool(name: string, spec: unknown, findings: Findings): CalicoPool | undefined {
  const place = `IPPool ${name} spec`;
  const pool = readValue(POOL, spec, place, findings);
  if (pool === undefined) return undefined;
  const { cidr, ipipMode, vxlanMode, blockSize } = pool;
  const family = familyOf(cidr);
  const fail = (key: string, message: string): undefined => {
    findings.problems.push({ place: `${place}.${key}`, message });
    return undefined;
  };
  if (ipipMode !== 'Never' && vxlanMode !== 'Never')
    return fail('ipipMode', `${ipipMode} does not go with vxlanMode ${vxlanMode}`);
  if (ipipMode !== 'Never' && family === 6) return fail('ipipMode', `${ipipMode} does not go with IPv6`);
  const shortest = familyBits(family) - (family === 4 ? 12 : 12);
  const size = blockSize ?? BLOCK_SIZES[family];
  if (size < shortest || size > familyBits(family))
    return fail('blockSize', `${size} is not from ${shortest} to ${familyBits(family)}`);
  const mode = ipipMode === 'Never' ? vxlanMode : ipipMode;
  const used = ipipMode === 'Never' ? ('vxlan' as const) : ('ipip' as const);
  return {
    name,
    cidr,
    encapsulation: mode === 'Never' ? 'none' : used,
    isCrossSubnet: mode === 'CrossSubnet',
    natOutgoing: pool.natOutgoing,
    isDisabled: pool.disabled,
    isExported: !pool.disableBGPExport,
    blockSize: size,
    nodeSelector: pool.nodeSelector,
    namespaceSelector: pool.namespaceSelector,
    allowedUses: pool.allowedUses,
    isManual: pool.assignmentMode === 'Manual',
  };
}

/** How a learned route is to be programmed. */
export type Programming =
  /** By way of its next hop as it is. */
  | 'direct'
  | 'ipip'
  /** The overlay's routes are there; BGP's are not wanted beside them. */
  | 'left-to-overlay';

/** What a route of a pool is programmed as, on a node in one network. Outside all pools it is direct. */
export function programmingOf(
  pools: readonly CalicoPool[],
  ownNetwork: IpPrefix | undefined,
  prefix: IpPrefix,
  nextHop: IpAddress,
): Programming {
  const pool = pools.find(({ cidr }) => prefixContains(cidr, prefix));
  if (pool === undefined || pool.encapsulation === 'none') return 'direct';
  if (pool.encapsulation === 'vxlan') return 'left-to-overlay';
  const isNear = ownNetwork !== undefined && prefixContains(ownNetwork, nextHop);
  return pool.isCrossSubnet && isNear ? 'direct' : 'ipip';
}
