/**
 * The lab's physical network as kernel state: one namespace, the fabric, is the switch of every subnet and the router between them;
 * every node hangs on it by a veth pair, whose end in the node is eth0.
 */
import { prefixParts } from '#base/ip/index.ts';
import { type KernelObject, LAB } from '#core/kernel/index.ts';
import { hostOf, type LabNode, ROUTER_HOST, type Topology } from './topology.ts';

export const NODE_LINK = 'eth0';
const UNDERLAY_MTU_BYTES = 1500;

/** The bridge of a subnet, in the fabric. */
export function bridgeName(topology: Topology, subnet: string): string {
  return `br${topology.subnets.findIndex((each) => each.name === subnet)}`;
}

/** The fabric's end of a node's cable. */
export function cableName(topology: Topology, node: string): string {
  return `port${topology.nodes.findIndex((each) => each.name === node)}`;
}

/** The fabric: a bridge for each subnet, with the router's address on it. */
export function planFabric(topology: Topology): KernelObject[] {
  return [
    loopback(),
    { kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '1' },
    { kind: 'sysctl', path: 'net/ipv6/conf/all/forwarding', value: '1' },
    ...topology.subnets.flatMap((subnet): KernelObject[] => {
      const name = bridgeName(topology, subnet.name);
      return [
        {
          kind: 'link',
          name,
          detail: { type: 'bridge' },
          up: true,
          alias: `${LAB.alias}:subnet ${subnet.name}`,
        },
        ...addressesOf(name, subnet, hostOf(subnet.ipv4, ROUTER_HOST), hostOf(subnet.ipv6, ROUTER_HOST)),
      ];
    }),
  ];
}

/** A node's cable, made in the fabric with its other end in the node. */
export function planCable(topology: Topology, node: LabNode, nodeNamespace: string): KernelObject {
  return {
    kind: 'link',
    name: cableName(topology, node.name),
    detail: { type: 'veth', peer: { name: NODE_LINK, netns: nodeNamespace, mtuBytes: UNDERLAY_MTU_BYTES } },
    master: bridgeName(topology, node.subnet),
    mtuBytes: UNDERLAY_MTU_BYTES,
    up: true,
    alias: `${LAB.alias}:node ${node.name}`,
  };
}

/** A node's own network before any agent runs: loopback, eth0, its addresses and the way to the router. */
export function planNode(topology: Topology, node: LabNode): KernelObject[] {
  const subnet = topology.subnets.find((each) => each.name === node.subnet);
  if (subnet === undefined) throw new RangeError(`node ${node.name} is in no subnet`);
  const route = (dst: string, via: string): KernelObject => ({
    kind: 'route',
    dst,
    nextHops: [{ via, link: NODE_LINK }],
    protocol: LAB.protocol,
  });
  return [
    loopback(),
    { kind: 'link', name: NODE_LINK, detail: { type: 'veth' }, up: true, alias: `${LAB.alias}:uplink` },
    ...addressesOf(NODE_LINK, subnet, node.ipv4, node.ipv6),
    route('0.0.0.0/0', hostOf(subnet.ipv4, ROUTER_HOST)),
    route('::/0', hostOf(subnet.ipv6, ROUTER_HOST)),
  ];
}

function loopback(): KernelObject {
  return { kind: 'link', name: 'lo', detail: { type: 'other', linkKind: 'physical' }, up: true };
}

function addressesOf(
  link: string,
  subnet: { ipv4: string; ipv6: string },
  ipv4: string,
  ipv6: string,
): KernelObject[] {
  return [
    { kind: 'address', link, address: `${ipv4}/${prefixParts(subnet.ipv4).length}` },
    { kind: 'address', link, address: `${ipv6}/${prefixParts(subnet.ipv6).length}`, noDad: true },
  ];
}

/** The addresses the lab's API server is reached by: the router's in the first subnet, IPv4 first. */
export function apiAddresses(topology: Topology): [string, string] {
  const [subnet] = topology.subnets;
  if (subnet === undefined) throw new RangeError('a lab has at least one subnet');
  return [hostOf(subnet.ipv4, ROUTER_HOST), hostOf(subnet.ipv6, ROUTER_HOST)];
}
