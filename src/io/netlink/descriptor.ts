/** Opening and tuning netlink descriptors. Numbers from linux/netlink.h and asm-generic/socket.h (x86-64 and arm64 agree). */
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon } from '#io/native/index.ts';
import { uint32At } from './frame.ts';

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;
export const NETLINK_GENERIC = 16;
export type NetlinkProtocol = typeof NETLINK_ROUTE | typeof NETLINK_NETFILTER | typeof NETLINK_GENERIC;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** Bytes of a sockaddr_nl; its port id lies at PORT_OFFSET. */
export const ADDRESS_BYTES = 12;
export const PORT_OFFSET = 4;

export interface DescriptorOptions {
  readonly protocol: NetlinkProtocol;
  readonly namespaceFd?: number;
  /** Absent: as large as the system makes it. */
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
  readonly groups?: readonly number[];
}

/** Opens and binds a netlink socket with extended acknowledgements. Throws a SystemCallError and leaves nothing open. */
export function openDescriptor(options: DescriptorOptions): number {
  const addon = nativeAddon();
  const fd = addon.socket(AF_NETLINK, SOCK_RAW, options.protocol, options.namespaceFd);
  try {
    addon.setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, int32(1));
    addon.setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, int32(1));
    if (options.protocol === NETLINK_ROUTE) {
      addon.setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, int32(1));
    }
    if (options.receiveBufferBytes !== undefined)
      setBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receiveBufferBytes);
    if (options.sendBufferBytes !== undefined) setSendBuffer(fd, options.sendBufferBytes);
    const address = new Uint8Array(ADDRESS_BYTES);
    address[0] = AF_NETLINK;
    addon.bind(fd, address);
    for (const group of options.groups ?? []) {
      addon.setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, int32(group));
    }
    return fd;
  } catch (error) {
    addon.close(fd);
    throw error;
  }
}

/** Opens another socket in the namespace where `fd` is. */
export function openSibling(fd: number, options: DescriptorOptions): number {
  const addon = nativeAddon();
  let namespaceFd: number;
  try {
    namespaceFd = addon.namespaceOfSocket(fd);
  } catch (error) {
    // Without CAP_NET_ADMIN the question is not allowed, but neither is another namespace than the thread's own.
    if (options.namespaceFd === undefined && isForbidden(error)) return openDescriptor(options);
    throw error;
  }
  try {
    return openDescriptor({ ...options, namespaceFd });
  } finally {
    addon.close(namespaceFd);
  }
}

/** The namespace descriptor as an option, absent for the thread's own. */
export function inNamespace(namespace: Namespace | undefined): { namespaceFd?: number } {
  return namespace === undefined ? {} : { namespaceFd: namespace.fd };
}

/** The port id the kernel gave. */
export function boundPortId(fd: number): number {
  return uint32At(nativeAddon().getsockname(fd), PORT_OFFSET);
}

/** Wishes for a send buffer; the kernel doubles the number, and caps it without CAP_NET_ADMIN. */
export function setSendBuffer(fd: number, bytes: number): void {
  setBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, bytes);
}

/** Bytes that fit one send: netlink_sendmsg refuses more than the buffer less 32. */
export function sendRoom(fd: number): number {
  return uint32At(nativeAddon().getsockopt(fd, SOL_SOCKET, SO_SNDBUF, 4), 0) - 32;
}

/** Bytes of the receive buffer as the kernel counts them, its own overhead included. */
export function receiveRoom(fd: number): number {
  return uint32At(nativeAddon().getsockopt(fd, SOL_SOCKET, SO_RCVBUF, 4), 0);
}

/** Forced with CAP_NET_ADMIN over the initial user namespace; else as far as net.core.{r,w}mem_max allow. */
function setBuffer(fd: number, forced: number, ordinary: number, bytes: number): void {
  const addon = nativeAddon();
  try {
    addon.setsockopt(fd, SOL_SOCKET, forced, int32(bytes));
  } catch (error) {
    if (!isForbidden(error)) throw error;
    addon.setsockopt(fd, SOL_SOCKET, ordinary, int32(bytes));
  }
}

function isForbidden(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPERM';
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}
