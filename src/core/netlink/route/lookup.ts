/** Asking the kernel which way packets to an address would leave (`ip route get`). */
import { familyOf, type IpAddress } from '#base/ip/index.ts';
import { decodeMessage, encodeMessage } from '../message.ts';
import { RTM_ROUTE, routeMessage } from './route.ts';
import { AF } from './scope.ts';

/** The answer is one route message, or ENETUNREACH and its like. A link-local address needs the ifindex of its link. */
export function routeLookup(address: IpAddress, linkIndex?: number): Uint8Array {
  const isIpv4 = familyOf(address) === 4;
  return encodeMessage(routeMessage, {
    type: RTM_ROUTE.GET,
    flags: 0,
    payload: {
      family: isIpv4 ? AF.INET : AF.INET6,
      dstLength: isIpv4 ? 32 : 128,
      srcLength: 0,
      tos: 0,
      table: 0,
      protocol: 0,
      scope: 'global',
      type: 'unspecified',
      flags: 0,
      attributes: { dst: address, ...(linkIndex !== undefined && { outputLink: linkIndex }) },
    },
  });
}

/** The ifindex that an answer names; undefined if none. Throws DecodeError. */
export function lookedUpLink(message: Uint8Array): number | undefined {
  const { payload } = decodeMessage(routeMessage, message);
  return payload.type === 'unicast' ? payload.attributes.outputLink : undefined;
}

/** Does an answer say that the address is the namespace's own? Throws DecodeError. */
export function isOwnAddress(message: Uint8Array): boolean {
  return decodeMessage(routeMessage, message).payload.type === 'local';
}
