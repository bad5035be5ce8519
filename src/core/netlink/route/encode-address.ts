/** Addresses as RTM_NEWADDR and RTM_DELADDR. */
import { familyOf, prefixParts } from '#base/ip/index.ts';
import type { Address } from '#core/kernel/index.ts';
import { encodeMessage, NLM_F } from '../message.ts';
import { addressMessage, IFA_F, RTM_ADDRESS } from './address.ts';
import { type LinkIndex, requireIndex } from './link-index.ts';
import { AF } from './scope.ts';

/** Adds an address to a link. Throws MissingLinkError. */
export function encodeAddAddress(entry: Address, links: LinkIndex): Uint8Array[] {
  const add = encodeAddress(RTM_ADDRESS.NEW, NLM_F.CREATE | NLM_F.EXCL, entry, links);
  if (entry.noDad !== true || familyOf(entry.address) === 4) return [add];
  // An IPv6 address without duplicate detection is announced from a work queue, some time later (addrconf_dad_work). Setting
  // it to what it is announces it at once, so that whoever listens knows of it when this is through.
  return [add, encodeAddress(RTM_ADDRESS.NEW, NLM_F.REPLACE, entry, links)];
}

/** Takes an address off a link. Throws MissingLinkError. */
export function encodeRemoveAddress(entry: Address, links: LinkIndex): Uint8Array[] {
  return [encodeAddress(RTM_ADDRESS.DEL, 0, entry, links)];
}

function encodeAddress(type: number, messageFlags: number, entry: Address, links: LinkIndex): Uint8Array {
  const { address, length, family } = prefixParts(entry.address);
  const flags =
    (entry.noDad === true ? IFA_F.NODAD : 0) | (entry.noPrefixRoute === true ? IFA_F.NOPREFIXROUTE : 0);
  return encodeMessage(addressMessage, {
    type,
    flags: messageFlags,
    payload: {
      family: family === 4 ? AF.INET : AF.INET6,
      prefixLength: length,
      flags: 0,
      scope: entry.scope ?? 'global',
      index: requireIndex(links, entry.link),
      // Two attributes as `ip address` sends them: without IFA_LOCAL IPv4 refuses, IPv6 takes either.
      attributes: { address, local: address, ...(flags === 0 ? {} : { flags }) },
    },
  });
}
