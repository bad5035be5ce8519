/**
 * The firewall plugin (chained): what is forwarded to and from the pod is accepted, and with an ingress policy, networks are closed to
 * each other (`same-bridge`), and pods of one network too (`isolated`). See rules.ts for how, config.ts for its keys.
 */
import { prefixParts } from '#base/ip/index.ts';
import { linkIn } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import type { CniResult } from '../../spec/result.ts';
import { requirePrevResult } from '../check.ts';
import { type AddPlan, type InterfacePlugin, NOTHING_TO_REMOVE, type PluginCall } from '../definition.ts';
import { ownerOf } from '../reference-rules/index.ts';
import { type FirewallConfig, parseFirewallConfig } from './config.ts';
import { type Attached, firewallObjects } from './rules.ts';

export const firewallPlugin: InterfacePlugin = {
  type: 'firewall',
  chained: true,
  prepareAdd: (call) => {
    const config = parseFirewallConfig(call.network);
    return { ipam: { kind: 'none' }, plan: () => planAdd(call, config) };
  },
  // What was recorded at ADD goes with its part.
  planDel: () => NOTHING_TO_REMOVE,
  referenceRules: (call) => ({ kind: 'firewall', ...ownerOf(call) }),
};

function planAdd(call: PluginCall, { ingressPolicy, adminChain }: FirewallConfig): AddPlan {
  const result = requirePrevResult(call.network);
  const addresses = result.ips
    .filter(({ interface: index }) => index === undefined || result.interfaces[index]?.sandbox)
    .map(({ address }) => prefixParts(address).address);
  const attached = ingressPolicy === 'open' ? undefined : attachedBy(call, result, ingressPolicy);
  const { shared, own } = firewallObjects(addresses, ingressPolicy, attached);
  return {
    result,
    hostRemovals: [],
    sharedObjects: shared,
    hostObjects: own,
    podObjects: [],
    warnings:
      adminChain === ''
        ? []
        : [
            `iptablesAdminChainName: chain ${adminChain} is not asked; a base chain of your own is, in any table of nf_tables`,
          ],
  };
}

/** The link that closes the network. Throws CniError 7 if the result has none on the host. */
function attachedBy({ facts }: PluginCall, { interfaces }: CniResult, policy: string): Attached {
  const names = interfaces.filter(({ sandbox }) => !sandbox).map(({ name }) => name);
  const bridge = names.find((name) => linkIn(facts.host, name)?.detail.type === 'bridge');
  const link = bridge ?? names[0];
  if (link === undefined) {
    throw new CniError(
      CNI_ERROR.invalidNetworkConfig,
      `firewall: prevResult has no interface on the host`,
      `ingressPolicy "${policy}" needs one: chain firewall to bridge or to ptp`,
    );
  }
  if (bridge === undefined) return { link };
  const port = names.find((name) => linkIn(facts.host, name)?.master === bridge);
  return { link, ...(port !== undefined && { port }) };
}
