/** Mirrors filled anew: what is there is dumped, and what the dumps do not show is gone from them. */
import type { Owner } from '#core/kernel/index.ts';
import { type DumpKind, dumpRequests, type RouteMirror } from '#core/netlink/index.ts';
import type { NftMirror } from '#core/netlink/nftables/index.ts';
import { isNotFound, type NetlinkSocket } from '#io/netlink/index.ts';

/** Dumps these kinds, of routes those with the owners' marks. Throws NetlinkError; the mirror is then as good as lost. */
export function dumpRoutes(
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
