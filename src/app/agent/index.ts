export { runAgent } from './agent.ts';
export { BGP_KINDS } from './bgp/index.ts';
export { agentCommand } from './command.ts';
export { ForwardAccept, forwardChain } from './forward-accept.ts';
export { FIRST_NETWORK, HostNetworks, isNetworkName } from './host-networks.ts';
export { KernelLoop } from './kernel-loop.ts';
export { CONFIG_KEY, CONFIG_MAP } from './net-conf-source.ts';
export { lockNode } from './node-lock.ts';
export { defaultNodeName } from './node-object.ts';
export type { NetworkChoice } from './options.ts';
export { type AgentPaths, agentPaths, wireguardKeyFile } from './paths.ts';
export { PolicyKeeper } from './policy/index.ts';
export { readyNotice } from './ready-notice.ts';
export {
  type EtcdRegistry,
  type EtcdRegistryOptions,
  etcdRegistry,
} from './registries/etcd.ts';
export type { EtcdLeaseRegistry, EtcdOpenOptions } from './registries/etcd-keeper.ts';
export { etcdSource } from './registries/etcd-source.ts';
export { kubeNodesRegistry } from './registries/kube-nodes.ts';
export { leaseObjects } from './registries/lease-objects.ts';
export type { RegistrySource } from './registries/source.ts';
export { type AgentStatus, fetchStatus } from './status.ts';
export { pathsOfNetwork, statusCommand } from './status-command.ts';
export { TunnelCarrier, type TunnelCarrierOptions } from './tunnel-carrier.ts';
