/** struct sockaddr_in and sockaddr_in6: family and scope in host order, port and address in network order. */
import { familyOf, formatIp, type IpAddress, type IpFamily, ipBytes } from '#base/ip/index.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;
/** Of either. */
export const ADDRESS_BYTES = 28;

/** `scope` is the index of the link a link-local address is on. */
export function encodeSocketAddress(address: IpAddress, port: number, scope = 0): Uint8Array {
  const ip = ipBytes(address);
  const isIpv4 = ip.length === 4;
  const bytes = new Uint8Array(isIpv4 ? 16 : ADDRESS_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, isIpv4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port, false);
  bytes.set(ip, isIpv4 ? 4 : 8);
  if (!isIpv4) view.setUint32(24, scope, true);
  return bytes;
}

/** The address in it. */
export function addressOf(bytes: Uint8Array): IpAddress {
  const isIpv4 = (bytes[0] as number) === AF_INET;
  return formatIp(isIpv4 ? bytes.subarray(4, 8) : bytes.subarray(8, 24));
}

/** The index of the link in it, which link-local addresses have; 0 of others. */
export function scopeOf(bytes: Uint8Array): number {
  const { buffer, byteOffset } = bytes;
  return (bytes[0] as number) === AF_INET6 ? new DataView(buffer, byteOffset).getUint32(24, true) : 0;
}

/** The port in it. */
export function portOf(bytes: Uint8Array): number {
  return ((bytes[2] as number) << 8) | (bytes[3] as number);
}

/** The number the system knows an address's family by. */
export function domainOf(address: IpAddress): number {
  return familyOf(address) === 4 ? AF_INET : AF_INET6;
}

/** The address of a family that stands for all. */
export function anyAddress(family: IpFamily): IpAddress {
  return family === 4 ? '0.0.0.0' : '::';
}
