export { runAgent } from './agent.ts';
export { agentCommand, statusCommand } from './command.ts';
export { KernelLoop } from './kernel-loop.ts';
export { CONFIG_KEY, CONFIG_MAP } from './net-conf-source.ts';
export { type AgentPaths, agentPaths } from './paths.ts';
export {
  type EtcdRegistry,
  type EtcdRegistryOptions,
  etcdRegistry,
} from './registries/etcd.ts';
export type { EtcdLeaseRegistry, EtcdOpenOptions } from './registries/etcd-keeper.ts';
export { type AgentStatus, fetchStatus } from './status.ts';
