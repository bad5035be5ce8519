/**
 * Executing somebody else's IPAM plugin for a plugin of ours. What we serve ourselves is never executed: our client would come
 * round to this agent and wait for the very call it is part of.
 */
import { CNI_ERROR, CniError, type ExecPlugin, INTERFACE_PLUGINS } from '#core/cni/index.ts';

/**
 * The port with that rule: rejects with CniError 7 where `ipam.type` is an interface plugin of ours. What runs when `stop` aborts is
 * ended.
 */
export function ipamExec(exec: ExecPlugin, stop: AbortSignal): ExecPlugin {
  return {
    run: async (execution, signal) => {
      const { type } = execution;
      if (!INTERFACE_PLUGINS.has(type))
        return exec.run(execution, signal === undefined ? stop : AbortSignal.any([signal, stop]));
      throw new CniError(
        CNI_ERROR.invalidNetworkConfig,
        'invalid network config',
        `ipam.type: "${type}" makes interfaces, it is no IPAM plugin: give one such as host-local`,
      );
    },
  };
}

/**
 * By what calls of an attachment wait for each other. IPAM calls have a turn of their own: a foreign plugin that an interface
 * plugin of ours waits for may itself call an IPAM plugin of ours. The address store's lock is enough for them.
 */
export function turnOf(plugin: string, part: string): string {
  return INTERFACE_PLUGINS.has(plugin) ? part : `${part} ipam`;
}
