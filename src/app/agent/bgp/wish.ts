/** What a node's speaker and its routes are to be: Calico's objects, and beside them what Poplin knows of the node and adds in annotations. */
import {
  familyOf,
  formatScopedIp,
  hostPrefixOf,
  type IpAddress,
  type IpPrefix,
  prefixContains,
} from '#base/ip/index.ts';
import { type CalicoResult, type CalicoWorld, translateCalico } from '#core/bgp/calico/index.ts';
import type { KernelRouteRules } from '#core/bgp/kernel/index.ts';
import type { NeighborConfig, SpeakerConfig } from '#core/bgp/speaker/index.ts';
import type { KernelObject } from '#core/kernel/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { isDead, type KnownObjects, withAddresses } from './known-objects.ts';
import type { BgpPlace } from './place.ts';
import { ownPoolName, type PoolPlan, planPools } from './pools.ts';

export interface BgpWish {
  readonly speaker?: SpeakerConfig;
  readonly listen: { readonly port: number; readonly addresses: readonly IpAddress[] };
  readonly rules: KernelRouteRules;
  /** Networks are carried by BGP's routes alone. */
  readonly isBare: boolean;
  /** What pools want of the kernel. */
  readonly objects: readonly KernelObject[];
  /** What pools' tunnels put around a packet of a pod, at most. */
  readonly overheadBytes: number;
  /** What an operator should know, one sentence each. */
  readonly problems: readonly string[];
  /** The same, of what is learned. */
  readonly lateProblems: () => readonly string[];
}

/** What annotations of a BGPPeer, and for the mesh of the BGPConfiguration `default`, say beyond Calico's keys. */
const BFD_KEY = 'poplin.dev/bfd';
const MESH_LIMIT_KEY = 'poplin.dev/full-mesh-limit';
/** How long a restart waits for the peers' routes. */
const DEFER_MS = 60_000;

/** Works it all out anew: a matter of milliseconds for hundreds of nodes. */
export function bgpWish(
  node: string,
  place: BgpPlace,
  known: KnownObjects,
  held: readonly HeldPeer[] = [],
): BgpWish {
  const problems: string[] = [];
  const result = translateCalico({
    node,
    objects: [...known.all().map((object) => completed(object, node, place)), ...ownPools(place, known)],
    blocks: place.subnets,
    mesh: meshOf(known, held, problems),
  });
  for (const { place: where, message } of [...result.problems, ...result.warnings])
    problems.push(`${where}: ${message}`);
  const isBare = place.backend === 'alloc';
  const pools = planPools(node, result, place);
  problems.push(...pools.problems);
  const speaker = result.speaker && {
    ...result.speaker,
    deferMs: DEFER_MS,
    routes: [
      ...result.speaker.routes,
      ...(place.singles ?? []).map((address) => ({ prefix: hostPrefixOf(address), origin: 'pods' })),
    ],
    neighbors: distinct(withBfd(result.speaker.neighbors, known, problems), problems),
  };
  const families = new Set(place.addresses.map((address) => familyOf(hostOf(address))));
  // Link-local addresses are of IPv6, whatever the node's own are.
  if (speaker?.neighbors.some(({ session }) => session.interface !== undefined) === true) families.add(6);
  return {
    ...(speaker === undefined ? {} : { speaker }),
    listen: {
      port: result.listenPort,
      addresses: result.listenAddresses ?? [...families].map((family) => (family === 4 ? '0.0.0.0' : '::')),
    },
    rules: rulesOf(result, place, pools, speaker?.neighbors ?? []),
    isBare,
    objects: pools.objects,
    overheadBytes: pools.overheadBytes,
    problems,
    lateProblems: pools.lateProblems,
  };
}

/** A mesh session as it is, so that a change of reflectors leaves no gap. */
export interface HeldPeer {
  readonly key: string;
  readonly isClient: boolean;
  readonly isEstablished: boolean;
  readonly isComplete: boolean;
}

function completed(object: KubeObject, node: string, { addresses }: BgpPlace): KubeObject {
  return object.kind === 'Node' && object.metadata.name === node ? withAddresses(object, addresses) : object;
}

/** The network's own prefixes count as pools where no pool has them. */
function ownPools({ networks }: BgpPlace, known: KnownObjects): readonly KubeObject[] {
  const cidrs = known.of('IPPool').flatMap((pool) => {
    const cidr = (pool['spec'] as { readonly cidr?: unknown } | undefined)?.cidr;
    return typeof cidr === 'string' && cidr.includes('/') ? [cidr] : [];
  });
  return networks
    .filter((network) => !cidrs.some((cidr) => isWithin(network, cidr)))
    .map((cidr) => ({
      apiVersion: 'projectcalico.org/v3',
      kind: 'IPPool',
      metadata: { name: ownPoolName(cidr) },
      spec: { cidr },
    }));
}

function isWithin(inner: IpPrefix, outer: string): boolean {
  try {
    return familyOf(hostOf(inner)) === familyOf(hostOf(outer)) && prefixContains(outer, inner);
  } catch {
    // What is no prefix is told by whoever reads the pool.
    return false;
  }
}

