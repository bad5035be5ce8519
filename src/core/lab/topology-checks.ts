/** What the parts of a topology must be to each other, so that everybody can reach everybody. Each problem is told where it stands. */
import { type IpPrefix, prefixesOverlap, prefixSize } from '#base/ip/index.ts';
import {
  FAMILY_KEYS,
  type FamilyKey,
  type NetConf,
  type NetConfFamily,
  subnetCount,
} from '#core/lease/index.ts';
import { FABRIC_NAME, type LabNode, type TellProblem, type Topology } from './model.ts';

/** Of a node's pod subnet not for pods: the network's own address, the gateway's and the last one. */
const RESERVED_ADDRESSES = 3n;

export function checkTopology(topology: Topology, netConf: NetConf, tell: TellProblem): void {
  checkNames(topology, tell);
  checkFamilies(topology, netConf, tell);
  checkOverlap(topology, netConf, tell);
  for (const node of topology.nodes) checkPodKinds(topology, node, tell);
  for (const key of FAMILY_KEYS) checkRoom(topology, key, netConf[key], tell);
}

function checkNames({ nodes, pods, routers = [] }: Topology, tell: TellProblem): void {
  const taken = new Map<string, string>([[FABRIC_NAME, "the lab's own switch and router"]]);
  for (const node of nodes) {
    const owner = taken.get(node.name);
    if (owner !== undefined) tell(['nodes', node.name], `has the name of ${owner}`);
    taken.set(node.name, 'a node');
  }
  for (const router of routers) {
    const owner = taken.get(router.name);
    if (owner !== undefined) tell(['routers', router.name], `has the name of ${owner}`);
    taken.set(router.name, 'a router');
  }
  for (const pod of pods) {
    const owner = taken.get(pod.name);
    if (owner !== undefined) tell(['pods', pod.name], `pod ${pod.name} has the name of ${owner}`);
  }
}

/** The overlay carries a family's packets over the same family's underlay. */
function checkFamilies({ subnets }: Topology, netConf: NetConf, tell: TellProblem): void {
  for (const key of FAMILY_KEYS) {
    const [having, lacking] = [
      subnets.filter((subnet) => subnet[key] !== undefined),
      subnets.filter((subnet) => subnet[key] === undefined),
    ];
    const needing = having[0] === undefined ? undefined : `subnet ${having[0].name} has one`;
    const reason =
      netConf[key] === undefined ? needing : `the pods' network ${netConf[key].network} needs it`;
    if (reason === undefined) continue;
    for (const subnet of lacking) tell(['subnets', subnet.name], `has no ${key}, and ${reason}`);
  }
}

function checkOverlap({ subnets }: Topology, netConf: NetConf, tell: TellProblem): void {
  for (const [at, subnet] of subnets.entries()) {
    for (const key of FAMILY_KEYS) {
      const prefix = subnet[key];
      if (prefix === undefined) continue;
      const others: readonly (readonly [string, IpPrefix | undefined])[] = [
        ...subnets.slice(0, at).map((other) => [`subnet ${other.name}'s`, other[key]] as const),
        ["the pods' network", netConf[key]?.network],
      ];
      for (const [owner, other] of others) {
        if (other !== undefined && prefixesOverlap(prefix, other))
          tell(['subnets', subnet.name, key], `${prefix} overlaps ${owner} ${other}`);
      }
    }
  }
}

function checkPodKinds(topology: Topology, node: LabNode, tell: TellProblem): void {
  const kinds = new Set(topology.pods.filter((pod) => pod.node === node.name).map((pod) => pod.network));
  if (kinds.size < 2) return;
  const odd = topology.pods.findLast((pod) => pod.node === node.name && pod.network === 'bridge');
  tell(
    ['pods', odd?.name ?? '', 'network'],
    `node ${node.name} has pods of both kinds: a pod on the bridge takes the node's whole subnet to be on that bridge and would never find the routed ones; put them on different nodes`,
  );
}

function checkRoom(
  { nodes, pods }: Topology,
  key: FamilyKey,
  family: NetConfFamily | undefined,
  tell: TellProblem,
): void {
  if (family === undefined) return;
  const subnets = subnetCount(family);
  if (subnets < nodes.length) {
    const { network, subnetLen } = family;
    tell(
      ['network'],
      `has ${subnets} subnets of /${subnetLen} in ${network}, and there are ${nodes.length} nodes`,
    );
  }
  const room = prefixSize(`${family.subnetMin}/${family.subnetLen}`) - RESERVED_ADDRESSES;
  for (const node of nodes) {
    const count = pods.filter((pod) => pod.node === node.name).length;
    if (count > room)
      tell(
        ['network'],
        `gives a node a /${family.subnetLen} (${key}) with room for ${room} pods, and ${node.name} has ${count}`,
      );
  }
}
