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

/** The ifindex and, where there is one on the way, the gateway that an answer names; undefined if packets would not leave. Throws DecodeError. */
export function lookedUpHop(
  message: Uint8Array,
): { readonly linkIndex: number; readonly via?: IpAddress } | undefined {
  const { type, attributes } = decodeMessage(routeMessage, message).payload;
  const via = attributes.gateway ?? attributes.via;
  if (type !== 'unicast' || attributes.outputLink === undefined) return undefined;
  return { linkIndex: attributes.outputLink, ...(via === undefined ? {} : { via }) };
}

/** Does an answer say that the address is the namespace's own? Throws DecodeError. */
export function isOwnAddress(message: Uint8Array): boolean {
  return decodeMessage(routeMessage, message).payload.type === 'local';
}
