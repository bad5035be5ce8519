/**
 * The lab's physical network as kernel state: one namespace, the fabric, is the switch of every subnet and the router between them;
 * every node hangs on it by a veth pair, whose end in the node is eth0.
 */
import { familyOf, type IpAddress, prefixParts } from '#base/ip/index.ts';
import { type KernelObject, LAB } from '#core/kernel/index.ts';
import {
  addressesOf,
  type DualStack,
  hostsOf,
  type LabNode,
  type LabRouter,
  type LabSubnet,
  ROUTER_HOST,
  type Topology,
} from './model.ts';

export const NODE_LINK = 'eth0';
const UNDERLAY_MTU_BYTES = 1500;
const FORWARDING = [
  { family: 'ipv4', path: 'net/ipv4/ip_forward' },
  { family: 'ipv6', path: 'net/ipv6/conf/all/forwarding' },
] as const;

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
    ...FORWARDING.filter(({ family }) => topology.subnets.some((subnet) => subnet[family] !== undefined)).map(
      ({ path }): KernelObject => ({ kind: 'sysctl', path, value: '1' }),
    ),
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
        ...addressObjects(name, subnet, hostsOf(subnet, ROUTER_HOST)),
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
  return [
    loopback(),
    { kind: 'link', name: NODE_LINK, detail: { type: 'veth' }, up: true, alias: `${LAB.alias}:uplink` },
    ...addressObjects(NODE_LINK, subnet, node),
    ...addressesOf(hostsOf(subnet, ROUTER_HOST)).map(
      (via): KernelObject => ({
        kind: 'route',
        dst: familyOf(via) === 4 ? '0.0.0.0/0' : '::/0',
        nextHops: [{ via, link: NODE_LINK }],
        protocol: LAB.protocol,
      }),
    ),
  ];
}

/** A router's cables: one into every subnet, `eth0` the first. */
export function planRouterCables(
  topology: Topology,
  { name, host }: LabRouter,
  routerNamespace: string,
): KernelObject[] {
  return topology.subnets.map((subnet, at) => ({
    kind: 'link',
    name: `router${host}-${at}`,
    detail: {
      type: 'veth',
      peer: { name: `eth${at}`, netns: routerNamespace, mtuBytes: UNDERLAY_MTU_BYTES },
    },
    master: bridgeName(topology, subnet.name),
    mtuBytes: UNDERLAY_MTU_BYTES,
    up: true,
    alias: `${LAB.alias}:router ${name}`,
  }));
}

/** A router forwards, and has an address in every subnet; routes are for its program to find. */
export function planRouter(topology: Topology, { host }: LabRouter): KernelObject[] {
  return [
    loopback(),
    ...FORWARDING.filter(({ family }) => topology.subnets.some((subnet) => subnet[family] !== undefined)).map(
      ({ path }): KernelObject => ({ kind: 'sysctl', path, value: '1' }),
    ),
    ...topology.subnets.flatMap((subnet, at): KernelObject[] => [
      { kind: 'link', name: `eth${at}`, detail: { type: 'veth' }, up: true, alias: `${LAB.alias}:uplink` },
      ...addressObjects(`eth${at}`, subnet, hostsOf(subnet, host)),
    ]),
  ];
}

function loopback(): KernelObject {
  return { kind: 'link', name: 'lo', detail: { type: 'other', linkKind: 'physical' }, up: true };
}

function addressObjects(link: string, subnet: LabSubnet, hosts: DualStack): KernelObject[] {
  return addressesOf(hosts).map((address) => {
    const prefix = (familyOf(address) === 4 ? subnet.ipv4 : subnet.ipv6) as string;
    const text = `${address}/${prefixParts(prefix).length}`;
    return { kind: 'address', link, address: text, ...(familyOf(address) === 6 && { noDad: true }) };
  });
}

/** The addresses the lab's API server is reached by: the router's in the first subnet, IPv4 first. */
export function apiAddresses(topology: Topology): IpAddress[] {
  const [subnet] = topology.subnets;
  if (subnet === undefined) throw new RangeError('a lab has at least one subnet');
  return addressesOf(hostsOf(subnet, ROUTER_HOST));
}
