import { expect, test } from 'vitest';
import { USUAL_OWNERS } from '#core/kernel/index.ts';
import { RouteMirror } from '#core/netlink/index.ts';
import type { NetlinkSocket } from '#io/netlink/index.ts';
import { dumpRoutes } from './dumps.ts';

/** How often entries are dumped, and with what outcome, where they go away during the first so many dumps. */
function dumpsWhere(disturbed: number): { readonly count: number; readonly isReliable: boolean } {
  const routes = new RouteMirror();
  let count = 0;
  const socket = {
    dump: () => {
      count++;
      return [];
    },
  } as unknown as NetlinkSocket;
  const hear = (): void => {
    if (count <= disturbed) routes.removedEntries++;
  };
  const isReliable = dumpRoutes(routes, socket, { kinds: ['fdb'], owners: USUAL_OWNERS, hear });
  return { count, isReliable };
}

test('forwarding entries are dumped until none has gone away meanwhile', () => {
  expect(dumpsWhere(0)).toEqual({ count: 1, isReliable: true });
  expect(dumpsWhere(3)).toEqual({ count: 4, isReliable: true });
});

test('a dump that is disturbed each time is given up', () => {
  expect(dumpsWhere(Number.POSITIVE_INFINITY)).toEqual({ count: 10, isReliable: false });
});
