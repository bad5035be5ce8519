/**
 * A link that is made in another namespace under a name that a link of this one has, as eth0. Linux 6.1 refuses that (EEXIST): it looks
 * for the name where the message came from. So the link gets a name that nobody has, and takes its own where it is.
 */
import { digestHex } from '#base/hash.ts';
import type { KernelOp, Link } from '#core/kernel/index.ts';
import { decodeLink, encodeOp, encodeRenameLink, type LinkIndex, linkRequest } from '#core/netlink/index.ts';
import { openNamespace } from '#io/namespace/index.ts';
import { type MessageFailure, NETLINK_ROUTE, NetlinkSocket } from '#io/netlink/index.ts';

/** True if an operation makes a link elsewhere under a name that is taken here. */
export function isNameTaken({ verb, object }: KernelOp, links: LinkIndex): boolean {
  return (
    verb === 'add' &&
    object.kind === 'link' &&
    object.netns !== undefined &&
    links.indexOf(object.name) !== undefined
  );
}

/** Makes the link; gives what the kernel refused, after which nothing of it is there. `route` is a socket of this namespace. */
export function makeDistantLink(route: NetlinkSocket, link: Link, links: LinkIndex): MessageFailure[] {
  // It follows from the name, so that what an attempt left that was broken off is found.
  const passing: Link = { ...link, name: `pop-${digestHex(link.name, 10)}` };
  using namespace = openNamespace(link.netns ?? '');
  using there = NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace });
  removeIn(there, passing.name);
  const refused = route.transactSync(encodeOp({ verb: 'add', object: passing }, links));
  if (refused.length > 0) return refused;
  const failures = there.transactSync([encodeRenameLink(indexIn(there, passing.name) ?? 0, link.name)]);
  if (failures.length > 0) removeIn(there, passing.name);
  return failures;
}

function removeIn(socket: NetlinkSocket, name: string): void {
  const index = indexIn(socket, name);
  if (index === undefined) return;
  const object: Link = { kind: 'link', name, detail: { type: 'other', linkKind: '' } };
  const links: LinkIndex = { indexOf: () => index, netnsFd: () => -1 };
  socket.transactSync(encodeOp({ verb: 'remove', object }, links));
}

function indexIn(socket: NetlinkSocket, name: string): number | undefined {
  const [answer] = socket.findSync(linkRequest(name), `link ${name}`) ?? [];
  return answer === undefined ? undefined : decodeLink(answer).index;
}
