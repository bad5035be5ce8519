/** The container's interface as a plugin leaves it: settings, the link itself, its addresses and routes. */
import { familyOf } from '#base/ip/index.ts';
import { CNI, type KernelObject, keyOf, type Link } from '#core/kernel/index.ts';
import type { CniIp, CniRoute } from '../spec/result.ts';
import { gatewayOf, podIpv6Sysctls, podRoute } from './attachment.ts';
import type { PluginCall } from './definition.ts';

export interface PodInterface {
  readonly call: PluginCall;
  /** With what is to be set on it; up. */
  readonly link: Link;
  readonly ips: readonly CniIp[];
  readonly routes: readonly CniRoute[];
  /** Duplicate address detection, which costs a second or more. */
  readonly detectDuplicates?: boolean;
}

/** Objects of the container's namespace, in any order that `plan` sorts. */
export function podInterfaceObjects({
  call,
  link,
  ips,
  routes,
  detectDuplicates = false,
}: PodInterface): KernelObject[] {
  const objects: KernelObject[] = [...addressSettings(call, ips, detectDuplicates), link];
  for (const { address } of ips) {
    const noDad = familyOf(address) === 6 && !detectDuplicates;
    objects.push({ kind: 'address', link: link.name, address, ...(noDad && { noDad }) });
  }
  const seen = new Set<string>();
  for (const route of routes) {
    const object = podRoute(route, link.name, gatewayOf(ips, familyOf(route.dst)));
    if (!seen.has(keyOf(object))) objects.push(object);
    seen.add(keyOf(object));
  }
  return objects;
}

function addressSettings(call: PluginCall, ips: readonly CniIp[], detectDuplicates: boolean): KernelObject[] {
  if (ips.length === 0) return [];
  const { ifName } = call.environment;
  const objects: KernelObject[] = [];
  const set = (path: string, value: string) => objects.push({ kind: 'sysctl', path, value });
  // Neighbours learn at once that the address has moved here.
  set(`net/ipv4/conf/${ifName}/arp_notify`, '1');
  if (ips.some((ip) => familyOf(ip.address) === 6)) {
    objects.push(...podIpv6Sysctls(ifName));
    set(`net/ipv6/conf/${ifName}/ndisc_notify`, '1');
  }
  if (!call.facts.ipv6) return objects;
  set(`net/ipv6/conf/${ifName}/accept_dad`, detectDuplicates ? '1' : '0');
  if (detectDuplicates) set(`net/ipv6/conf/${ifName}/enhanced_dad`, '1');
  return objects;
}

/** Removes the container's interface if it is of a kind; what carries another attachment's alias stays. */
export function ownPodLink(
  { environment, facts }: PluginCall,
  type: Link['detail']['type'],
  alias: string,
): Link[] {
  const link = facts.pod.get(`link ${environment.ifName}`);
  if (link?.kind !== 'link' || link.detail.type !== type) return [];
  const isAnothers = link.alias?.startsWith(`${CNI.alias}:`) && link.alias !== alias;
  return isAnothers ? [] : [link];
}
