/**
 * How the mirrors of a namespace learn what its own session changes: from notifications that are known by their bytes, and of many
 * additions at once from the kernel's acknowledgements, since their notifications cost more than to make them.
 */
import type { KernelOp } from '#core/kernel/index.ts';
import { QUIET_ENTRIES, QUIET_TYPES, type RouteMirror } from '#core/netlink/index.ts';
import type { NftMirror } from '#core/netlink/nftables/index.ts';
import type { NetlinkMonitor } from '#io/netlink/index.ts';
import type { AdditionFollower } from './additions.ts';
import type { SessionContext } from './session.ts';

export interface OwnChangesOptions {
  readonly routes: RouteMirror;
  readonly tables: NftMirror;
  readonly routeMonitor: () => NetlinkMonitor;
  /** Takes in all notifications there are. */
  readonly drain: () => void;
}

type Followed = Pick<
  SessionContext,
  'beforeSend' | 'transactionPort' | 'beforeTransaction' | 'afterSend' | 'additions'
>;

/** What a session tells of its changes. */
export function followOwnChanges({ routes, tables, routeMonitor, drain }: OwnChangesOptions): Followed {
  return {
    beforeSend: (messages, sources) => {
      for (let at = 0; at < messages.length; at++)
        routes.expect(messages[at] as Uint8Array, sources[at] as KernelOp);
    },
    transactionPort: (portId) => tables.setOwnPort(portId),
    beforeTransaction: (ops) => tables.expect(ops),
    afterSend: drain,
    additions: followAdditions(routes, routeMonitor, drain),
  };
}

function followAdditions(
  routes: RouteMirror,
  monitor: () => NetlinkMonitor,
  drain: () => void,
): AdditionFollower {
  let answered = { portId: 0, types: QUIET_TYPES };
  return {
    portOpened: (portId) => {
      answered = { portId, types: QUIET_TYPES };
    },
    begin: () => {
      monitor().leaveOut({ ...answered, everyOf: QUIET_ENTRIES });
      routes.quiet.begin();
    },
    acknowledged: (pack, refused) => {
      drain();
      for (let at = 0; at < pack.ops.length; at++)
        if (refused.size === 0 || !refused.has(at)) routes.quiet.take(pack, at);
    },
    end: (isComplete) => {
      // What is heard from here on is newer than the dump that follows.
      monitor().leaveOut(answered);
      if (!isComplete) routes.quiet.disturb();
      routes.quiet.end();
      drain();
    },
  };
}
