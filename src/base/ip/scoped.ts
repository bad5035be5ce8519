/** Link-local addresses, which say where only together with their link: `fe80::1%eth0` (RFC 4007 section 11). */
import { canonicalIp, type IpAddress } from './address.ts';

/** All link-local addresses of IPv6 (RFC 4291 section 2.5.6). */
export const LINK_LOCAL_PREFIX = 'fe80::/10';

export interface ScopedIp {
  readonly address: IpAddress;
  /** The link's name; absent where the text had none. */
  readonly link?: string;
}

/** Whether a canonical address, or one with its link, is a link-local one of IPv6. */
export function isLinkLocal(address: IpAddress): boolean {
  return /^fe[89ab]/.test(address);
}

/** Whether a link may be called so: what the kernel takes, IFNAMSIZ being 16. */
export function isLinkName(text: string): boolean {
  return /^[^\s/:%]{1,15}$/.test(text) && text !== '.' && text !== '..';
}

/** Reads an address with or without a link; undefined if either is malformed, or the address has no scope that a link could be of. */
export function parseScopedIp(text: string): ScopedIp | undefined {
  const at = text.indexOf('%');
  const address = canonicalIp(at < 0 ? text : text.slice(0, at));
  if (address === undefined || at < 0) return address === undefined ? undefined : { address };
  const link = text.slice(at + 1);
  return isLinkLocal(address) && isLinkName(link) ? { address, link } : undefined;
}

/** The text of an address, with its link where that is needed to know it. */
export function formatScopedIp(address: IpAddress, link: string | undefined): string {
  return link !== undefined && isLinkLocal(address) ? `${address}%${link}` : address;
}
