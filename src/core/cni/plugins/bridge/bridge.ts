/**
 * The bridge plugin: a veth pair between the container and a bridge of the host; the bridge may be the gateway.
 * Keys and result are those of the reference plugin; what it lacks is told in config.ts.
 */
import { localMac } from '#base/hash.ts';
import { familyOf, type IpFamily, type MacAddress } from '#base/ip/index.ts';
import { CNI, type KernelObject, type Link, linkIn, type Sysctl } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import type { CniIp, CniResult, CniRoute } from '../../spec/result.ts';
import {
  attachmentOf,
  behind,
  gatewayOf,
  isDefaultRoute,
  planVethRemoval,
  podMac,
  refuseExistingInterface,
  requireAddresses,
} from '../attachment.ts';
import type { AddPlan, InterfacePlugin, LinkChange, PluginCall, PreparedAdd } from '../definition.ts';
import { attachmentAlias, attachmentMac, hostLinkName } from '../identity.ts';
import { chooseIpam } from '../ipam.ts';
import { masquerade, NO_NAT } from '../nat/index.ts';
import { podInterfaceObjects } from '../pod-interface.ts';
import { masqueradeRules } from '../reference-rules/index.ts';
import { type BridgeConfig, parseBridgeConfig } from './config.ts';
import { conflictingAddresses, defaultGateway, gatewayAddresses } from './gateway.ts';
import { guardMac } from './spoof-guard.ts';

export const bridgePlugin: InterfacePlugin = {
  type: 'bridge',
  prepareAdd,
  planDel: planVethRemoval,
  referenceRules: masqueradeRules,
};

/** Index of the container's interface in the result: after the bridge and the host's end. */
const POD_INTERFACE = 2;

interface Names {
  readonly bridgeMac: MacAddress;
  readonly hostName: string;
  readonly hostMac: MacAddress;
  readonly podMac: MacAddress;
}

function prepareAdd(call: PluginCall): PreparedAdd {
  const { network, environment, facts } = call;
  const config = parseBridgeConfig(network);
  const ipam = chooseIpam(network, environment.args);
  const existing = linkIn(facts.host, config.bridge);
  if (existing !== undefined && existing.detail.type !== 'bridge') {
    throw new CniError(
      CNI_ERROR.linkConflict,
      `"${config.bridge}" already exists but is not a bridge`,
      'name another "bridge"',
    );
  }
  refuseExistingInterface(call);
  const attachment = attachmentOf(call);
  const names: Names = {
    bridgeMac: existing?.mac ?? localMac(`${facts.node}/bridge/${config.bridge}`),
    hostName: hostLinkName('veth', 8, attachment, facts.host),
    hostMac: attachmentMac(attachment, 'host'),
    podMac: podMac(call),
  };
  return { ipam, plan: (ipamResult) => planAdd(call, config, existing, names, ipamResult) };
}

function planAdd(
  call: PluginCall,
  config: BridgeConfig,
  existing: Link | undefined,
  names: Names,
  ipam: CniResult | undefined,
): AddPlan {
  if (ipam !== undefined) requireAddresses(ipam, call);
  const ips = containerIps(config, ipam?.ips ?? []);
  const routes = containerRoutes(config, ips, ipam?.routes ?? []);
  const wanted = config.isGateway ? gatewayAddresses(config.bridge, ips) : [];
  const dns = call.network.dns ?? ipam?.dns;
  const nat = config.ipMasq ? masquerade(ips) : NO_NAT;
  const spoofGuard = config.macspoofchk ? guardMac(names.hostName, names.podMac) : NO_NAT;
  const result: CniResult = {
    interfaces: [
      { name: config.bridge, mac: names.bridgeMac },
      { name: names.hostName, mac: names.hostMac },
      { name: call.environment.ifName, mac: names.podMac, sandbox: call.environment.netns },
    ],
    ips,
    routes,
    ...(dns && { dns }),
  };
  return {
    result: behind(call.network.prevResult, result),
    hostRemovals: existing ? conflictingAddresses(config, existing, wanted, call.facts.host) : [],
    hostChanges: filteringOn(config, existing),
    sharedObjects: [
      bridgeLink(config, existing, names),
      ...bridgeSysctls(config, ips, call.facts.ipv6),
      ...wanted,
      ...nat.shared,
      ...spoofGuard.shared,
    ],
    hostObjects: [hostLink(call, config, names), ...portSysctls(call, names), ...nat.own, ...spoofGuard.own],
    podObjects: podObjects(call, config, names, ips, routes),
    warnings: [],
  };
}

function containerIps(config: BridgeConfig, ips: readonly CniIp[]): CniIp[] {
  return ips.map(({ address, gateway }) => {
    const via = gateway ?? (config.isGateway ? defaultGateway(address) : undefined);
    return { interface: POD_INTERFACE, address, ...(via !== undefined && { gateway: via }) };
  });
}

