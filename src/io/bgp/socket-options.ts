/** Options of sockets that BGP and BFD ask for: signatures (RFC 2385), hop limits (RFC 5082), class of service. Numbers from linux/{in,in6,tcp}.h. */
import { familyBits, familyOf, type IpAddress, type IpFamily, type IpPrefix } from '#base/ip/index.ts';
import { nativeAddon } from '#io/native/index.ts';
import { AF_INET6, encodeSocketAddress } from './socket-address.ts';

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
const IP_TOS = 1;
const IP_TTL = 2;
const IP_MINTTL = 21;
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const IPV6_TCLASS = 67;
const IPV6_MINHOPCOUNT = 73;
const TCP_NODELAY = 1;
const TCP_MD5SIG = 14;
const TCP_MD5SIG_EXT = 32;
const TCP_MD5SIG_FLAG_PREFIX = 1;
const STORAGE_BYTES = 128;
const MAX_PASSWORD_BYTES = 80;
/** Internetwork control (RFC 4271 appendix E: precedence 6). */
const CONTROL_CLASS = 0xc0;
export const MAX_HOPS = 255;

/** Of packets to a peer, and of its own. */
export interface HopLimits {
  /** Of what we send; absent: the system's. */
  readonly ttl?: number;
  /** What comes with less is dropped by the kernel; absent: none is. */
  readonly minTtl?: number;
}

/** RFC 5082 section 3: a peer at most so many hops away, 1 being a neighbour on the link; what comes from farther has a lower limit. */
export function gtsmHops(hops: number): HopLimits {
  if (!Number.isInteger(hops) || hops < 1 || hops > MAX_HOPS)
    throw new RangeError(`ttl security of ${hops} hops`);
  return { ttl: MAX_HOPS, minTtl: MAX_HOPS + 1 - hops };
}

export function setHopLimits(fd: number, family: IpFamily, { ttl, minTtl }: HopLimits): void {
  const level = family === 4 ? IPPROTO_IP : IPPROTO_IPV6;
  if (ttl !== undefined) setInt(fd, level, family === 4 ? IP_TTL : IPV6_UNICAST_HOPS, ttl);
  if (minTtl !== undefined) setInt(fd, level, family === 4 ? IP_MINTTL : IPV6_MINHOPCOUNT, minTtl);
}

/**
 * Signs and checks all segments to and from a peer, or the peers of a prefix; without a password not any more. Throws a RangeError for one of
 * more than 80 bytes, a SystemCallError if the kernel has no signatures.
 */
export function setPassword(fd: number, peer: IpAddress | IpPrefix, password: string | undefined): void {
  const key = new TextEncoder().encode(password ?? '');
  if (key.length > MAX_PASSWORD_BYTES)
    throw new RangeError(
      `password of peer ${peer} has ${key.length} bytes, at most ${MAX_PASSWORD_BYTES} are allowed`,
    );
  const [address = '', length] = peer.split('/');
  const bits = familyBits(familyOf(address));
  const isPrefix = length !== undefined && Number(length) < bits;
  // struct tcp_md5sig.
  const bytes = new Uint8Array(STORAGE_BYTES + 8 + MAX_PASSWORD_BYTES);
  bytes.set(encodeSocketAddress(address, 0));
  const view = new DataView(bytes.buffer);
  view.setUint8(STORAGE_BYTES, isPrefix ? TCP_MD5SIG_FLAG_PREFIX : 0);
  view.setUint8(STORAGE_BYTES + 1, isPrefix ? Number(length) : 0);
  view.setUint16(STORAGE_BYTES + 2, key.length, true);
  bytes.set(key, STORAGE_BYTES + 8);
  nativeAddon().setsockopt(fd, IPPROTO_TCP, isPrefix ? TCP_MD5SIG_EXT : TCP_MD5SIG, bytes);
}

/** What every socket of ours has. */
export function setCommonOptions(fd: number, domain: number): void {
  setInt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  setInt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (domain === AF_INET6) {
    setInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    setInt(fd, IPPROTO_IPV6, IPV6_TCLASS, CONTROL_CLASS);
  } else {
    setInt(fd, IPPROTO_IP, IP_TOS, CONTROL_CLASS);
  }
}

/** Of a UDP socket of BFD: the greatest hop limit, by which a peer on the link knows us for one (RFC 5881 section 5). */
export function setBfdOptions(fd: number, family: IpFamily): void {
  setHopLimits(fd, family, { ttl: MAX_HOPS });
  if (family === 6) {
    setInt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    setInt(fd, IPPROTO_IPV6, IPV6_TCLASS, CONTROL_CLASS);
  } else {
    setInt(fd, IPPROTO_IP, IP_TOS, CONTROL_CLASS);
  }
}

/** The error a socket has come to, as a positive errno, which is forgotten then; 0 if there is none. */
export function pendingErrno(fd: number): number {
  const value = nativeAddon().getsockopt(fd, SOL_SOCKET, SO_ERROR, 4);
  return new DataView(value.buffer, value.byteOffset).getInt32(0, true);
}

function setInt(fd: number, level: number, name: number, value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  nativeAddon().setsockopt(fd, level, name, bytes);
}
