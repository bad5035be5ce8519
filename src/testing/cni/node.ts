/** One node as the CNI planners see it, and calls to its plugins with addresses from memory. */
import {
  type AddPlan,
  type CniEnvironment,
  type DelPlan,
  type ExecPlugin,
  INTERFACE_PLUGINS,
  type InterfacePlugin,
  type IpamPorts,
  type JsonObject,
  type NodeFacts,
  openIpam,
  parseNetworkConfig,
} from '#core/cni/index.ts';
import { type KernelObject, stateOf } from '#core/kernel/index.ts';
import { MemoryAddressStore } from './memory-address-store.ts';

/** A node with an IPv4 and an IPv6 lease and nothing attached; `host` and `pod` are what its namespaces hold. */
export function nodeFacts(
  over: Partial<Omit<NodeFacts, 'host' | 'pod'>> = {},
  host: readonly KernelObject[] = [],
  pod: readonly KernelObject[] = [],
): NodeFacts {
  return {
    node: 'node-a',
    addresses: ['192.168.0.10', 'fd00:192::10'],
    defaultRanges: ['10.244.1.0/24', 'fd00:244:1::/64'],
    overlayMtuBytes: 1450,
    ipv6: true,
    files: new Map(),
    folders: new Map(),
    ...over,
    host: stateOf(host),
    pod: stateOf(pod),
  };
}

/** What a runtime says of pod c1, but for what is given. */
export function cniEnvironment(over: Partial<CniEnvironment> = {}): CniEnvironment {
  return {
    command: 'ADD',
    containerId: 'c1',
    netns: '/run/netns/pod1',
    ifName: 'eth0',
    args: '',
    path: '/opt/cni/bin',
    netnsOverride: false,
    ...over,
  };
}

/** No foreign plugin is installed here. */
export const noPlugins: ExecPlugin = {
  run: ({ type }) => Promise.reject(new Error(`no plugin ${type} in this test`)),
};

/** IPAM with addresses in memory, no foreign plugin and no files. */
export function memoryIpam(over: Partial<IpamPorts> = {}): IpamPorts {
  return {
    addresses: new MemoryAddressStore(),
    exec: noPlugins,
    readResolvConf: (path) => Promise.reject(new Error(`no file ${path} in this test`)),
    ...over,
  };
}

/** The plan of an ADD, with addresses from `ports`. The configuration is text, as on standard input, or its JSON. */
export async function planAddOn(
  type: string,
  config: string | JsonObject,
  facts: NodeFacts,
  environment: CniEnvironment = cniEnvironment(),
  ports: IpamPorts = memoryIpam(),
): Promise<AddPlan> {
  const network = parseNetworkConfig(config);
  const prepared = pluginOf(type).prepareAdd({ network, environment, facts });
  if (prepared.ipam.kind === 'none') return prepared.plan();
  return prepared.plan(await openIpam(prepared.ipam, network, environment, ports).add());
}

/** The plan of a DEL. */
export function planDelOn(
  type: string,
  config: string | JsonObject,
  facts: NodeFacts,
  environment: CniEnvironment = cniEnvironment({ command: 'DEL' }),
): DelPlan {
  return pluginOf(type).planDel({ network: parseNetworkConfig(config), environment, facts });
}

function pluginOf(type: string): InterfacePlugin {
  const plugin = INTERFACE_PLUGINS.get(type);
  if (plugin === undefined) throw new RangeError(`no interface plugin "${type}"`);
  return plugin;
}
