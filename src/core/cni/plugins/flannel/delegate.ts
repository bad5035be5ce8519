/** From flannel's configuration and the node's subnet to the configuration of the plugin that makes the interface. */
import { type IpPrefix, networkOf } from '#base/ip/index.ts';
import { isJsonObject, type JsonObject } from '../../spec/json.ts';
import type { NetworkConfig } from '../../spec/network-config.ts';
import type { FlannelConfig } from './config.ts';

/** What the subnet file says of this node. */
export interface SubnetFacts {
  /** The pod networks of the cluster, of both families. */
  readonly networks: readonly IpPrefix[];
  /** The node's own subnets, at most one of each family. */
  readonly subnets: readonly IpPrefix[];
  readonly mtuBytes: number;
  /** The daemon masquerades, so that the delegate need not. */
  readonly ipMasq: boolean;
}

/** A configuration with the plugin it is for. */
export type DelegateConfig = JsonObject & { readonly name: string; readonly type: string };

/** The delegate's configuration for ADD: what `delegate` says, and what the subnet file adds to it. */
export function planDelegate(
  network: NetworkConfig,
  { delegate, ipam, runtimeConfig }: FlannelConfig,
  facts: SubnetFacts,
): DelegateConfig {
  const { cniVersion } = network.json;
  return {
    ipMasq: !facts.ipMasq,
    mtu: facts.mtuBytes,
    ...(delegate.type === 'bridge' && { isGateway: true }),
    ...delegate,
    ...(runtimeConfig && { runtimeConfig }),
    name: network.name,
    ...(typeof cniVersion === 'string' && cniVersion !== '' && { cniVersion }),
    ipam: {
      ...ipam,
      ranges: facts.subnets.map((subnet) => [{ subnet: networkOf(subnet) }]),
      routes: [...ipam.routes, ...facts.networks.map((dst) => ({ dst }))],
    },
  };
}

/** The configuration where none was kept: enough to take away what a plugin of ours recorded, whatever the node's subnet is by now. */
export function planUnsavedDelegate({ name, cniVersion, json }: NetworkConfig, type: string): DelegateConfig {
  const { delegate, ipam } = json;
  const own = isJsonObject(ipam) ? ipam : {};
  return {
    ...(isJsonObject(delegate) && delegate),
    name,
    type,
    cniVersion,
    ipam: { ...own, type: typeof own['type'] === 'string' ? own['type'] : 'host-local' },
  };
}

/** A kept configuration in the words of a later call: with its version and result, and the attachments that are valid. */
export function delegateOfCall(saved: DelegateConfig, { json, cniVersion }: NetworkConfig): DelegateConfig {
  const members = ['prevResult', 'cni.dev/valid-attachments', 'cni.dev/attachments'];
  const given = members.filter((key) => json[key] !== undefined);
  const words: JsonObject = Object.fromEntries(given.map((key) => [key, json[key]]));
  return { ...saved, ...words, cniVersion };
}
