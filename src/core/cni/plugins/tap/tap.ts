/**
 * The tap plugin: a TAP device in the container, whose frames go to a program there (a virtual machine's network card, say). Keys are
 * those of the reference plugin: multiQueue, mtu, mac, owner, group, bridge; `selinuxContext` is refused where SELinux is at work.
 */
import { z } from 'zod';
import { type Link, linkIn } from '#core/kernel/index.ts';
import { checkInterfaceName } from '../../spec/environment.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { decodeWith } from '../../spec/json.ts';
import { type CniResult, EMPTY_RESULT } from '../../spec/result.ts';
import { attachmentOf, podMac, refuseExistingInterface, requireAddresses } from '../attachment.ts';
import type { AddPlan, InterfacePlugin, PluginCall, PreparedAdd } from '../definition.ts';
import { attachmentAlias } from '../identity.ts';
import { chooseIpam } from '../ipam.ts';
import { ownPodLink, podInterfaceObjects } from '../pod-interface.ts';

/** Where SELinux shows itself. */
const SELINUX = '/sys/fs/selinux';

const id = z.int().min(0).max(0xffff_fffe).optional();
export const schema = z.looseObject({
  multiQueue: z.boolean().default(false),
  mtu: z.int().min(0).max(65535).default(0),
  owner: id,
  group: id,
  bridge: z.string().default(''),
  selinuxContext: z.string().default(''),
});

type TapConfig = z.output<typeof schema>;

export const tapPlugin: InterfacePlugin = {
  type: 'tap',
  wants: ({ network }) => ({
    podState: typeof network.json['bridge'] === 'string' && network.json['bridge'] !== '',
    folders: [SELINUX],
  }),
  prepareAdd,
  planDel: (call) => ({
    hostRemovals: [],
    podRemovals: ownPodLink(call, 'tun', attachmentAlias(attachmentOf(call))),
    podObjects: [],
  }),
};

function prepareAdd(call: PluginCall): PreparedAdd {
  const { network, environment } = call;
  const config = decodeWith(schema, network.json, 'invalid network config');
  refuseContext(config, call);
  requireBridge(config, call);
  refuseExistingInterface(call);
  const ipam = chooseIpam(network, environment.args);
  const mac = podMac(call);
  return {
    ipam,
    plan: (result) => {
      if (ipam.kind !== 'none' && result !== undefined) requireAddresses(result, call);
      return planAdd(call, config, mac, result ?? EMPTY_RESULT);
    },
  };
}

function planAdd(call: PluginCall, config: TapConfig, mac: string, ipam: CniResult): AddPlan {
  const { environment, network } = call;
  const ips = ipam.ips.map(({ address, gateway }) => {
    return { interface: 0, address, ...(gateway !== undefined && { gateway }) };
  });
  const dns = network.dns ?? ipam.dns;
  const link: Link = {
    kind: 'link',
    name: environment.ifName,
    detail: {
      type: 'tun',
      mode: 'tap',
      multiQueue: config.multiQueue,
      ...(config.owner !== undefined && { owner: config.owner }),
      ...(config.group !== undefined && { group: config.group }),
    },
    up: true,
    mac,
    ...(config.mtu > 0 && { mtuBytes: config.mtu }),
    ...(config.bridge !== '' && { master: config.bridge }),
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

// A label for the device would have to be put on by another process (setexeccon): none is started here.
function refuseContext({ selinuxContext }: TapConfig, { facts }: PluginCall): void {
  if (selinuxContext === '' || !facts.folders.has(SELINUX)) return;
  throw new CniError(
    CNI_ERROR.unsupportedField,
    `unsupported field "selinuxContext": ${JSON.stringify(selinuxContext)}`,
    'the device would get the label of the agent; leave the key out, or label the agent',
  );
}

function requireBridge({ bridge }: TapConfig, { facts, environment }: PluginCall): void {
  if (bridge === '') return;
  const nameError = checkInterfaceName(bridge);
  const found = linkIn(facts.pod, bridge);
  if (nameError === undefined && found?.detail.type === 'bridge') return;
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    `bridge: there is no bridge ${JSON.stringify(bridge)} in ${environment.netns}`,
  );
}
