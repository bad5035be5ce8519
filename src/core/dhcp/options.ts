/**
 * What is in the options this client knows, one codec each (RFC 2132, 3397, 3442), and their numbers. A client
 * sends and remembers any other option as bytes.
 */
import { fromUtf8, utf8 } from '#base/bytes.ts';
import {
  type Codec,
  DecodeError,
  ipOf,
  listOf,
  registry,
  rest,
  struct,
  u8,
  u16be,
  u32be,
} from '#core/codec/index.ts';
import { packet } from './packet.ts';
import { classlessRoutes } from './routes.ts';
import { domainSearch } from './search.ts';

/** Option numbers. */
export const OPTION = {
  pad: 0,
  subnetMask: 1,
  routers: 3,
  nameServers: 6,
  hostName: 12,
  domainName: 15,
  interfaceMtu: 26,
  broadcastAddress: 28,
  staticRoutes: 33,
  ntpServers: 42,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverId: 54,
  parameterList: 55,
  message: 56,
  maxMessageBytes: 57,
  renewalTime: 58,
  rebindingTime: 59,
  vendorClass: 60,
  clientId: 61,
  userClass: 77,
  domainSearch: 119,
  classlessRoutes: 121,
  end: 255,
} as const;

/** RFC 2132 section 9.6. */
export const MESSAGE_TYPE = {
  discover: 1,
  offer: 2,
  request: 3,
  decline: 4,
  ack: 5,
  nak: 6,
  release: 7,
  inform: 8,
} as const;

/** Text without a closing NUL; servers that send one are borne (RFC 2132 section 2). */
const plainText: Codec<string> = {
  shape: { of: 'text' },
  decode: (reader) => {
    const at = reader.offset;
    const raw = reader.copy(reader.remaining);
    let end = raw.length;
    while (end > 0 && raw[end - 1] === 0) end -= 1;
    const value = fromUtf8(raw.subarray(0, end));
    if (value === undefined) throw new DecodeError('not UTF-8', at);
    if (value.includes('\0')) throw new DecodeError('text goes on after NUL', at);
    return value;
  },
  encode: (writer, value) => writer.raw(utf8(value)),
};

const address = ipOf(4);
const addresses = listOf(address);

/** The codecs by the option's name. */
export const OPTION_CODECS = {
  subnetMask: address,
  routers: addresses,
  nameServers: addresses,
  hostName: plainText,
  domainName: plainText,
  interfaceMtu: u16be,
  broadcastAddress: address,
  staticRoutes: listOf(struct({ destination: address, router: address })),
  ntpServers: addresses,
  requestedAddress: address,
  leaseTime: u32be,
  overload: u8,
  messageType: u8,
  serverId: address,
  parameterList: rest,
  message: plainText,
  maxMessageBytes: u16be,
  renewalTime: u32be,
  rebindingTime: u32be,
  vendorClass: rest,
  clientId: rest,
  userClass: rest,
  domainSearch,
  classlessRoutes,
} as const;

// domainSearch and classlessRoutes are irregular, and have properties of their own in their tests.
const { domainSearch: _names, classlessRoutes: _routes, ...regular } = OPTION_CODECS;

/** All codecs whose values their shapes describe, for the tests that loop over them. */
export const DHCP_CODECS = registry('dhcp', { packet, ...regular });
