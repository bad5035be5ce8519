/**
 * The ptp plugin: a veth pair without a bridge. The host's end has the gateway's address, alone; the pod has its address with its
 * network's length, and reaches that network through the gateway. Keys are those of the reference plugin: ipMasq, ipMasqBackend, mtu, dns.
 */
import { z } from 'zod';
import {
  familyOf,
  hostPrefixOf,
  type IpAddress,
  type IpFamily,
  type IpInterface,
  networkOf,
  prefixParts,
} from '#base/ip/index.ts';
import { type KernelObject, keyOf, type Link } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { decodeWith } from '../../spec/json.ts';
import type { CniResult, CniRoute } from '../../spec/result.ts';
import {
  attachmentOf,
  behind,
  gatewayOf,
  planVethRemoval,
  podIpv6Sysctls,
  podMac,
  podRoute,
  refuseExistingInterface,
  requireAddresses,
} from '../attachment.ts';
import { defaultGateway } from '../bridge/gateway.ts';
import type { AddPlan, InterfacePlugin, PluginCall, PreparedAdd } from '../definition.ts';
import { attachmentAlias, attachmentMac, hostLinkName } from '../identity.ts';
import { chooseIpam } from '../ipam.ts';
import { masquerade, NO_NAT } from '../nat/index.ts';
import { masqueradeRules } from '../reference-rules/index.ts';
import { forwarding, routedLinkSysctls, routeToPod } from '../routed.ts';

export const ptpPlugin: InterfacePlugin = {
  type: 'ptp',
  prepareAdd,
  planDel: planVethRemoval,
  referenceRules: masqueradeRules,
};

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  mtu: z.int().min(0).max(65535).default(0),
  ipMasq: z.boolean().default(false),
  // Whichever is named, nf_tables does it.
  ipMasqBackend: z.enum(['', 'iptables', 'nftables']).default(''),
});

interface Pair {
  readonly call: PluginCall;
  /** Empty leaves it to the kernel. */
  readonly mtu: Pick<Link, 'mtuBytes'>;
  readonly ipMasq: boolean;
  readonly hostName: string;
  readonly podMac: string;
  readonly ends: readonly End[];
}

/** One address of the pod and the gateway it has on the host. */
interface End {
  readonly own: IpInterface;
  readonly address: IpAddress;
  readonly gateway: IpAddress;
  readonly family: IpFamily;
}

function prepareAdd(call: PluginCall): PreparedAdd {
  const { network, environment, facts } = call;
  const { mtu, ipMasq } = decodeWith(schema, network.json, 'invalid network config');
  const ipam = chooseIpam(network, environment.args);
  if (ipam.kind === 'none') {
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      'invalid network config',
      'ptp needs an "ipam" section: without addresses nothing can be routed',
    );
  }
  if (ipam.kind === 'dhcp') {
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      'invalid network config',
      'ipam.type: "dhcp" needs a network with a server, ptp gives the container none but the host',
    );
  }
  refuseExistingInterface(call);
  const hostName = hostLinkName('veth', 8, attachmentOf(call), facts.host);
  const mac = podMac(call);
  return {
    ipam,
    plan: (ipamResult = { interfaces: [], ips: [], routes: [] }) => {
      requireAddresses(ipamResult, call);
      const ends = ipamResult.ips.map(({ address: own, gateway = defaultGateway(own) }): End => {
        const { address } = prefixParts(own);
        return { own, address, gateway, family: familyOf(own) };
      });
      const pair = { call, mtu: mtu > 0 ? { mtuBytes: mtu } : {}, ipMasq, hostName, podMac: mac, ends };
      return planAdd(pair, ipamResult);
    },
  };
}

function planAdd(pair: Pair, ipam: CniResult): AddPlan {
  const { call, ends } = pair;
  const { environment, network } = call;
  const families = ([4, 6] as const).filter((family) => ends.some((end) => end.family === family));
  const dns = network.dns ?? ipam.dns;
  const nat = pair.ipMasq ? masquerade(ipam.ips) : NO_NAT;
  const result: CniResult = {
    interfaces: [
      { name: pair.hostName, mac: attachmentMac(attachmentOf(call), 'host') },
      { name: environment.ifName, mac: pair.podMac, sandbox: environment.netns },
    ],
    ips: ends.map(({ own, gateway }) => ({ interface: 1, address: own, gateway })),
    routes: ipam.routes,
    ...(dns && { dns }),
  };
  return {
    result: behind(network.prevResult, result),
    hostRemovals: [],
    sharedObjects: [...families.map(forwarding), ...nat.shared],
    hostObjects: [...hostObjects(pair, families), ...nat.own],
    podObjects: podObjects(pair, result, families),
    warnings: [],
  };
}

function hostObjects(pair: Pair, families: readonly IpFamily[]): KernelObject[] {
  const { call, hostName, ends, mtu } = pair;
  const { ifName, netns } = call.environment;
  const attachment = attachmentOf(call);
  const link: Link = {
    kind: 'link',
    name: hostName,
    detail: { type: 'veth', peer: { name: ifName, netns, mac: pair.podMac, ...mtu } },
    up: true,
    mac: attachmentMac(attachment, 'host'),
    ...mtu,
    alias: attachmentAlias(attachment),
  };
  return [
    link,
    ...routedLinkSysctls(hostName, families, call.facts.ipv6),
    ...uniqueObjects(
      ends.map(({ gateway, family }): KernelObject => {
        return {
          kind: 'address',
          link: hostName,
          address: hostPrefixOf(gateway),
          ...(family === 6 && { noDad: true }),
        };
      }),
    ),
    ...ends.map(({ address }) => routeToPod(address, hostName)),
  ];
}

function podObjects(pair: Pair, result: CniResult, families: readonly IpFamily[]): KernelObject[] {
  const { call, mtu, ends } = pair;
  const { ifName } = call.environment;
  const objects: KernelObject[] = [];
  if (families.includes(6)) {
    objects.push(...podIpv6Sysctls(ifName));
    for (const key of ['accept_ra', 'autoconf', 'accept_dad'])
      objects.push({ kind: 'sysctl', path: `net/ipv6/conf/${ifName}/${key}`, value: '0' });
  }
  objects.push({
    kind: 'link',
    name: ifName,
    detail: { type: 'veth' },
    up: true,
    mac: pair.podMac,
    ...mtu,
    alias: attachmentAlias(attachmentOf(call)),
  });
  const routes: KernelObject[] = [];
  for (const { own, address, gateway, family } of ends) {
    objects.push({
      kind: 'address',
      link: ifName,
      address: own,
      // Its network is behind the gateway, not on the link.
      noPrefixRoute: true,
      ...(family === 6 && { noDad: true }),
    });
    const preferredSource = { preferredSource: address };
    routes.push(
      { ...podRoute({ dst: hostPrefixOf(gateway) }, ifName, undefined), ...preferredSource },
      { ...podRoute({ dst: networkOf(own), gw: gateway }, ifName, undefined), ...preferredSource },
    );
  }
  const fromIpam = result.routes.map((route: CniRoute) =>
    podRoute(route, ifName, gatewayOf(result.ips, familyOf(route.dst))),
  );
  return [...objects, ...uniqueObjects([...routes, ...fromIpam])];
}

/** Each once: addresses may share a gateway, and routes may be given twice. */
function uniqueObjects(objects: readonly KernelObject[]): KernelObject[] {
  return [...new Map(objects.toReversed().map((object) => [keyOf(object), object])).values()].reverse();
}
