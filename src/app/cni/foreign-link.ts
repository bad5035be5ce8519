/**
 * The host's end of a pair that another implementation made, on which a chained plugin of ours works. That implementation's DEL is not
 * ours, so what ours did lives as long as the link: it is known again by its name, or by its MAC address should it get another.
 */
import type { MacAddress } from '#base/ip/index.ts';
import type { CniResult } from '#core/cni/index.ts';
import { type KernelState, type Link, linkIn } from '#core/kernel/index.ts';
import { withLinkRenamed } from './link-rename.ts';
import { isVeth } from './links.ts';
import type { ForeignLink, StoredPart } from './stored-part.ts';

/** The one veth on the host that a result names; undefined if it names none, or several, of which any could be the container's. */
export function foreignLinkOf(
  prevResult: CniResult | undefined,
  state: KernelState,
): ForeignLink | undefined {
  const found = (prevResult?.interfaces ?? []).flatMap(({ name, sandbox }) => {
    const link = sandbox ? undefined : linkIn(state, name);
    return link !== undefined && isVeth(link) ? [link] : [];
  });
  const [link, ...others] = found;
  if (link === undefined || others.length > 0) return undefined;
  const { name, mac } = link;
  // Some implementations give all their links one MAC address.
  return { name, ...(mac !== undefined && vethsOf(mac, state).length === 1 && { mac }) };
}

/** The link as it is called now; undefined if it is gone. `isKnown` tells the names of links that are other attachments'. */
export function findForeignLink(
  { name, mac }: ForeignLink,
  state: KernelState,
  isKnown: (name: string) => boolean,
): ForeignLink | undefined {
  const named = linkIn(state, name);
  // Its MAC address may have been changed by whoever names the machine's links.
  if (named !== undefined && isVeth(named)) return { name, ...(mac && { mac: named.mac ?? mac }) };
  const [link, ...others] = mac === undefined ? [] : vethsOf(mac, state);
  if (mac === undefined || link === undefined || others.length > 0 || isKnown(link.name)) return undefined;
  return { name: link.name, mac };
}

/** The record of a part whose link is called so now. */
export function withForeignLink(stored: StoredPart, hostLink: ForeignLink): StoredPart {
  const from = stored.hostLink?.name ?? hostLink.name;
  return { ...stored, hostLink, objects: withLinkRenamed(stored.objects, from, hostLink.name) };
}

function vethsOf(mac: MacAddress, state: KernelState): Link[] {
  return [...state.values()].filter((object): object is Link => isVeth(object) && object.mac === mac);
}
