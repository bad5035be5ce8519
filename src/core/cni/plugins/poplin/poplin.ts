/**
 * The poplin plugin: a routed veth. The pod has its address alone (/32, /128) and a gateway that is the host's end of the pair;
 * the host has a route for each pod. All traffic, that of the same node too, is routed and so meets policy.
 * Both ends know each other's MAC address beforehand: nobody needs ARP or neighbour discovery.
 */
import { familyOf, hostPrefixOf, type IpAddress, type IpFamily, prefixParts } from '#base/ip/index.ts';
import { CNI, type KernelObject, type Link, type Neighbour, type Route } from '#core/kernel/index.ts';
import type { CniIp, CniResult, CniRoute } from '../../spec/result.ts';
import {
  attachmentOf,
  behind,
  isDefaultRoute,
  planVethRemoval,
  podIpv6Sysctls,
  podMac,
  podRoute,
  refuseExistingInterface,
  requireAddresses,
} from '../attachment.ts';
import type { AddPlan, InterfacePlugin, PluginCall, PreparedAdd } from '../definition.ts';
import { attachmentAlias, hostLinkName } from '../identity.ts';
import { forwarding, linkSysctls, routedLinkSysctls, routeToPod, type SysctlValue } from '../routed.ts';
import { GATEWAYS, type PoplinConfig, parsePoplinConfig, poplinIpam } from './config.ts';

/** The MAC address of every pair's host end. It is seen on that link only, so it may be the same on all. */
const HOST_MAC = 'ee:ee:ee:ee:ee:ee';

export const poplinPlugin: InterfacePlugin = {
  type: 'poplin',
  prepareAdd,
  planDel: planVethRemoval,
};

interface Pair {
  readonly call: PluginCall;
  readonly hostName: string;
  readonly podName: string;
  readonly podMac: string;
  readonly config: PoplinConfig;
  readonly addresses: readonly IpAddress[];
}

function prepareAdd(call: PluginCall): PreparedAdd {
  const { network, environment, facts } = call;
  const config = parsePoplinConfig(network, facts);
  const ipam = poplinIpam(network, environment.args, facts);
  refuseExistingInterface(call);
  const hostName = hostLinkName('pop', 11, attachmentOf(call), facts.host);
  const podName = environment.ifName;
  const mac = podMac(call);
  return {
    ipam,
    plan: (ipamResult = { interfaces: [], ips: [], routes: [] }) => {
      requireAddresses(ipamResult, call);
      const addresses = ipamResult.ips.map((ip) => prefixParts(ip.address).address);
      return planAdd({ call, hostName, podName, podMac: mac, config, addresses }, ipamResult);
    },
  };
}

function planAdd(pair: Pair, ipam: CniResult): AddPlan {
  const { call, addresses } = pair;
  const families = ([4, 6] as const).filter((family) => addresses.some((each) => familyOf(each) === family));
  const routes = containerRoutes(families, ipam.routes);
  const dns = call.network.dns ?? ipam.dns;
  const result: CniResult = {
    interfaces: [
      { name: pair.hostName, mac: HOST_MAC },
      { name: pair.podName, mac: pair.podMac, sandbox: call.environment.netns },
    ],
    ips: addresses.map((address): CniIp => {
      return { interface: 1, address: hostPrefixOf(address), gateway: GATEWAYS[familyOf(address)] };
    }),
    routes,
    ...(dns && { dns }),
  };
  return {
    result: behind(call.network.prevResult, result),
    hostRemovals: [],
    sharedObjects: families.map(forwarding),
    hostObjects: hostObjects(pair, families),
    podObjects: podObjects(pair, families, routes),
    warnings: [],
  };
}

/** The routes IPAM was configured with, through our gateway; where a family has none, the default route. */
function containerRoutes(families: readonly IpFamily[], configured: readonly CniRoute[]): CniRoute[] {
  return families.flatMap((family): CniRoute[] => {
    const gw = GATEWAYS[family];
    const own = configured.filter((route) => familyOf(route.dst) === family);
    if (own.length === 0) return [{ dst: family === 4 ? '0.0.0.0/0' : '::/0', gw }];
    return own.map((route) => ({ ...route, gw }));
  });
}

