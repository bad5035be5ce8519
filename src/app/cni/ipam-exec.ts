/**
 * Executing somebody else's IPAM plugin for a plugin of ours. What we serve ourselves is never executed: our client would come
 * round to this agent and wait for the very call it is part of.
 */
import { CNI_ERROR, CniError, type ExecPlugin, FLANNEL_TYPE, INTERFACE_PLUGINS } from '#core/cni/index.ts';

/**
 * The port with that rule: rejects with CniError 7 where `ipam.type` is an interface plugin of ours. What runs when `stop` aborts is
 * ended.
 */
export function ipamExec(exec: ExecPlugin, stop: AbortSignal): ExecPlugin {
  const ended = endedBy(exec, stop);
  return {
    run: async (execution, signal) => {
      const { type } = execution;
      if (!INTERFACE_PLUGINS.has(type)) return ended.run(execution, signal);
      throw new CniError(
        CNI_ERROR.invalidNetworkConfig,
        'invalid network config',
        `ipam.type: "${type}" makes interfaces, it is no IPAM plugin: give one such as host-local`,
      );
    },
  };
}

/** The port with a signal that ends whatever runs. */
export function endedBy(exec: ExecPlugin, stop: AbortSignal): ExecPlugin {
  return {
    run: (execution, signal) =>
      exec.run(execution, signal === undefined ? stop : AbortSignal.any([signal, stop])),
  };
}

/**
 * By what calls of an attachment wait for each other. IPAM calls have a turn of their own: a foreign plugin that an interface
 * plugin of ours waits for may itself call an IPAM plugin of ours. The address store's lock is enough for them. flannel has another,
 * as its delegate takes the attachment's.
 */
export function turnOf(plugin: string, part: string): string {
  if (plugin === FLANNEL_TYPE) return `${part} ${FLANNEL_TYPE}`;
  return INTERFACE_PLUGINS.has(plugin) ? part : `${part} ipam`;
}