function containerRoutes(
  config: BridgeConfig,
  ips: readonly CniIp[],
  fromIpam: readonly CniRoute[],
): CniRoute[] {
  const routes = [...fromIpam];
  if (!config.isDefaultGateway) return routes;
  for (const family of [4, 6] as const) {
    const gw = gatewayOf(ips, family);
    if (gw === undefined || routes.some((route) => isDefaultRoute(route, family))) continue;
    routes.push({ dst: family === 4 ? '0.0.0.0/0' : '::/0', gw });
  }
  return routes;
}

/** A bridge that was made for others passes on every frame, tagged or not, until it is told to look at VLANs. */
function filteringOn({ bridge, vlans }: BridgeConfig, existing: Link | undefined): LinkChange[] {
  if (vlans === undefined || existing?.detail.type !== 'bridge' || existing.detail.vlanFiltering === true)
    return [];
  const object: Link = { kind: 'link', name: bridge, detail: { type: 'bridge', vlanFiltering: true } };
  return [{ object, previous: existing }];
}

/** Somebody else's bridge keeps its MTU and MAC address, and its owner. */
function bridgeLink(config: BridgeConfig, existing: Link | undefined, names: Names): Link {
  const link: Link = {
    kind: 'link',
    name: config.bridge,
    detail: { type: 'bridge', ...(config.vlans !== undefined && { vlanFiltering: true }) },
    up: true,
    ...(config.promiscMode && { promiscuous: true }),
  };
  if (existing !== undefined && existing.alias !== CNI.alias) return link;
  return {
    ...link,
    mac: names.bridgeMac,
    ...(config.mtu > 0 && { mtuBytes: config.mtu }),
    alias: CNI.alias,
  };
}

function bridgeSysctls(config: BridgeConfig, ips: readonly CniIp[], hasIpv6: boolean): Sysctl[] {
  const sysctls: Sysctl[] = [];
  const set = (path: string, value: string) => sysctls.push({ kind: 'sysctl', path, value });
  // The routes of this link are ours to make: none from router advertisements.
  if (hasIpv6) set(`net/ipv6/conf/${config.bridge}/accept_ra`, '0');
  if (!config.isGateway) return sysctls;
  const families = new Set<IpFamily>(ips.map((ip) => familyOf(ip.address)));
  if (families.has(4)) set('net/ipv4/ip_forward', '1');
  if (!families.has(6)) return sysctls;
  // Until its link-local address is past duplicate address detection, the bridge cannot ask for its neighbours: a second or more.
  set(`net/ipv6/conf/${config.bridge}/accept_dad`, '0');
  set('net/ipv6/conf/all/forwarding', '1');
  return sysctls;
}

function hostLink(call: PluginCall, config: BridgeConfig, names: Names): Link {
  const mtu = config.mtu > 0 ? { mtuBytes: config.mtu } : {};
  return {
    kind: 'link',
    name: names.hostName,
    detail: {
      type: 'veth',
      peer: { name: call.environment.ifName, netns: call.environment.netns, mac: names.podMac, ...mtu },
    },
    up: true,
    mac: names.hostMac,
    ...mtu,
    master: config.bridge,
    ...(config.hairpinMode && { hairpin: true }),
    ...(config.portIsolation && { isolated: true }),
    ...(config.vlans !== undefined && { vlans: config.vlans }),
    alias: attachmentAlias(attachmentOf(call)),
    ...(call.facts.ipv6 && { addressGeneration: 'none' }),
  };
}

/** The port of a bridge has no IPv6 of its own, not even while it is no port: a pod does not get to tell the host its routes. */
function portSysctls({ facts }: PluginCall, { hostName }: Names): Sysctl[] {
  if (!facts.ipv6) return [];
  return ['accept_ra', 'autoconf'].map((key) => {
    return { kind: 'sysctl', path: `net/ipv6/conf/${hostName}/${key}`, value: '0' };
  });
}

/** Where the host is the router nobody is asked for one: all pods of the bridge would take each question, which comes again and again. */
function solicitations({ isGateway }: BridgeConfig, ips: readonly CniIp[], ifName: string): Sysctl[] {
  if (!isGateway || !ips.some(({ address }) => familyOf(address) === 6)) return [];
  return [{ kind: 'sysctl', path: `net/ipv6/conf/${ifName}/router_solicitations`, value: '0' }];
}

function podObjects(
  call: PluginCall,
  config: BridgeConfig,
  names: Names,
  ips: readonly CniIp[],
  routes: readonly CniRoute[],
): KernelObject[] {
  const link: Link = {
    kind: 'link',
    name: call.environment.ifName,
    detail: { type: 'veth' },
    up: !config.disableContainerInterface,
    mac: names.podMac,
    ...(config.mtu > 0 && { mtuBytes: config.mtu }),
    alias: attachmentAlias(attachmentOf(call)),
  };
  return [
    ...podInterfaceObjects({ call, link, ips, routes, detectDuplicates: config.enabledad }),
    ...solicitations(config, ips, call.environment.ifName),
  ];
}
