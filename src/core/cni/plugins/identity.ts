/**
 * How an attachment is told from all others on the host: the alias its links carry, and the link names and MAC addresses that
 * follow from its identity, so that a plan made twice is the same plan.
 */
import { digestHex, localMac } from '#base/hash.ts';
import type { MacAddress } from '#base/ip/index.ts';
import { CNI, type KernelState, type Link, linksOfAlias } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../spec/error.ts';
import type { AttachmentId } from '../spec/network-config.ts';

/** An attachment to a network, as its alias names it. */
export interface Attachment extends AttachmentId {
  readonly network: string;
}

/** IFALIASZ is 256 with the terminating zero. */
const ALIAS_BYTES = 255;
const NAME_ATTEMPTS = 64;
const CHAINED_MARK = '+';

/** The alias of an attachment's links: `poplin:cni:NETWORK/CONTAINER/IFNAME`, with a digest where that is too long. */
export function attachmentAlias({ network, containerId, ifName }: Attachment): string {
  const alias = `${networkAliasPrefix(network)}${containerId}/${ifName}`;
  if (alias.length <= ALIAS_BYTES) return alias;
  return `${CNI.alias}:${digestHex(`${network}/${containerId}/${ifName}`, 16)}`;
}

/** The alias of what a chained plugin makes on the host for an attachment: the attachment's own, and the plugin's type behind `+`. */
export function chainedAlias(attachment: Attachment, type: string): string {
  const alias = `${attachmentAlias(attachment)}${CHAINED_MARK}${type}`;
  if (alias.length <= ALIAS_BYTES) return alias;
  return `${CNI.alias}:${digestHex(identityOf(attachment), 16)}${CHAINED_MARK}${type}`;
}

/** What the aliases of a network's attachments begin with. */
export function networkAliasPrefix(network: string): string {
  return `${CNI.alias}:${network}/`;
}

/** The host links of an attachment. */
export function linksOf(attachment: Attachment, host: KernelState): Link[] {
  return linksOfAlias(host, attachmentAlias(attachment));
}

/** The host links of a network's attachments that are not among the valid ones, those of chained plugins included. */
export function staleLinksOf(network: string, valid: readonly AttachmentId[], host: KernelState): Link[] {
  const prefix = networkAliasPrefix(network);
  const kept = new Set(valid.map((each) => attachmentAlias({ network, ...each })));
  return linksWhere(host, ({ alias }) => {
    if (alias === undefined || !alias.startsWith(prefix) || kept.has(alias)) return false;
    const end = alias.lastIndexOf(CHAINED_MARK);
    return end < 0 || !kept.has(alias.slice(0, end));
  });
}

/** A name for an attachment's host link: the prefix and `digits` of a digest; another digest if the name is in use. */
export function hostLinkName(
  prefix: string,
  digits: number,
  attachment: Attachment,
  host: KernelState,
): string {
  const identity = identityOf(attachment);
  for (let attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
    const name = prefix + digestHex(attempt === 0 ? identity : `${identity}#${attempt}`, digits);
    if (!host.has(`link ${name}`)) return name;
  }
  throw new CniError(CNI_ERROR.linkConflict, `no free link name of the form ${prefix}XXXX on the host`);
}

/** A locally administered unicast MAC address that follows from an attachment and its end of the veth pair. */
export function attachmentMac(attachment: Attachment, end: 'pod' | 'host'): MacAddress {
  return localMac(`${identityOf(attachment)}/${end}`);
}

function identityOf({ network, containerId, ifName }: Attachment): string {
  return `${network}/${containerId}/${ifName}`;
}

function linksWhere(state: KernelState, matches: (link: Link) => boolean): Link[] {
  const found: Link[] = [];
  for (const object of state.values()) if (object.kind === 'link' && matches(object)) found.push(object);
  return found;
}
