/**
 * What macvlan, ipvlan and vlan have in common: a link in the container that stands on a master, a link of the host (or, with
 * `linkInContainer`, of the container itself). Without a master named, it is the link of the default route.
 */
import { z } from 'zod';
import type { MacAddress } from '#base/ip/index.ts';
import { type KernelState, type Link, type LinkDetail, linkIn } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { decodeWith } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';
import { type CniResult, EMPTY_RESULT } from '../../spec/result.ts';
import { attachmentOf, refuseExistingInterface, requireAddresses } from '../attachment.ts';
import type {
  AddPlan,
  DelPlan,
  FactsWanted,
  InterfacePlugin,
  PluginCall,
  PreparedAdd,
} from '../definition.ts';
import { attachmentAlias } from '../identity.ts';
import { chooseIpam } from '../ipam.ts';
import { ownPodLink, podInterfaceObjects } from '../pod-interface.ts';

type StackedDetail = Extract<LinkDetail, { readonly parent: string }>;

export interface StackedKind {
  readonly type: StackedDetail['type'];
  /** The link's own settings on a master; throws CniError 7 for a wrong value. */
  detail(network: NetworkConfig, parent: string): StackedDetail;
  /** The address the link will have; undefined where the kernel gives it the master's. */
  mac(call: PluginCall): MacAddress | undefined;
  /** True if the link can have no more than its master. */
  readonly limitsMtu: boolean;
  /** An address must be configured, or come with prevResult. */
  readonly needsAddresses: boolean;
  /** Stands on the interface that the plugin before it in the chain made, and takes its addresses. */
  readonly followsChain?: boolean;
}

/** The keys, as they are parsed. */
export const schema = z.looseObject({
  master: z.string().default(''),
  mtu: z.int().min(0).max(65535).default(0),
  linkInContainer: z.boolean().default(false),
});

type Config = z.output<typeof schema>;

interface Master {
  readonly name: string;
  readonly link: Link;
}

export function stackedPlugin(kind: StackedKind): InterfacePlugin {
  return {
    type: kind.type,
    wants: ({ network }) => wanted(network),
    prepareAdd: (call) => prepareAdd(kind, call),
    planDel: (call) => planDel(kind, call),
    check: (call) => check(kind, call),
    status: ({ network, facts }) => requireMaster(network, facts),
  };
}

function wanted(network: NetworkConfig): FactsWanted {
  const config = schema.safeParse(network.json).data;
  return { podState: config?.linkInContainer === true, defaultLink: config?.master === '' };
}

function prepareAdd(kind: StackedKind, call: PluginCall): PreparedAdd {
  const { network, environment } = call;
  const config = decodeWith(schema, network.json, 'invalid network config');
  const master = masterOf(kind, call, config);
  const detail = kind.detail(network, master.name);
  requireMtu(kind, config, master);
  refuseExistingInterface(call);
  const ipam = chooseIpam(network, environment.args);
  const isFollowing = kind.followsChain === true && ipam.kind === 'none';
  const previous = isFollowing && network.prevResult?.ips.length ? network.prevResult : undefined;
  if (kind.needsAddresses && ipam.kind === 'none' && previous === undefined) {
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      'invalid network config',
      `${kind.type} needs an "ipam" section, or a plugin before it that gives addresses`,
    );
  }
  const mac = kind.mac(call);
  return {
    ipam,
    plan: (ipamResult) =>
      planAdd(
        { call, config, detail, master, mac },
        ipamResult ?? previous ?? EMPTY_RESULT,
        ipamResult !== undefined,
      ),
  };
}

interface Draft {
  readonly call: PluginCall;
  readonly config: Config;
  readonly detail: StackedDetail;
  readonly master: Master;
  readonly mac: MacAddress | undefined;
}

