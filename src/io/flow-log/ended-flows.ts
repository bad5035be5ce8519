/** Flows as they end, with what the kernel counted of them, where it counts (net.netfilter.nf_conntrack_acct). */
import { decodeFlowEvent, FLOW_EVENT_GROUPS } from '#core/netlink/conntrack/index.ts';
import type { Flow } from '#core/policy/index.ts';
import { judgedFlow } from '#io/conntrack/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { NETLINK_NETFILTER, NetlinkMonitor } from '#io/netlink/index.ts';

export interface EndedFlow {
  /** Between those who really talked. */
  readonly flow: Flow;
  /** Of both directions; absent where the kernel does not count. */
  readonly packets?: number;
  readonly bytes?: number;
  /** Absent where the kernel does not note it (net.netfilter.nf_conntrack_timestamp). */
  readonly durationMs?: number;
}

export interface EndedFlowsOptions {
  /** The calling thread's own by default. */
  readonly namespace?: Namespace;
  readonly onEnded: (flows: readonly EndedFlow[]) => void;
  /** Some are not told of, nobody knows how many. */
  readonly onLost: () => void;
}

/** Listens until it is disposed. Flows that began before the first listener came may end untold. Throws a SystemCallError. */
export function followEndedFlows({ namespace, onEnded, onLost }: EndedFlowsOptions): Disposable {
  return NetlinkMonitor.open({
    protocol: NETLINK_NETFILTER,
    ...(namespace !== undefined && { namespace }),
    groups: [FLOW_EVENT_GROUPS.destroy],
    onMessages: (messages) => onEnded(messages.flatMap(endedFlow)),
    onLost,
  });
}

function endedFlow(message: Uint8Array): EndedFlow[] {
  const told = decodeFlowEvent(message);
  if (told?.event !== 'destroy') return [];
  const { packets, bytes, durationNs } = told.flow;
  return [
    {
      flow: judgedFlow(told.flow),
      ...(packets !== undefined && { packets: Number(packets) }),
      ...(bytes !== undefined && { bytes: Number(bytes) }),
      ...(durationNs !== undefined && { durationMs: Number(durationNs) / 1e6 }),
    },
  ];
}
