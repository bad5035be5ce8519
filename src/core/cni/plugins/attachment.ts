/** What bridge and poplin have in common: the container's interface, its MAC, its routes, its place in a chain, its removal. */
import {
  familyOf,
  type IpAddress,
  type IpFamily,
  type MacAddress,
  networkOf,
  parseMac,
} from '#base/ip/index.ts';
import { CNI, type KernelState, type Link, type Route, type Sysctl } from '#core/kernel/index.ts';
import { parseCniArgs } from '../spec/args.ts';
import { CNI_ERROR, CniError } from '../spec/error.ts';
import { macField } from '../spec/fields.ts';
import { isJsonObject, type JsonObject } from '../spec/json.ts';
import { objectMember } from '../spec/network-config.ts';
import type { CniIp, CniResult, CniRoute } from '../spec/result.ts';
import type { DelPlan, PluginCall } from './definition.ts';
import { type Attachment, attachmentAlias, attachmentMac, linksOf } from './identity.ts';

/** The attachment that a call is about. */
export function attachmentOf({ network, environment }: Omit<PluginCall, 'facts'>): Attachment {
  return { network: network.name, containerId: environment.containerId, ifName: environment.ifName };
}

/** Throws CniError 4 if the container has an interface of the wanted name (specification 1.1.0, "ADD"). */
export function refuseExistingInterface({ environment, facts }: PluginCall): void {
  if (!facts.pod.has(`link ${environment.ifName}`)) return;
  throw new CniError(
    CNI_ERROR.invalidEnvironment,
    `CNI_IFNAME: interface "${environment.ifName}" already exists in ${environment.netns}`,
    `container ${environment.containerId}; run DEL first or ask for another name`,
  );
}

/** The MAC address asked for, or the one that follows from the attachment. Throws CniError 7 or 4 if it is no unicast address. */
export function podMac(call: Omit<PluginCall, 'facts'>): MacAddress {
  return podMacAsked(call) ?? attachmentMac(attachmentOf(call), 'pod');
}

/**
 * The MAC address asked for, if any: `runtimeConfig.mac` wins over `args.cni.mac`, which wins over MAC in CNI_ARGS, and this over the
 * plugin's own `mac`. Throws CniError 7 or 4 if it is no unicast address.
 */
export function podMacAsked({ network, environment }: Omit<PluginCall, 'facts'>): MacAddress | undefined {
  const cniArgs = parseCniArgs(environment.args);
  const args = objectMember(network.json, 'args');
  const sources: readonly [string, unknown, number][] = [
    ['runtimeConfig.mac', macOf(objectMember(network.json, 'runtimeConfig')), CNI_ERROR.invalidNetworkConfig],
    ['args.cni.mac', macOf(objectMember(args, 'cni')), CNI_ERROR.invalidNetworkConfig],
    ['CNI_ARGS: MAC', cniArgs.get('MAC'), CNI_ERROR.invalidEnvironment],
    ['mac', network.json['mac'], CNI_ERROR.invalidNetworkConfig],
  ];
  for (const [name, value, code] of sources) {
    if (value === undefined || value === null || value === '') continue;
    const mac = macField.safeParse(value).data;
    const isUnicast = mac !== undefined && ((parseMac(mac)?.[0] ?? 1) & 1) === 0;
    if (!isUnicast || mac === '00:00:00:00:00:00') {
      throw new CniError(code, `${name} ${JSON.stringify(value)} is not a unicast MAC address`);
    }
    return mac;
  }
  return undefined;
}

/** Makes IPv6 usable on a container's interface: containers often come with it disabled. */
export function podIpv6Sysctls(ifName: string): Sysctl[] {
  const values: readonly [string, string][] = [
    ['lo/disable_ipv6', '0'],
    [`${ifName}/disable_ipv6`, '0'],
    [`${ifName}/keep_addr_on_down`, '1'],
  ];
  return values.map(([path, value]) => ({ kind: 'sysctl', path: `net/ipv6/conf/${path}`, value }));
}