function planAdd(
  { call, config, detail, master, mac }: Draft,
  addresses: CniResult,
  hasIpam: boolean,
): AddPlan {
  const { network, environment } = call;
  if (hasIpam) requireAddresses(addresses, call);
  const own: Link = {
    kind: 'link',
    name: environment.ifName,
    detail,
    ...(mac !== undefined && { mac }),
    ...(config.mtu > 0 && { mtuBytes: config.mtu }),
  };
  const alias = attachmentAlias(attachmentOf(call));
  // Seen from the container, the master is nowhere.
  const seen: LinkDetail = config.linkInContainer ? detail : { ...detail, parent: '' };
  const ips = addresses.ips.map(({ address, gateway }) => {
    return { interface: 0, address, ...(gateway !== undefined && { gateway }) };
  });
  const shown = mac ?? master.link.mac;
  const dns = network.dns ?? addresses.dns;
  return {
    result: {
      interfaces: [
        { name: own.name, ...(shown !== undefined && { mac: shown }), sandbox: environment.netns },
      ],
      ips,
      routes: addresses.routes,
      ...(dns && { dns }),
    },
    hostRemovals: [],
    sharedObjects: [],
    hostObjects: [],
    podLinks: config.linkInContainer ? [] : [{ ...own, netns: environment.netns }],
    podObjects: podInterfaceObjects({
      call,
      link: { ...own, detail: seen, up: true, alias },
      ips,
      routes: addresses.routes,
    }),
    warnings: [],
  };
}

function planDel({ type }: StackedKind, call: PluginCall): DelPlan {
  const podRemovals = ownPodLink(call, type, attachmentAlias(attachmentOf(call)));
  return { hostRemovals: [], podRemovals, podObjects: [] };
}

function masterOf(kind: StackedKind, call: PluginCall, config: Config): Master {
  const { network, facts } = call;
  const place = config.linkInContainer ? facts.pod : facts.host;
  const chained = kind.followsChain === true ? network.prevResult?.interfaces : undefined;
  if (config.master === '' && chained !== undefined && chained.length !== 1) {
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      'chained master failure: prevResult lacks a single named interface',
      'name a "master"',
    );
  }
  const byDefault = config.linkInContainer ? defaultLinkOf(facts.pod) : facts.defaultLink;
  const name = config.master || chained?.[0]?.name || byDefault;
  if (name === undefined) {
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      'no default route tells which link is the master',
      'name a "master"',
    );
  }
  const link = linkIn(place, name);
  if (link !== undefined) return { name, link };
  const where = config.linkInContainer ? `in ${call.environment.netns}` : 'on the host';
  throw new CniError(CNI_ERROR.invalidNetworkConfig, `master: there is no link "${name}" ${where}`);
}

function defaultLinkOf(pod: KernelState): string | undefined {
  for (const object of pod.values())
    if (object.kind === 'route' && /^(0\.0\.0\.0|::)\/0$/.test(object.dst)) return object.nextHops[0]?.link;
  return undefined;
}

function requireMtu({ limitsMtu }: StackedKind, { mtu }: Config, { link }: Master): void {
  if (!limitsMtu || link.mtuBytes === undefined || mtu <= link.mtuBytes) return;
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    `invalid MTU ${mtu}, must be [0, master MTU(${link.mtuBytes})]`,
  );
}

function requireMaster(network: NetworkConfig, facts: PluginCall['facts']): void {
  const config = decodeWith(schema, network.json, 'invalid network config');
  if (config.linkInContainer) return;
  const name = config.master || facts.defaultLink;
  if (name !== undefined && linkIn(facts.host, name) !== undefined) return;
  throw new CniError(
    CNI_ERROR.notAvailable,
    name === undefined
      ? 'no default route tells which link is the master'
      : `there is no link "${name}" on the host`,
  );
}

function check(kind: StackedKind, call: PluginCall): void {
  const { environment, facts, network } = call;
  const link = linkIn(facts.pod, environment.ifName);
  const { parent: _parent, ...wish } = kind.detail(network, '') as StackedDetail & Record<string, unknown>;
  const have = link?.detail as unknown as Readonly<Record<string, unknown>> | undefined;
  const differs = Object.entries(wish).filter(([key, value]) => have?.[key] !== value);
  if (differs.length === 0) return;
  throw new CniError(
    CNI_ERROR.checkFailed,
    `container ${environment.containerId} is not as ADD left it`,
    differs
      .map(
        ([key, value]) => `${key} of ${environment.ifName} is ${String(have?.[key])}, not ${String(value)}`,
      )
      .join('; '),
  );
}
