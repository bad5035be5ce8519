/**
 * Calico's BGP resources as the configuration of one node's speaker: each key of projectcalico.org/v3 does what it does there, or is told.
 * Sessions carry the family they run over, as Calico's do, so that nodes with either program can be mixed.
 */
import type { IpAddress } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { SpeakerConfig } from '../speaker/index.ts';
import { readConfiguration } from './configuration.ts';
import { type CalicoNode, readNode } from './node.ts';
import { type CalicoPool, readPool } from './pools.ts';
import type { Finding, Findings } from './reader.ts';
import { Scene } from './scene.ts';
import { prioritiesOf, type ServiceBlocks, servicesOf } from './services.ts';
import type { CalicoWorld } from './world.ts';

export interface CalicoResult {
  /** Absent if the node is not known, or has no address. */
  readonly speaker?: SpeakerConfig;
  readonly listenPort: number;
  /** Addresses to listen at; absent: all. */
  readonly listenAddresses?: readonly IpAddress[];
  readonly pools: readonly CalicoPool[];
  /** All nodes, this one among them. */
  readonly nodes: readonly CalicoNode[];
  /** This node's networks, for tunnels across subnets only. */
  readonly networks: CalicoNode['networks'];
  /** Whether routes of pools are programmed by whoever does the overlay, and not by BGP. */
  readonly isOverlayProgramming: boolean;
  readonly ignoredInterfaces: readonly string[];
  readonly routePriority: { readonly 4: number; readonly 6: number };
  readonly services: ServiceBlocks;
  /** Routes that peers are reached by. */
  readonly reachability: readonly { readonly peer: IpAddress; readonly gateway: IpAddress }[];
  /** Addresses that pods on this node speak to. */
  readonly workloadPeering: { readonly 4?: IpAddress; readonly 6?: IpAddress };
  readonly logSeverity: string;
  readonly problems: readonly Finding[];
  readonly warnings: readonly Finding[];
}

const DEFAULT_PORT = 179;

/** Translates all there is. What is broken is told and left out; the rest works. */
export function translateCalico(world: CalicoWorld): CalicoResult {
  const findings: Findings = { problems: [], warnings: [] };
  const of = (kind: string): readonly KubeObject[] => world.objects.filter((object) => object.kind === kind);
  const configuration = readConfiguration(of('BGPConfiguration'), world.node, findings);
  const pools = of('IPPool').flatMap(({ metadata: { name }, ...rest }) => {
    const pool = readPool(name, rest['spec'], findings);
    return pool === undefined ? [] : [pool];
  });
  const nodes = of('Node').map((node) => readNode(node, findings));
  const own = nodes.find(({ name }) => name === world.node);
  if (own === undefined) findings.problems.push({ place: `Node ${world.node}`, message: 'there is none' });
  const scene =
    own === undefined
      ? undefined
      : new Scene({ world, configuration, pools, nodes, own, filters: of('BGPFilter'), findings });
  const speaker = scene?.speaker(of('BGPPeer'));
  const { bindMode, localWorkloadPeeringIPV4: ipv4, localWorkloadPeeringIPV6: ipv6 } = configuration;
  const addresses = Object.values(own?.addresses ?? {});
  return {
    ...(speaker === undefined ? {} : { speaker }),
    listenPort: configuration.listenPort ?? DEFAULT_PORT,
    ...(bindMode === 'NodeIP' ? { listenAddresses: addresses } : {}),
    pools,
    nodes,
    networks: own?.networks ?? {},
    isOverlayProgramming: configuration.programClusterRoutes === 'Disabled',
    ignoredInterfaces: configuration.ignoredInterfaces ?? [],
    routePriority: prioritiesOf(configuration),
    services: servicesOf(configuration),
    reachability: scene?.reachability ?? [],
    workloadPeering: {
      ...(ipv4 === undefined ? {} : { 4: ipv4 }),
      ...(ipv6 === undefined ? {} : { 6: ipv6 }),
    },
    logSeverity: configuration.logSeverityScreen ?? 'Info',
    ...findings,
  };
}