/** A result's route as the kernel's, through `gateway` where it names none; a route without a gateway is on the link. */
export function podRoute(route: CniRoute, ifName: string, gateway: IpAddress | undefined): Route {
  const via = route.gw ?? gateway;
  const scope = routeScope(route.scope ?? (via === undefined ? 253 : 0));
  return {
    kind: 'route',
    dst: networkOf(route.dst),
    nextHops: [{ ...(via !== undefined && { via }), link: ifName }],
    // The scope means nothing in IPv6.
    ...(familyOf(route.dst) === 4 && scope !== 'global' && { scope }),
    ...(route.table !== undefined && { table: route.table }),
    ...(route.priority !== undefined && { metric: route.priority }),
    ...(route.mtu !== undefined && { mtuBytes: route.mtu }),
    ...(route.advmss !== undefined && { advMssBytes: route.advmss }),
    protocol: CNI.protocol,
  };
}

/** The first gateway of a family. */
export function gatewayOf(ips: readonly CniIp[], family: IpFamily): IpAddress | undefined {
  return ips.find((ip) => ip.gateway !== undefined && familyOf(ip.address) === family)?.gateway;
}

/** True for 0.0.0.0/0 or ::/0 of the family. */
export function isDefaultRoute(route: CniRoute, family: IpFamily): boolean {
  return networkOf(route.dst) === (family === 4 ? '0.0.0.0/0' : '::/0');
}

/** Throws CniError 999 if there is no address, 7 if there is an IPv6 address and the kernel has no IPv6. */
export function requireAddresses(ipam: CniResult, { facts }: PluginCall): void {
  if (ipam.ips.length === 0) {
    throw new CniError(CNI_ERROR.internal, 'IPAM plugin returned missing IP config');
  }
  const ipv6 = ipam.ips.find((ip) => familyOf(ip.address) === 6);
  if (ipv6 === undefined || facts.ipv6) return;
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    `the kernel of node ${facts.node} has no IPv6, the network gives ${ipv6.address}`,
    'remove the IPv6 range, or boot without ipv6.disable=1',
  );
}

/** A plugin's own result behind that of the plugins before it (specification 1.1.0, "ADD Success"). */
export function behind(prev: CniResult | undefined, own: CniResult): CniResult {
  if (prev === undefined) return own;
  const shift = prev.interfaces.length;
  const ips = own.ips.map((ip) =>
    ip.interface === undefined ? ip : { ...ip, interface: ip.interface + shift },
  );
  const dns = own.dns ?? prev.dns;
  return {
    interfaces: [...prev.interfaces, ...own.interfaces],
    ips: [...prev.ips, ...ips],
    routes: [...prev.routes, ...own.routes],
    ...(dns && { dns }),
  };
}

/** Removes the attachment's host links; failing that the container's interface, which another implementation may have made. */
export function planVethRemoval(call: PluginCall): DelPlan {
  const attachment = attachmentOf(call);
  const hostRemovals = linksOf(attachment, call.facts.host);
  const podRemovals = hostRemovals.length > 0 ? [] : foreignPodLink(attachment, call.facts.pod);
  return { hostRemovals, podRemovals, podObjects: [] };
}

function foreignPodLink(attachment: Attachment, pod: KernelState): Link[] {
  const link = pod.get(`link ${attachment.ifName}`);
  if (link?.kind !== 'link' || link.detail.type !== 'veth') return [];
  const isAnothers = link.alias?.startsWith(`${CNI.alias}:`) && link.alias !== attachmentAlias(attachment);
  return isAnothers ? [] : [link];
}

function routeScope(scope: number): 'global' | 'link' | 'host' {
  if (scope === 0) return 'global';
  if (scope === 253) return 'link';
  if (scope === 254) return 'host';
  throw new CniError(
    CNI_ERROR.unsupportedField,
    `unsupported field "scope": ${scope}`,
    'a route has scope 0 (universe), 253 (link) or 254 (host)',
  );
}

function macOf(section: JsonObject): unknown {
  return isJsonObject(section) ? section['mac'] : undefined;
}
