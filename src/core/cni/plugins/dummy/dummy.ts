/** The dummy plugin: an interface that leads nowhere, for addresses that are to be there whatever happens to the others. Keys: ipam, dns, mac. */
import type { Link } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import type { CniResult } from '../../spec/result.ts';
import { attachmentOf, podMac, refuseExistingInterface, requireAddresses } from '../attachment.ts';
import type { AddPlan, InterfacePlugin, PluginCall } from '../definition.ts';
import { attachmentAlias } from '../identity.ts';
import { chooseIpam } from '../ipam.ts';
import { ownPodLink, podInterfaceObjects } from '../pod-interface.ts';

export const dummyPlugin: InterfacePlugin = {
  type: 'dummy',
  prepareAdd: (call) => {
    const ipam = chooseIpam(call.network, call.environment.args);
    if (ipam.kind === 'none') {
      throw new CniError(
        CNI_ERROR.invalidNetworkConfig,
        'invalid network config',
        'dummy needs an "ipam" section: it is nothing but its addresses',
      );
    }
    refuseExistingInterface(call);
    const mac = podMac(call);
    return { ipam, plan: (result = { interfaces: [], ips: [], routes: [] }) => planAdd(call, mac, result) };
  },
  planDel: (call) => ({
    hostRemovals: [],
    podRemovals: ownPodLink(call, 'dummy', attachmentAlias(attachmentOf(call))),
    podObjects: [],
  }),
};

function planAdd(call: PluginCall, mac: string, ipam: CniResult): AddPlan {
  requireAddresses(ipam, call);
  const { environment, network } = call;
  const ips = ipam.ips.map(({ address, gateway }) => {
    return { interface: 0, address, ...(gateway !== undefined && { gateway }) };
  });
  const dns = network.dns ?? ipam.dns;
  const link: Link = {
    kind: 'link',
    name: environment.ifName,
    detail: { type: 'dummy' },
    up: true,
    mac,
    alias: attachmentAlias(attachmentOf(call)),
  };
  return {
    result: {
      interfaces: [{ name: link.name, mac, sandbox: environment.netns }],
      ips,
      routes: ipam.routes,
      ...(dns && { dns }),
    },
    hostRemovals: [],
    sharedObjects: [],
    hostObjects: [],
    podObjects: podInterfaceObjects({ call, link, ips, routes: ipam.routes }),
    warnings: [],
  };
}
