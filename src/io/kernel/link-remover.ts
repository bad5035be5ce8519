/**
 * Removes links on a socket and in a thread of its own, so that nobody else waits while the kernel takes them apart. Several go as a
 * group; the number of that group is ours, nobody's links are in it but those put there a moment before.
 */
import { encodeGroupLink, encodeRemoveGroup } from '#core/netlink/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { type MessageFailure, NETLINK_ROUTE, NetlinkSocket } from '#io/netlink/index.ts';

/** "pop" and a version, in a number that people are unlikely to give. */
const GROUP = 0x706f7001;

export class LinkRemover implements Disposable {
  private readonly socket: NetlinkSocket;
  private work: Promise<unknown> = Promise.resolve();

  constructor(namespace: Namespace) {
    this.socket = NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace });
  }

  /** Resolves when the links of these numbers are gone, with what failed; `index` is the place in the list, -1 for all of them. */
  remove(indexes: readonly number[]): Promise<readonly MessageFailure[]> {
    const run = this.work.then(async () => {
      const refused = this.socket.transactSync(indexes.map((index) => encodeGroupLink(index, GROUP)));
      if (refused.length === indexes.length) return refused;
      const failures = await this.socket.transact([encodeRemoveGroup(GROUP)]);
      return [...refused, ...failures.map((failure) => ({ ...failure, index: -1 }))];
    });
    this.work = run.catch(() => undefined);
    return run;
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}
