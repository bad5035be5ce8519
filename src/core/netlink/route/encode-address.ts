/** Addresses as RTM_NEWADDR and RTM_DELADDR. */

import { prefixParts } from '#base/ip/index.ts';
import type { Address } from '#core/kernel/index.ts';
import { encodeMessage, NLM_F } from '../message.ts';
import { addressMessage, IFA_F, RTM_ADDRESS } from './address.ts';
import { type LinkIndex, requireIndex } from './link-index.ts';
import { AF } from './scope.ts';

export function encodeAddress(verb: 'add' | 'remove', entry: Address, links: LinkIndex): Uint8Array {
  const { address, length, family } = prefixParts(entry.address);
  const flags =
    (entry.noDad === true ? IFA_F.NODAD : 0) | (entry.noPrefixRoute === true ? IFA_F.NOPREFIXROUTE : 0);
  return encodeMessage(addressMessage, {
    type: verb === 'add' ? RTM_ADDRESS.NEW : RTM_ADDRESS.DEL,
    flags: verb === 'add' ? NLM_F.CREATE | NLM_F.EXCL : 0,
    payload: {
      family: family === 4 ? AF.INET : AF.INET6,
      prefixLength: length,
      flags: 0,
      scope: entry.scope ?? 'global',
      index: requireIndex(links, entry.link),
      // Two attributes as `ip address` sends them: without IFA_LOCAL IPv4 refuses, IPv6 takes either.
      attributes: { address, local: address, ...(verb === 'add' && flags !== 0 ? { flags } : {}) },
    },
  });
}