function hostObjects(pair: Pair, families: readonly IpFamily[]): KernelObject[] {
  const { call, hostName, addresses } = pair;
  const objects: KernelObject[] = [hostLink(pair)];
  if (families.includes(4)) objects.push(...linkSysctls(hostName, IPV4_SYSCTLS));
  objects.push(...routedLinkSysctls(hostName, families, call.facts.ipv6));
  if (families.includes(6)) {
    objects.push({ kind: 'address', link: hostName, address: `${GATEWAYS[6]}/64`, noDad: true });
  }
  for (const address of addresses) {
    objects.push(neighbour(hostName, address, pair.podMac));
    const preferredSource = call.facts.addresses.find((each) => familyOf(each) === familyOf(address));
    objects.push(routeToPod(address, hostName, preferredSource));
  }
  return objects;
}

const IPV4_SYSCTLS: readonly SysctlValue[] = [
  // The host answers for the gateway address, at once: the kernel's default is to wait up to 0.8 s.
  ['net/ipv4/conf/LINK/proxy_arp', '1'],
  ['net/ipv4/neigh/LINK/proxy_delay', '0'],
];

function hostLink({ call, hostName, podName, podMac, config }: Pair): Link {
  const mtu = config.mtuBytes === undefined ? {} : { mtuBytes: config.mtuBytes };
  return {
    kind: 'link',
    name: hostName,
    detail: {
      type: 'veth',
      peer: { name: podName, netns: call.environment.netns, mac: podMac, ...mtu },
    },
    up: true,
    mac: HOST_MAC,
    ...mtu,
    alias: attachmentAlias(attachmentOf(call)),
    // fe80::1 is the only link-local address wanted here.
    ...(call.facts.ipv6 && { addressGeneration: 'none' }),
  };
}

function podObjects(pair: Pair, families: readonly IpFamily[], routes: readonly CniRoute[]): KernelObject[] {
  const { call, podName, podMac, config, addresses } = pair;
  const objects: KernelObject[] = [];
  if (families.includes(6)) {
    objects.push(...podIpv6Sysctls(podName));
    for (const key of ['accept_ra', 'autoconf', 'accept_dad']) {
      objects.push({ kind: 'sysctl', path: `net/ipv6/conf/${podName}/${key}`, value: '0' });
    }
  }
  objects.push({
    kind: 'link',
    name: podName,
    detail: { type: 'veth' },
    up: true,
    mac: podMac,
    ...(config.mtuBytes !== undefined && { mtuBytes: config.mtuBytes }),
    alias: attachmentAlias(attachmentOf(call)),
  });
  for (const address of addresses) {
    const noDad = familyOf(address) === 6;
    objects.push({
      kind: 'address',
      link: podName,
      address: hostPrefixOf(address),
      ...(noDad && { noDad }),
    });
  }
  for (const family of families) {
    objects.push(neighbour(podName, GATEWAYS[family], HOST_MAC));
    if (family === 4) objects.push(podRoute({ dst: hostPrefixOf(GATEWAYS[4]) }, podName, undefined));
    const own = routes.filter((route) => familyOf(route.dst) === family);
    // The default route last, should others be needed to reach through it.
    own.sort((a, b) => Number(isDefaultRoute(a, family)) - Number(isDefaultRoute(b, family)));
    objects.push(...own.map((route) => throughGateway(podRoute(route, podName, GATEWAYS[family]))));
  }
  return objects;
}

/** The gateway is on this link, though the route to its address be on that of another network. */
function throughGateway(route: Route): Route {
  return { ...route, nextHops: route.nextHops.map((hop) => ({ ...hop, onlink: true })) };
}

function neighbour(link: string, address: IpAddress, mac: string): Neighbour {
  return { kind: 'neighbour', link, address, mac, protocol: CNI.protocol };
}
