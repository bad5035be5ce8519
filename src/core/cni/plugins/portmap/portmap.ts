/**
 * The portmap plugin (chained): ports of the host lead to ports of the pod. It needs the capability `portMappings`; without mappings it
 * passes the result on. See rules.ts for how, config.ts for its keys.
 */
import { familyOf, prefixParts } from '#base/ip/index.ts';
import { type KernelObject, keyOf, linkIn, type Sysctl } from '#core/kernel/index.ts';
import type { NftElement } from '#core/nft/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';
import type { CniResult } from '../../spec/result.ts';
import { attachmentOf } from '../attachment.ts';
import { requirePrevResult } from '../check.ts';
import {
  type AddPlan,
  type InterfacePlugin,
  NOTHING_TO_REMOVE,
  type PluginCall,
  type StaleFlows,
} from '../definition.ts';
import { attachmentAlias } from '../identity.ts';
import { ownerOf } from '../reference-rules/index.ts';
import { type PortMapping, type PortmapConfig, parseMappings, parsePortmapConfig } from './config.ts';
import { mappingElement, mappingObjects, mappingsFor, type Target, targetOf } from './rules.ts';

/** IPPROTO_UDP. */
const UDP = 17;

export const portmapPlugin: InterfacePlugin = {
  type: 'portmap',
  chained: true,
  prepareAdd: (call) => {
    const config = parsePortmapConfig(call.network);
    return { ipam: { kind: 'none' }, plan: () => planAdd(call, config) };
  },
  // What was recorded at ADD goes with its part.
  planDel: ({ network }) => ({ ...NOTHING_TO_REMOVE, staleFlows: staleFlows(mappingsIn(network)) }),
  referenceRules: (call) => ({ kind: 'portmap', ...ownerOf(call), mappings: mappingsIn(call.network) }),
};

function planAdd(call: PluginCall, config: PortmapConfig): AddPlan {
  const result = requirePrevResult(call.network);
  const owner = attachmentAlias(attachmentOf(call));
  const targets = config.mappings.length === 0 ? [] : targetsOf(result);
  refuseTakenPorts(call, config, targets, owner);
  const isMapped = targets.length > 0;
  const { shared, own } = isMapped ? mappingObjects(config, targets, owner) : { shared: [], own: [] };
  return {
    result,
    hostRemovals: [],
    sharedObjects: shared,
    hostObjects: [...own, ...(isMapped && config.snat ? routeLocalnet(call, result, targets) : [])],
    podObjects: [],
    staleFlows: staleFlows(config.mappings),
    warnings: [],
  };
}

/** UDP has no end: what was sent to a port before it was mapped, or after, would go where it went for as long as it goes on. */
function staleFlows(mappings: readonly PortMapping[]): StaleFlows[] {
  return mappings.flatMap(({ protocol, hostPort: port, family }) =>
    protocol !== 'udp'
      ? []
      : ([4, 6] as const)
          .filter((each) => (family ?? each) === each)
          .map((each) => ({ family: each, protocol: UDP, port })),
  );
}

/** DEL does not fail for what ADD refused. */
function mappingsIn(network: NetworkConfig): readonly PortMapping[] {
  try {
    return parseMappings(network);
  } catch {
    return [];
  }
}

/** The first address of each family that is the container's. */
function targetsOf({ ips, interfaces }: CniResult): Target[] {
  const own = ips.filter(({ interface: index }) => index === undefined || interfaces[index]?.sandbox);
  const targets = ([4, 6] as const).flatMap((family) => {
    const ip = own.find(({ address }) => familyOf(address) === family);
    return ip === undefined ? [] : [targetOf(ip.address, prefixParts(ip.address).address)];
  });
  if (targets.length > 0) return targets;
  throw new CniError(
    CNI_ERROR.invalidNetworkConfig,
    'portmap: prevResult has no address of the container',
    'ports cannot be mapped to a container without one',
  );
}

/** Throws CniError 113 that names the container that has a port already. */
function refuseTakenPorts(
  { facts }: PluginCall,
  config: PortmapConfig,
  targets: readonly Target[],
  owner: string,
): void {
  const seen = new Set<string>();
  for (const target of targets) {
    for (const mapping of mappingsFor(config.mappings, target.family)) {
      const wanted = mappingElement(mapping, target, owner, config);
      const key = keyOf(wanted);
      const text = `host port ${mapping.hostPort}/${mapping.protocol}${mapping.hostIp === undefined ? '' : ` on ${mapping.hostIp}`}`;
      if (seen.has(key)) throw new CniError(CNI_ERROR.invalidNetworkConfig, `${text} is mapped twice`);
      seen.add(key);
      const found = facts.host.get(key);
      if (found === undefined || !isAnothers(found, wanted)) continue;
      throw new CniError(
        CNI_ERROR.linkConflict,
        `${text} is in use`,
        `by ${(found as NftElement).comment ?? 'another container'}; free it, or ask for another port`,
      );
    }
  }
}

function isAnothers(found: KernelObject, wanted: NftElement): boolean {
  return found.kind === 'nft-element' && found.comment !== wanted.comment;
}

/** Packets from 127.0.0.1 may leave by the link the pod is behind: a bridge, or the host's end of its pair. */
function routeLocalnet(
  { facts }: PluginCall,
  { interfaces }: CniResult,
  targets: readonly Target[],
): Sysctl[] {
  if (!targets.some(({ family }) => family === 4)) return [];
  const links = interfaces
    .filter(({ sandbox }) => !sandbox)
    .flatMap(({ name }) => linkIn(facts.host, name) ?? []);
  const link = links.find(({ detail }) => detail.type === 'bridge') ?? links[0];
  if (link === undefined) return [];
  return [{ kind: 'sysctl', path: `net/ipv4/conf/${link.name}/route_localnet`, value: '1' }];
}