function meshOf(
  known: KnownObjects,
  held: readonly HeldPeer[],
  problems: string[],
): NonNullable<CalicoWorld['mesh']> {
  const limit = configurationOf(known)?.metadata.annotations?.[MESH_LIMIT_KEY];
  const isNumber = limit === undefined || /^\d{1,5}$/.test(limit);
  if (!isNumber)
    problems.push(
      `BGPConfiguration default metadata.annotations["${MESH_LIMIT_KEY}"]: "${limit}" is not from 0 to 99999`,
    );
  return {
    options: limit === undefined || !isNumber ? {} : { fullMeshLimit: Number(limit) },
    dead: new Set(
      known
        .of('Node')
        .filter(isDead)
        .map(({ metadata }) => metadata.name),
    ),
    held: held.flatMap(({ key, isClient, isEstablished, isComplete }) => {
      const peer = /^mesh (.+) [46]$/.exec(key)?.[1];
      if (peer === undefined) return [];
      return [
        { peer, role: isClient ? 'client' : 'mesh', isEstablished, isComplete, isRedundant: true } as const,
      ];
    }),
  };
}

/** Blocks of services are told. */
export function tellsServices(known: KnownObjects): boolean {
  const spec = (configurationOf(known)?.['spec'] ?? {}) as Readonly<Record<string, unknown>>;
  return ['serviceClusterIPs', 'serviceExternalIPs', 'serviceLoadBalancerIPs'].some((key) => {
    const blocks = spec[key];
    return Array.isArray(blocks) && blocks.length > 0;
  });
}

function configurationOf(known: KnownObjects): KubeObject | undefined {
  return known.of('BGPConfiguration').find(({ metadata }) => metadata.name === 'default');
}

function rulesOf(
  { routePriority, services }: CalicoResult,
  { networks, backend }: BgpPlace,
  { isCarried, tunnelTo }: PoolPlan,
  neighbors: readonly NeighborConfig[],
): KernelRouteRules {
  // Services are for whoever balances them on this node, as with Calico, and not for another node.
  const ofServices = [...services.clusterIps, ...services.externalIps, ...services.loadBalancerIps];
  const links = new Map(neighbors.map(({ key, session }) => [key, session.interface]));
  return {
    metric: routePriority,
    isWanted: (prefix) => {
      if (ofServices.some((block) => isWithin(prefix, block))) return false;
      if (backend === 'alloc') return true;
      return !networks.some((network) => isWithin(prefix, network)) && isCarried(prefix);
    },
    tunnelTo,
    linkOf: (peer) => links.get(peer),
  };
}

function withBfd(
  neighbors: readonly NeighborConfig[],
  known: KnownObjects,
  problems: string[],
): readonly NeighborConfig[] {
  const peers = new Map(
    known.of('BGPPeer').map(({ metadata }) => [metadata.name, metadata.annotations?.[BFD_KEY]]),
  );
  const mesh = configurationOf(known)?.metadata.annotations?.[BFD_KEY];
  return neighbors.map((neighbor) => {
    const name = /^BGPPeer (.+) \S+$/.exec(neighbor.key)?.[1];
    const text = name === undefined ? mesh : peers.get(name);
    if (text === undefined) return neighbor;
    const bfd = parseBfd(text);
    if (bfd !== undefined) return { ...neighbor, session: { ...neighbor.session, bfd } };
    const place = name === undefined ? 'BGPConfiguration default' : `BGPPeer ${name}`;
    const problem = `${place} metadata.annotations["${BFD_KEY}"]: "${text}" is not such as 300ms x 3`;
    if (!problems.includes(problem)) problems.push(problem);
    return neighbor;
  });
}

/** `300ms x 3`: how often packets go, and how many may be lost. */
function parseBfd(text: string): NeighborConfig['session']['bfd'] | undefined {
  const [, ms, count] = /^(\d{1,5})ms ?[x*] ?(\d{1,3})$/.exec(text.trim()) ?? [];
  const [interval, multiplier] = [Number(ms), Number(count)];
  if (!(interval >= 10 && multiplier >= 1 && multiplier <= 255)) return undefined;
  return { receiveMs: interval, transmitMs: interval, multiplier };
}

/** One session for an address, or a link without one: a connection says no more than where it is from. */
function distinct(neighbors: readonly NeighborConfig[], problems: string[]): readonly NeighborConfig[] {
  const byPlace = new Map<string, NeighborConfig>();
  for (const neighbor of neighbors) {
    const { peerAddress, interface: link = '' } = neighbor.session;
    const place = peerAddress === undefined ? `whoever is on ${link}` : formatScopedIp(peerAddress, link);
    const other = byPlace.get(place);
    if (other === undefined) {
      byPlace.set(place, neighbor);
      continue;
    }
    // What somebody wrote counts more than the mesh.
    const [kept, left] = other.key.startsWith('mesh ') ? [neighbor, other] : [other, neighbor];
    byPlace.set(place, kept);
    problems.push(`${left.key}: there is a session with ${place} already, ${kept.key}: left out`);
  }
  return [...byPlace.values()];
}

function hostOf(text: string): string {
  return text.split('/')[0] ?? text;
}
