/** A flow of connection tracking as policies are asked about it: between those who really talk, whatever addresses they use for each other. */
import type { TrackedFlow } from '#core/netlink/conntrack/index.ts';
import type { Flow } from '#core/policy/index.ts';

/**
 * From whoever sent its first packet, by the address it had then, to whoever answers: the pod behind a service, by its own port. Answers
 * are no flows of their own.
 */
export function judgedFlow({ protocol, original, reply }: TrackedFlow): Flow {
  return {
    source: original.source,
    destination: reply.source,
    protocol,
    ...(original.sourcePort !== undefined && { sourcePort: original.sourcePort }),
    ...(reply.sourcePort !== undefined && { destinationPort: reply.sourcePort }),
    ...(original.icmp !== undefined && { icmp: { type: original.icmp.type, code: original.icmp.code } }),
  };
}
