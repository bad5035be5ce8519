/** What the links of an attachment are to the host: the pod's own, or a bridge that attachments share. */
import { CNI, type KernelObject, type Link, sysctlLink } from '#core/kernel/index.ts';

export function isVeth(object: KernelObject): object is Link {
  return object.kind === 'link' && object.detail.type === 'veth';
}

export function isOwnBridge(object: KernelObject): object is Link {
  return object.kind === 'link' && object.detail.type === 'bridge' && object.alias === CNI.alias;
}

/** What must be there before the pod's link is up: links, that one being down, and what is set on them. */
export function beforeUp(object: KernelObject): KernelObject[] {
  if (object.kind === 'link') return [isVeth(object) ? { ...object, up: false } : object];
  return object.kind === 'sysctl' && sysctlLink(object.path) !== undefined ? [object] : [];
}
