/**
 * The vrf plugin (chained): puts the container's interface under a VRF device, which is made with the first interface and goes with the
 * last. Keys are those of the reference plugin: vrfname, table. The kernel takes an interface's IPv6 addresses and routes away when it
 * gets a master: they are put back, the routes into the VRF's table.
 */
import { z } from 'zod';
import { familyOf } from '#base/ip/index.ts';
import { type Address, CNI, type KernelState, type Link, linkIn, type Route } from '#core/kernel/index.ts';
import { checkInterfaceName } from '../../spec/environment.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { decodeWith, isJsonObject } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';
import { requirePrevResult } from '../check.ts';
import {
  type AddPlan,
  type DelPlan,
  type InterfacePlugin,
  NOTHING_TO_REMOVE,
  type PluginCall,
} from '../definition.ts';

export const vrfPlugin: InterfacePlugin = {
  type: 'vrf',
  chained: true,
  wants: () => ({ podState: true }),
  prepareAdd: (call) => {
    const config = parseVrfConfig(call.network);
    return { ipam: { kind: 'none' }, plan: () => planAdd(call, config) };
  },
  planDel,
  check,
};

interface VrfConfig {
  readonly vrfname: string;
  /** 0 takes the first that is free. */
  readonly table: number;
}

const MAIN_TABLE = 254;

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  vrfname: z.string().default(''),
  table: z.int().min(0).max(0xffff_ffff).default(0),
});

function parseVrfConfig(network: NetworkConfig): VrfConfig {
  const { vrfname, table } = decodeWith(schema, network.json, 'invalid network config');
  const nameError = checkInterfaceName(vrfname);
  if (nameError === undefined) return { vrfname, table };
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    'invalid network config',
    `vrfname: ${JSON.stringify(vrfname)}: ${nameError.msg}`,
  );
}

function planAdd(call: PluginCall, config: VrfConfig): AddPlan {
  const { environment, facts } = call;
  const result = requirePrevResult(call.network);
  const link = linkIn(facts.pod, environment.ifName);
  if (link === undefined) throw noInterface(call);
  if (link.master) {
    throw new CniError(
      CNI_ERROR.linkConflict,
      `interface ${link.name} has already a master set: ${link.master}`,
    );
  }
  const vrf = vrfLink(facts.pod, config);
  const { addresses, routes } = lostWithMaster(facts.pod, link.name, tableOf(vrf));
  return {
    result,
    hostRemovals: [],
    sharedObjects: [],
    hostObjects: [],
    // With keep_addr_on_down, which most plugins set, they would stay, and be in the way.
    podRemovals: addresses,
    podObjects: [
      vrf,
      { kind: 'link', name: link.name, detail: link.detail, master: vrf.name },
      ...addresses,
      ...routes,
    ],
    warnings: [],
  };
}

/** The device that is there, or one to be made. Throws CniError 113 if what has the name cannot serve. */
function vrfLink(pod: KernelState, { vrfname, table }: VrfConfig): Link {
  const found = linkIn(pod, vrfname);
  if (found === undefined) {
    const chosen = table > 0 ? table : freeTable(pod);
    return { kind: 'link', name: vrfname, detail: { type: 'vrf', table: chosen }, up: true };
  }
  if (found.detail.type !== 'vrf')
    throw new CniError(CNI_ERROR.linkConflict, `"${vrfname}" already exists but is not a VRF`);
  if (table > 0 && found.detail.table !== table) {
    throw new CniError(
      CNI_ERROR.linkConflict,
      `VRF ${vrfname} already exists with another routing table: ${found.detail.table}, not ${table}`,
    );
  }
  return { kind: 'link', name: vrfname, detail: { type: 'vrf', table: found.detail.table }, up: true };
}

function tableOf({ detail }: Link): number {
  return detail.type === 'vrf' ? detail.table : MAIN_TABLE;
}

function freeTable(pod: KernelState): number {
  const used = new Set<number>();
  for (const object of pod.values())
    if (object.kind === 'link' && object.detail.type === 'vrf') used.add(object.detail.table);
  for (let table = 1; ; table++) if (!used.has(table)) return table;
}

/** What the interface has that the kernel takes with it on the way under a master, as it is to be there. */
function lostWithMaster(
  pod: KernelState,
  ifName: string,
  table: number,
): { readonly addresses: readonly Address[]; readonly routes: readonly Route[] } {
  const addresses: Address[] = [];
  const routes: Route[] = [];
  for (const object of pod.values()) {
    if (object.kind === 'address' && object.link === ifName && familyOf(object.address) === 6) {
      if (!object.address.startsWith('fe80:')) addresses.push({ ...object, noDad: true });
    } else if (object.kind === 'route' && object.nextHops.some((hop) => hop.link === ifName)) {
      const isOfKernel = object.dst.startsWith('fe80:') || object.dst.startsWith('ff00:');
      const isInMain = (object.table ?? MAIN_TABLE) === MAIN_TABLE;
      // The kernel makes the routes of addresses anew by itself.
      if (isInMain && !isOfKernel && object.protocol !== RTPROT_KERNEL)
        routes.push({ ...object, table, protocol: CNI.protocol });
    }
  }
  return { addresses, routes };
}

const RTPROT_KERNEL = 2;

function planDel({ network, environment, facts }: PluginCall): DelPlan {
  const vrfname = isJsonObject(network.json) ? network.json['vrfname'] : undefined;
  if (typeof vrfname !== 'string') return NOTHING_TO_REMOVE;
  const vrf = linkIn(facts.pod, vrfname);
  if (vrf?.detail.type !== 'vrf') return NOTHING_TO_REMOVE;
  const ports = [...facts.pod.values()].filter(
    (object) => object.kind === 'link' && object.master === vrfname,
  );
  const isLast = ports.every((object) => object.kind === 'link' && object.name === environment.ifName);
  const link = linkIn(facts.pod, environment.ifName);
  return {
    hostRemovals: [],
    podRemovals: isLast ? [vrf] : [],
    podObjects:
      !isLast && link?.master === vrfname
        ? [{ kind: 'link', name: link.name, detail: link.detail, master: '' }]
        : [],
  };
}

function check(call: PluginCall): void {
  const { environment, facts } = call;
  const { vrfname } = parseVrfConfig(call.network);
  const link = linkIn(facts.pod, environment.ifName);
  if (link?.master === vrfname && linkIn(facts.pod, vrfname)?.detail.type === 'vrf') return;
  throw new CniError(
    CNI_ERROR.checkFailed,
    `container ${environment.containerId} is not as ADD left it`,
    `${environment.ifName} is not in VRF ${vrfname}`,
  );
}

function noInterface({ environment }: PluginCall): CniError {
  return new CniError(
    CNI_ERROR.internal,
    `no interface ${environment.ifName} in ${environment.netns}`,
    'vrf comes behind the plugin that makes it',
  );
}
