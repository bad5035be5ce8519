/**
 * Calico's IPPools carried out on this node: by which tunnel a learned route goes, what the kernel needs for it, and what is translated.
 * Where the network's backend carries the network itself, it says what packets travel in, and a pool that says otherwise is told of.
 */
import { familyOf, type IpAddress, type IpPrefix, prefixesOverlap } from '#base/ip/index.ts';
import { type CalicoPool, type CalicoResult, encapsulationOf, poolOf } from '#core/bgp/calico/index.ts';
import type { KernelRouteRules } from '#core/bgp/kernel/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import { planNatOutgoing } from '#core/masquerade/index.ts';
import {
  type PoolTunnel,
  type PoolTunnelEnd,
  type PoolTunnelPeer,
  planPoolGuards,
  planPoolTunnel,
  poolTunnelHop,
  poolTunnelLink,
  poolTunnelOverheadBytes,
} from '#core/overlay/index.ts';
import type { BgpPlace } from './place.ts';

export interface PoolPlan {
  readonly objects: readonly KernelObject[];
  readonly tunnelTo: NonNullable<KernelRouteRules['tunnelTo']>;
  /** False where packets are to travel in what they cannot: then there is no way. */
  readonly isCarried: (prefix: IpPrefix) => boolean;
  /** What a packet of a pod gets around it at most. */
  readonly overheadBytes: number;
  readonly problems: readonly string[];
  /** What is known only when routes are: those that were to go by a tunnel, and do not. */
  readonly lateProblems: () => readonly string[];
}

/** Pools that nobody has made: the network's own prefixes. */
const OWN_POOL = 'network-';

export function ownPoolName(cidr: IpPrefix): string {
  return OWN_POOL + cidr;
}

export function planPools(node: string, result: CalicoResult, place: BgpPlace): PoolPlan {
  const { pools } = result;
  const isBare = place.backend === 'alloc';
  const tunnels = isBare ? tunnelsOf(pools) : [];
  const peers = tunnels.map((tunnel) => [tunnel, peersOf(node, tunnel, result)] as const);
  const strangers = new Set<IpAddress>();
  return {
    objects: [
      ...planTunnels(node, peers, result, place),
      ...planNatOutgoing(
        pools.map(({ cidr, natOutgoing }) => ({ family: familyOf(cidr), prefix: cidr, natOutgoing })),
        { isFullyRandom: true, tunnelLinks: tunnels.map(poolTunnelLink) },
      ),
    ],
    tunnelTo: tunnelChooser(result, peers, strangers),
    isCarried: (prefix) => isBare || (poolOf(pools, prefix)?.encapsulation ?? 'none') === 'none',
    overheadBytes: Math.max(0, ...tunnels.map(poolTunnelOverheadBytes)),
    problems: pools.flatMap((pool) => [
      ...encapsulationProblems(pool, place),
      ...assignmentProblems(pool, place),
    ]),
    lateProblems: () => [...strangers].map(strangerText),
  };
}

function strangerText(address: IpAddress): string {
  return `BGP: next hop ${address} is no node, and so packets of an IPPool go to it as they are`;
}

function tunnelsOf(pools: readonly CalicoPool[]): readonly PoolTunnel[] {
  const found = new Map<string, PoolTunnel>();
  for (const { cidr, encapsulation } of pools)
    if (encapsulation !== 'none') {
      const tunnel = { kind: encapsulation, family: familyOf(cidr) };
      found.set(poolTunnelLink(tunnel), tunnel);
    }
  return [...found.values()];
}

/** Nodes that have an end of a tunnel too. */
function peersOf(
  node: string,
  { kind, family }: PoolTunnel,
  { nodes, pools, networks }: CalicoResult,
): readonly PoolTunnelPeer[] {
  const among = pools.filter(
    ({ cidr, encapsulation }) => encapsulation === kind && familyOf(cidr) === family,
  );
  return nodes.flatMap(({ name, addresses }) => {
    const address = addresses[family];
    if (address === undefined || name === node) return [];
    const isAcross = among.some((pool) => encapsulationOf(pool, networks[family], address) === kind);
    return [{ node: name, address, isAcross }];
  });
}

