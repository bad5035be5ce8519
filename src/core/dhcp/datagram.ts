/**
 * A DHCP message in its UDP and IPv4 headers (RFC 768, 791), which a client without an address has to write and read itself.
 * A received UDP checksum is not looked at: between links of one machine the kernel leaves it unfinished.
 */
import { formatIp, type IpAddress, ipBytes } from '#base/ip/index.ts';

export const CLIENT_PORT = 68;
export const SERVER_PORT = 67;

const IP_BYTES = 20;
const UDP_BYTES = 8;
const UDP = 17;
const HOPS = 64;

export interface DhcpDatagram {
  readonly from: IpAddress;
  readonly to: IpAddress;
  readonly payload: Uint8Array;
}

/** An IPv4 packet from the client's port to the server's, with both checksums. */
export function encodeDatagram({ from, to, payload }: DhcpDatagram): Uint8Array {
  const bytes = new Uint8Array(IP_BYTES + UDP_BYTES + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, 0x45);
  // Network control, as DHCP clients mark it (RFC 2474, CS6).
  view.setUint8(1, 0xc0);
  view.setUint16(2, bytes.length);
  view.setUint8(8, HOPS);
  view.setUint8(9, UDP);
  bytes.set(ipBytes(from), 12);
  bytes.set(ipBytes(to), 16);
  view.setUint16(10, checksum(bytes.subarray(0, IP_BYTES), 0));
  view.setUint16(20, CLIENT_PORT);
  view.setUint16(22, SERVER_PORT);
  view.setUint16(24, UDP_BYTES + payload.length);
  bytes.set(payload, IP_BYTES + UDP_BYTES);
  const sum = checksum(bytes.subarray(IP_BYTES), pseudoHeader(bytes, UDP_BYTES + payload.length));
  // RFC 768: zero would say that there is none.
  view.setUint16(26, sum === 0 ? 0xffff : sum);
  return bytes;
}

/** The datagram for the client's port that an IPv4 packet carries; undefined for any other packet, fragments included. */
export function decodeDatagram(bytes: Uint8Array): DhcpDatagram | undefined {
  if (bytes.length < IP_BYTES + UDP_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = (view.getUint8(0) & 0x0f) * 4;
  const total = view.getUint16(2);
  const isWhole = total <= bytes.length && header >= IP_BYTES && total >= header + UDP_BYTES;
  if (view.getUint8(0) >> 4 !== 4 || !isWhole || view.getUint8(9) !== UDP) return undefined;
  if ((view.getUint16(6) & 0x3fff) !== 0) return undefined;
  if (checksum(bytes.subarray(0, header), 0) !== 0) return undefined;
  const length = view.getUint16(header + 4);
  if (view.getUint16(header + 2) !== CLIENT_PORT || length < UDP_BYTES || header + length > total)
    return undefined;
  return {
    from: formatIp(bytes.subarray(12, 16)),
    to: formatIp(bytes.subarray(16, 20)),
    payload: bytes.slice(header + UDP_BYTES, header + length),
  };
}

/** RFC 768: addresses, protocol and length count too. */
function pseudoHeader(bytes: Uint8Array, length: number): number {
  return wordSum(bytes.subarray(12, 20)) + UDP + length;
}

/** The one's complement of the one's complement sum (RFC 1071). */
function checksum(bytes: Uint8Array, start: number): number {
  let sum = start + wordSum(bytes);
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}

function wordSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] as number) << 8) | (bytes[at + 1] ?? 0);
  return sum;
}
