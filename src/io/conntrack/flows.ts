/** The kernel's connection tracking in one namespace: a socket for each use, since uses are rare. */
import type { IpAddress } from '#base/ip/index.ts';
import {
  decodeFlow,
  deleteFlowRequest,
  type FlowFilter,
  flowsRequest,
} from '#core/netlink/conntrack/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '#io/netlink/index.ts';

/**
 * Forgets the connections to a port of one of the given addresses, so that their next packet is looked at anew; returns how many.
 * Kernels before 5.8 send all their connections for it. Throws NetlinkError.
 */
export async function forgetFlows(
  namespace: Namespace,
  filters: readonly FlowFilter[],
  isAddressed: (destination: IpAddress) => boolean,
): Promise<number> {
  if (filters.length === 0) return 0;
  await using socket = NetlinkSocket.open({ protocol: NETLINK_NETFILTER, namespace });
  let count = 0;
  for (const filter of filters) {
    const { protocol, port } = filter;
    const answers = await socket.dumpAsync(flowsRequest(filter), `connections to port ${port}`);
    const requests = answers.flatMap((answer) => {
      const flow = decodeFlow(answer);
      const isMeant = flow?.protocol === protocol && flow.port === port && isAddressed(flow.destination);
      return isMeant ? [deleteFlowRequest(flow)] : [];
    });
    if (requests.length === 0) continue;
    const failures = await socket.transact(requests, { acknowledge: 'all' });
    count += requests.length - failures.length;
  }
  return count;
}
