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
  /** Somebody has said it. */
  readonly isBlockSizeGiven: boolean;
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
    isBlockSizeGiven: blockSize !== undefined,
    nodeSelector: pool.nodeSelector,
    namespaceSelector: pool.namespaceSelector,
    allowedUses: pool.allowedUses,
    isManual: pool.assignmentMode === 'Manual',
  };
}

/** The pool that a prefix is of. */
export function poolOf(pools: readonly CalicoPool[], prefix: IpPrefix): CalicoPool | undefined {
  return pools.find(({ cidr }) => familyOf(cidr) === familyOf(prefix) && prefixContains(cidr, prefix));
}

/** What packets of a pool travel in to a next hop, from a node in one network. Outside all pools they go as they are. */
export function encapsulationOf(
  pool: CalicoPool | undefined,
  ownNetwork: IpPrefix | undefined,
  nextHop: IpAddress,
): CalicoPool['encapsulation'] {
  if (pool === undefined) return 'none';
  const isNear = ownNetwork !== undefined && prefixContains(ownNetwork, nextHop);
  return pool.isCrossSubnet && isNear ? 'none' : pool.encapsulation;
}
