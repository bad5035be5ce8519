/** A UDP socket of this process that lives in another network namespace: made there, then used as any dgram socket. */
import { createSocket, type Socket } from 'node:dgram';
import { familyOf, type IpAddress, ipBytes } from '#base/ip/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { nativeAddon } from '#io/native/index.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM_NONBLOCK = 2 | 0o4000;

/** Bound to the address and port (0 is any). Rejects with the system's error, such as EADDRNOTAVAIL. */
export async function udpSocketIn(namespace: Namespace, address: IpAddress, port: number): Promise<Socket> {
  const addon = nativeAddon();
  const family = familyOf(address);
  const fd = addon.socket(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM_NONBLOCK, 0, namespace.fd);
  try {
    addon.bind(fd, socketAddress(address, port));
  } catch (error) {
    addon.close(fd);
    throw error;
  }
  const socket = createSocket(family === 4 ? 'udp4' : 'udp6');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ fd }, () => {
      socket.off('error', reject);
      resolve();
    });
  });
  return socket;
}

/** struct sockaddr_in or sockaddr_in6: family in host order, port and address in network order. */
function socketAddress(address: IpAddress, port: number): Uint8Array {
  const ip = ipBytes(address);
  const bytes = new Uint8Array(ip.length === 4 ? 16 : 28);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, ip.length === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port, false);
  bytes.set(ip, ip.length === 4 ? 4 : 8);
  return bytes;
}
