/**
 * The host-device plugin: a link of the host moves into the container, and back under its old name with DEL. The name is kept in the
 * link's alias, as the reference plugin does. A PCI device that a userspace driver (DPDK) holds has no link: only addresses are given then.
 */
import type { Link } from '#core/kernel/index.ts';
import { linkIn } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { type CniResult, EMPTY_RESULT } from '../../spec/result.ts';
import { refuseExistingInterface, requireAddresses } from '../attachment.ts';
import {
  type AddPlan,
  type DelPlan,
  type InterfacePlugin,
  NOTHING_TO_REMOVE,
  type PluginCall,
  type PreparedAdd,
} from '../definition.ts';
import { chooseIpam } from '../ipam.ts';
import { podInterfaceObjects } from '../pod-interface.ts';
import { deviceFolders, findDevice, isOfUserspaceDriver, parseDevice } from './device.ts';

export const hostDevicePlugin: InterfacePlugin = {
  type: 'host-device',
  wants: ({ network, environment }) => {
    const isLeaving = environment.command === 'DEL' || environment.command === 'GC';
    return isLeaving ? {} : { folders: deviceFolders(network) };
  },
  prepareAdd,
  planDel,
  status: ({ network, facts }) => {
    const wish = parseDevice(network);
    if (isOfUserspaceDriver(wish, facts.folders)) return;
    findDevice(wish, facts.host, facts.folders, CNI_ERROR.notAvailable);
  },
};

function prepareAdd(call: PluginCall): PreparedAdd {
  const { network, environment, facts } = call;
  const wish = parseDevice(network);
  const isHeldByDriver = isOfUserspaceDriver(wish, facts.folders);
  refuseExistingInterface(call);
  const device = isHeldByDriver ? undefined : findDevice(wish, facts.host, facts.folders);
  const ipam = chooseIpam(network, environment.args);
  return {
    ipam,
    plan: (result) => {
      if (ipam.kind !== 'none') requireAddresses(result ?? EMPTY_RESULT, call);
      return planAdd(call, device, result ?? EMPTY_RESULT);
    },
  };
}

function planAdd(call: PluginCall, device: Link | undefined, ipam: CniResult): AddPlan {
  const { environment, network } = call;
  const ips = ipam.ips.map(({ address, gateway }) => {
    return {
      ...(device !== undefined && { interface: 0 }),
      address,
      ...(gateway !== undefined && { gateway }),
    };
  });
  const mac = device?.mac === undefined ? {} : { mac: device.mac };
  const dns = network.dns ?? ipam.dns;
  const nothing = { hostRemovals: [], sharedObjects: [], hostObjects: [], warnings: [] };
  const result: CniResult = {
    interfaces:
      device === undefined ? [] : [{ name: environment.ifName, ...mac, sandbox: environment.netns }],
    ips,
    routes: ipam.routes,
    ...(dns && { dns }),
  };
  if (device === undefined) return { ...nothing, result, podObjects: [] };
  const link: Link = {
    kind: 'link',
    name: environment.ifName,
    detail: detachedDetail(device),
    up: true,
    alias: device.name,
  };
  return {
    ...nothing,
    result,
    movesIn: [{ link: device, name: environment.ifName }],
    podObjects: podInterfaceObjects({ call, link, ips, routes: ipam.routes }),
  };
}

/** What the link is made of, as the container sees it: what it stands on is not there. */
function detachedDetail({ detail }: Link): Link['detail'] {
  if ('parent' in detail) return { ...detail, parent: '' };
  if (detail.type !== 'vxlan') return detail;
  const { underlay: _underlay, ...rest } = detail;
  return rest;
}

function planDel({ environment, facts }: PluginCall): DelPlan {
  const link = linkIn(facts.pod, environment.ifName);
  const name = link?.alias;
  if (link === undefined || name === undefined) return NOTHING_TO_REMOVE;
  if (linkIn(facts.host, name) !== undefined) {
    throw new CniError(
      CNI_ERROR.linkConflict,
      `${environment.ifName} cannot go back: the host has another link "${name}"`,
      'rename that link, then repeat DEL',
    );
  }
  return { ...NOTHING_TO_REMOVE, movesOut: [{ link, name }] };
}
