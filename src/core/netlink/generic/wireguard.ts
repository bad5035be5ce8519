/**
 * WireGuard devices over generic netlink (linux/wireguard.h, WGDEVICE_A_*, WGPEER_A_*, WGALLOWEDIP_A_*; Linux 5.6). Keys are 32 bytes;
 * port and mark are in host order, but for ports of socket addresses.
 */
import { formatIp, ipBytes } from '#base/ip/index.ts';
import {
  bytes,
  type Codec,
  DecodeError,
  ip,
  rest,
  struct,
  text,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
} from '#core/codec/index.ts';
import type { WireguardEndpoint } from '#core/kernel/index.ts';
import { attribute, attributeList, attributes, nest } from '../attribute.ts';
import { AF } from '../route/scope.ts';
import { genericHeaderFields } from './header.ts';

export const WG_CMD = { GET_DEVICE: 0, SET_DEVICE: 1 } as const;
export const WGDEVICE_F = { REPLACE_PEERS: 1 } as const;
export const WGPEER_F = { REMOVE_ME: 1, REPLACE_ALLOWEDIPS: 2, UPDATE_ONLY: 4 } as const;
export const KEY_BYTES = 32;

/** struct sockaddr_in or sockaddr_in6; flow and scope of the latter are zero. */
export const socketAddress: Codec<WireguardEndpoint> = {
  shape: {
    of: 'record',
    fields: {
      address: { shape: ip.shape, optional: false },
      port: { shape: { of: 'integer', bits: 16 }, optional: false },
    },
  },
  decode: (reader) => {
    const at = reader.offset;
    const family = reader.u16le();
    if (family !== AF.INET && family !== AF.INET6)
      throw new DecodeError(`socket address of unknown family ${family}`, at);
    const port = reader.u16be();
    if (family === AF.INET) {
      const address = formatIp(reader.copy(4));
      reader.skip(8);
      return { address, port };
    }
    reader.skip(4);
    const address = formatIp(reader.copy(16));
    reader.skip(4);
    return { address, port };
  },
  encode: (writer, { address, port }) => {
    const raw = ipBytes(address);
    const isIpv4 = raw.length === 4;
    writer.u16le(isIpv4 ? AF.INET : AF.INET6);
    writer.u16be(port);
    if (!isIpv4) writer.reserve(4);
    writer.raw(raw);
    writer.reserve(isIpv4 ? 8 : 4);
  },
};

const allowedIp = attributes({
  family: attribute(1, u16),
  address: attribute(2, ip),
  length: attribute(3, u8),
  flags: attribute(4, u32),
});

const peer = attributes({
  publicKey: attribute(1, bytes(KEY_BYTES)),
  /** All zero is none. */
  presharedKey: attribute(2, bytes(KEY_BYTES)),
  flags: attribute(3, u32),
  endpoint: attribute(4, socketAddress),
  keepaliveSec: attribute(5, u16),
  lastHandshake: attribute(6, rest),
  receivedBytes: attribute(7, u64),
  sentBytes: attribute(8, u64),
  allowedIps: nest(9, attributeList(0, allowedIp)),
  protocolVersion: attribute(10, u32),
});
export type PeerAttributes = ValueOf<typeof peer>;

export const wireguardMessage = struct({
  ...genericHeaderFields,
  attributes: attributes({
    index: attribute(1, u32),
    name: attribute(2, text),
    privateKey: attribute(3, bytes(KEY_BYTES)),
    publicKey: attribute(4, bytes(KEY_BYTES)),
    flags: attribute(5, u32),
    listenPort: attribute(6, u16),
    fwmark: attribute(7, u32),
    peers: nest(8, attributeList(0, peer)),
  }),
});
export type DeviceAttributes = ValueOf<typeof wireguardMessage>['attributes'];
