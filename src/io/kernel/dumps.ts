/** Mirrors filled anew: what is there is dumped, and what the dumps do not show is gone from them. */
import type { Owner } from '#core/kernel/index.ts';
import { type DumpKind, dumpRequests, type RouteMirror } from '#core/netlink/index.ts';
import type { NftMirror } from '#core/netlink/nftables/index.ts';
import { isNotFound, type NetlinkSocket } from '#io/netlink/index.ts';

/** A dump that others disturb each time is given up for now after so many. */
const TURNS = 10;

export interface RouteDump {
  readonly kinds: readonly DumpKind[];
  /** Of routes those with the marks of these. */
  readonly owners: readonly Owner[];
  /** Has the mirror take in what was announced meanwhile. */
  readonly hear: () => void;
}

/**
 * False if what was dumped cannot be relied on. Throws NetlinkError; the mirror is then as good as lost.
 *
 * The kernel goes on with the dump of a VXLAN device's forwarding entries by their number (vxlan_fdb_dump, seen on Linux 6.18): where one goes
 * away in between, another is passed over, and nothing says so. So these are dumped until none has gone meanwhile.
 */
export function dumpRoutes(
  routes: RouteMirror,
  socket: NetlinkSocket,
  { kinds, owners, hear }: RouteDump,
): boolean {
  dumpOnce(routes, socket, kinds, owners);
  if (!kinds.includes('fdb')) return true;
  for (let turn = 1; ; turn++) {
    const before = routes.removedEntries;
    hear();
    if (routes.removedEntries === before) return true;
    if (turn === TURNS) return false;
    dumpOnce(routes, socket, ['fdb'], owners);
  }
}

function dumpOnce(
  routes: RouteMirror,
  socket: NetlinkSocket,
  kinds: readonly DumpKind[],
  owners: readonly Owner[],
): void {
  routes.beginResync(kinds);
  for (const request of dumpRequests(kinds, owners))
    for (const message of socket.dump(request, 'dump')) routes.apply(message);
  if (kinds.includes('filter')) {
    for (const request of routes.filterRequests())
      for (const message of socket.dump(request, 'dump filters')) routes.apply(message);
  }
  routes.endResync();
}

/** As dumpRoutes, for tables. One that went between two requests has nothing to tell. */
export function dumpTables(tables: NftMirror, socket: NetlinkSocket): void {
  tables.beginResync();
  for (const request of tables.dumpRequests()) {
    try {
      for (const message of socket.dump(request, 'dump nf_tables')) tables.apply(message);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  tables.endResync();
}
