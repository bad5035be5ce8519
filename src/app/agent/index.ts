export { runAgent } from './agent.ts';
export { agentCommand, statusCommand } from './command.ts';
export { FORWARD_CHAIN, ForwardAccept } from './forward-accept.ts';
export { KernelLoop } from './kernel-loop.ts';
export { CONFIG_KEY, CONFIG_MAP } from './net-conf-source.ts';
export { lockNode } from './node-lock.ts';
export { type AgentPaths, agentPaths } from './paths.ts';
export { leaseObjects } from './registries/lease-objects.ts';
export { type AgentStatus, fetchStatus } from './status.ts';
