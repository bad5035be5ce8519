/** What the links of an attachment are to the host: the pod's own, or a bridge that attachments share; and what is left with its end. */
import {
  CNI,
  compareAdditions,
  isAttached,
  isAttachmentLink,
  type KernelObject,
  type KernelState,
  keyOf,
  type Link,
  linksOfAlias,
} from '#core/kernel/index.ts';

/** Its key in the state of the kernel. */
export function linkKey(name: string): string {
  return `link ${name}`;
}

export function isVeth(object: KernelObject): object is Link {
  return object.kind === 'link' && object.detail.type === 'veth';
}

export function isOwnBridge(object: KernelObject): object is Link {
  return object.kind === 'link' && object.detail.type === 'bridge' && object.alias === CNI.alias;
}

/** Of a part's objects what nothing but its end removes, as it is now: links, qdiscs and filters, each before what it needs. */
export function leftOf(objects: readonly KernelObject[], state: KernelState): KernelObject[] {
  const found = objects.flatMap((object) => state.get(keyOf(object)) ?? []);
  const isTraffic = ({ kind }: KernelObject) => kind === 'qdisc' || kind === 'filter';
  return found
    .filter((object) => isAttachmentLink(object) || (isTraffic(object) && isAttached(object, state)))
    .sort((a, b) => compareAdditions(b, a));
}

/** The link of an attachment, be it under another name than the wanted one. */
export function attachmentLink(part: string, wanted: Link | undefined, state: KernelState): Link | undefined {
  const named = wanted && state.get(keyOf(wanted));
  if (named?.kind === 'link' && named.alias === part) return named;
  const renamed = linksOfAlias(state, part).find(isVeth);
  if (renamed !== undefined) return renamed;
  // Somebody took its alias away: not ours to change any more, but the pod is there.
  return named?.kind === 'link' && !isAttachmentLink(named) ? named : undefined;
}