function planTunnels(
  node: string,
  tunnels: readonly (readonly [PoolTunnel, readonly PoolTunnelPeer[]])[],
  { nodes }: CalicoResult,
  { subnets, underlay }: BgpPlace,
): readonly KernelObject[] {
  const own = nodes.find(({ name }) => name === node);
  const ends = tunnels.flatMap(([tunnel, peers]): (readonly [PoolTunnelEnd, readonly PoolTunnelPeer[]])[] => {
    const address = own?.addresses[tunnel.family];
    const subnet = subnets.find((each) => familyOf(each) === tunnel.family);
    if (address === undefined || subnet === undefined || underlay === undefined) return [];
    return [[{ ...tunnel, node, address, subnet, underlay }, peers]];
  });
  return [
    ...ends.flatMap(([end, peers]) => planPoolTunnel(end, peers)),
    ...planPoolGuards(ends.map(([end]) => end)),
  ];
}

function tunnelChooser(
  { pools, networks }: CalicoResult,
  tunnels: readonly (readonly [PoolTunnel, readonly PoolTunnelPeer[]])[],
  strangers: Set<IpAddress>,
): PoolPlan['tunnelTo'] {
  const hops = new Map(
    tunnels.flatMap(([tunnel, peers]) =>
      peers.map((peer) => [`${tunnel.kind} ${peer.address}`, poolTunnelHop(tunnel, peer)] as const),
    ),
  );
  if (tunnels.length === 0) return () => undefined;
  return (prefix, nextHop) => {
    const kind = encapsulationOf(poolOf(pools, prefix), networks[familyOf(nextHop)], nextHop);
    if (kind === 'none') return undefined;
    const hop = hops.get(`${kind} ${nextHop}`);
    if (hop === undefined) strangers.add(nextHop);
    return hop;
  };
}

/** Whoever wants BGP alone to carry the network says so in net-conf.json. */
function encapsulationProblems(pool: CalicoPool, { networks, backend }: BgpPlace): readonly string[] {
  const { name, cidr, encapsulation, isExported } = pool;
  const spec = `IPPool ${name} spec`;
  const isOfNetwork = networks.some((network) => overlaps(network, cidr));
  if (backend === 'alloc')
    return isOfNetwork && !isExported
      ? [
          `${spec}.disableBGPExport: pods of ${cidr} are reached from their own node alone, for BGP is told nothing of them and nothing else carries them`,
        ]
      : [];
  const remedy = 'Backend.Type "alloc" leaves it to the pool';
  if (!isOfNetwork)
    return encapsulation === 'none'
      ? []
      : [
          `${spec}: ${encapsulation} is not done beside the network's backend, ${backend}, so ${cidr} is not reached by BGP: ${remedy}`,
        ];
  if (name.startsWith(OWN_POOL) || encapsulation === (backend === 'host-gw' ? 'none' : backend)) return [];
  const wanted = encapsulation === 'none' ? 'no encapsulation' : encapsulation;
  return [
    `${spec}: ${wanted} is wanted, and the network's backend is ${backend}, which has routes of its own: ${remedy}`,
  ];
}

/** Which node has which addresses is said by leases, one subnet for each node, and what pods get of them by the node. */
function assignmentProblems(pool: CalicoPool, { networks, subnets }: BgpPlace): readonly string[] {
  const { name, cidr } = pool;
  if (name.startsWith(OWN_POOL) || !networks.some((network) => overlaps(network, cidr))) return [];
  const own = subnets.find((subnet) => overlaps(subnet, cidr));
  const length = own === undefined ? undefined : Number(own.split('/')[1]);
  const said: readonly (readonly [string, boolean, string])[] = [
    ['disabled', pool.isDisabled, 'pods get addresses of it all the same'],
    ['nodeSelector', pool.nodeSelector !== 'all()', 'all nodes have a subnet of it all the same'],
    ['namespaceSelector', pool.namespaceSelector !== 'all()', 'pods of all namespaces have addresses of it'],
    ['assignmentMode', pool.isManual, 'pods get addresses of it without asking'],
    ['allowedUses', !pool.allowedUses.includes('Workload'), 'pods get addresses of it all the same'],
    [
      'blockSize',
      pool.isBlockSizeGiven && length !== undefined && length !== pool.blockSize,
      `a node's subnet is a /${length}: SubnetLen and IPv6SubnetLen of net-conf.json say it`,
    ],
  ];
  return said.flatMap(([key, isSaid, text]) =>
    isSaid ? [`IPPool ${name} spec.${key}: is not obeyed, ${text}`] : [],
  );
}

function overlaps(a: IpPrefix, b: IpPrefix): boolean {
  return familyOf(a) === familyOf(b) && prefixesOverlap(a, b);
}
