/**
 * How an attachment is told from all others on the host: the alias its links carry, and the link names and MAC addresses that
 * follow from its identity, so that a plan made twice is the same plan.
 */
import { fnv1a64 } from '#base/hash.ts';
import { formatMac, type MacAddress } from '#base/ip/index.ts';
import { CNI, type KernelState, type Link } from '#core/kernel/index.ts';
import { CNI_ERROR, CniError } from '../spec/error.ts';
import type { AttachmentId } from '../spec/network-config.ts';

/** An attachment to a network, as its alias names it. */
export interface Attachment extends AttachmentId {
  readonly network: string;
}

/** IFALIASZ is 256 with the terminating zero. */
const ALIAS_BYTES = 255;
const NAME_ATTEMPTS = 64;

/** The alias of an attachment's links: `poplin:cni:NETWORK/CONTAINER/IFNAME`, with a digest where that is too long. */
export function attachmentAlias({ network, containerId, ifName }: Attachment): string {
  const alias = `${networkAliasPrefix(network)}${containerId}/${ifName}`;
  if (alias.length <= ALIAS_BYTES) return alias;
  return `${CNI.alias}:${hex(`${network}/${containerId}/${ifName}`, 16)}`;
}

/** What the aliases of a network's attachments begin with. */
export function networkAliasPrefix(network: string): string {
  return `${CNI.alias}:${network}/`;
}

/** The host links of an attachment. */
export function linksOf(attachment: Attachment, host: KernelState): Link[] {
  const alias = attachmentAlias(attachment);
  return linksWhere(host, (link) => link.alias === alias);
}

/** The host links of a network's attachments that are not among the valid ones. */
export function staleLinksOf(network: string, valid: readonly AttachmentId[], host: KernelState): Link[] {
  const prefix = networkAliasPrefix(network);
  const kept = new Set(valid.map((each) => attachmentAlias({ network, ...each })));
  return linksWhere(host, ({ alias }) => alias !== undefined && alias.startsWith(prefix) && !kept.has(alias));
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
    const name = prefix + hex(attempt === 0 ? identity : `${identity}#${attempt}`, digits);
    if (!host.has(`link ${name}`)) return name;
  }
  throw new CniError(CNI_ERROR.linkConflict, `no free link name of the form ${prefix}XXXX on the host`);
}

/** A locally administered unicast MAC address that follows from an attachment and its end of the veth pair. */
export function attachmentMac(attachment: Attachment, end: 'pod' | 'host'): MacAddress {
  return digestMac(`${identityOf(attachment)}/${end}`);
}

/** A locally administered unicast MAC address that follows from a text. */
export function digestMac(text: string): MacAddress {
  const value = digest(text);
  const bytes = Uint8Array.from({ length: 6 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
  bytes[0] = ((bytes[0] as number) & 0xfc) | 0x02;
  return formatMac(bytes);
}

function identityOf({ network, containerId, ifName }: Attachment): string {
  return `${network}/${containerId}/${ifName}`;
}

function linksWhere(state: KernelState, matches: (link: Link) => boolean): Link[] {
  const found: Link[] = [];
  for (const object of state.values()) if (object.kind === 'link' && matches(object)) found.push(object);
  return found;
}

function hex(text: string, digits: number): string {
  return digest(text).toString(16).padStart(16, '0').slice(0, digits);
}

/** FNV-1a with murmur3's finaliser, which spreads it over all bits: names and addresses are cut from its high and low ones. */
function digest(text: string): bigint {
  let value = fnv1a64(text);
  for (const factor of [0xff51afd7ed558ccdn, 0xc4ceb9fe1a85ec53n]) {
    value = BigInt.asUintN(64, (value ^ (value >> 33n)) * factor);
  }
  return value ^ (value >> 33n);
}
