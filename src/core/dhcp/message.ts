/** A DHCP message of an Ethernet client, whole: the fields that mean something and the options (RFC 2131 section 2, RFC 2132). */
import { formatMac, type IpAddress, type MacAddress, parseMac } from '#base/ip/index.ts';
import {
  type Codec,
  DecodeError,
  decodeAll,
  encodeAll,
  isDecodeError,
  type ValueOf,
} from '#core/codec/index.ts';
import { type DhcpOptions, readOptions, writeOptions } from './option-area.ts';
import { OPTION, OPTION_CODECS } from './options.ts';
import {
  BROADCAST_FLAG,
  ETHERNET,
  ETHERNET_BYTES,
  MAGIC_COOKIE,
  MIN_MESSAGE_BYTES,
  packet,
} from './packet.ts';

export interface DhcpMessage {
  /** 1 from a client, 2 from a server. */
  readonly op: number;
  readonly xid: number;
  /** Seconds since the client began, at most 65535. */
  readonly secs: number;
  /** The answer is to be broadcast. */
  readonly broadcast: boolean;
  readonly clientAddress: IpAddress;
  readonly yourAddress: IpAddress;
  readonly relay: IpAddress;
  readonly mac: MacAddress;
  readonly options: DhcpOptions;
}

const UNSPECIFIED = '0.0.0.0';

/** Reads the payload of a datagram. Throws DecodeError for anything that is no DHCP message of an Ethernet client. */
export function decodeMessage(bytes: Uint8Array): DhcpMessage {
  const fields = decodeAll(packet, bytes);
  const refuse = (field: string, reason: string, offset: number) => {
    throw new DecodeError(reason, offset, field);
  };
  if (fields.cookie !== MAGIC_COOKIE)
    refuse('cookie', `not a DHCP message: ${fields.cookie.toString(16)}`, 236);
  if (fields.hardwareType !== ETHERNET) refuse('hardwareType', `${fields.hardwareType} is not Ethernet`, 1);
  if (fields.hardwareLength !== ETHERNET_BYTES)
    refuse('hardwareLength', `an Ethernet address has 6 bytes, not ${fields.hardwareLength}`, 2);
  return {
    op: fields.op,
    xid: fields.xid,
    secs: fields.secs,
    broadcast: (fields.flags & BROADCAST_FLAG) !== 0,
    clientAddress: fields.clientAddress,
    yourAddress: fields.yourAddress,
    relay: fields.relay,
    mac: formatMac(fields.hardwareAddress.subarray(0, ETHERNET_BYTES)),
    options: readOptions(fields),
  };
}

/** The payload of a datagram, of at least 300 bytes. Throws RangeError for a value that does not fit. */
export function encodeMessage(message: DhcpMessage): Uint8Array {
  const mac = parseMac(message.mac);
  if (mac === undefined) throw new RangeError(`not a MAC address: "${message.mac}"`);
  const hardwareAddress = new Uint8Array(16);
  hardwareAddress.set(mac);
  const bytes = encodeAll(packet, {
    op: message.op,
    hardwareType: ETHERNET,
    hardwareLength: ETHERNET_BYTES,
    hops: 0,
    xid: message.xid,
    secs: message.secs,
    flags: message.broadcast ? BROADCAST_FLAG : 0,
    clientAddress: message.clientAddress,
    yourAddress: message.yourAddress,
    nextServer: UNSPECIFIED,
    relay: message.relay,
    hardwareAddress,
    serverName: new Uint8Array(64),
    file: new Uint8Array(128),
    cookie: MAGIC_COOKIE,
    options: writeOptions(message.options),
  });
  if (bytes.length >= MIN_MESSAGE_BYTES) return bytes;
  const padded = new Uint8Array(MIN_MESSAGE_BYTES);
  padded.set(bytes);
  return padded;
}

type OptionName = keyof typeof OPTION_CODECS;
export type OptionValue<N extends OptionName> = ValueOf<(typeof OPTION_CODECS)[N]>;

/** An option's value; undefined if it is absent or malformed. */
export function optionOf<N extends OptionName>(options: DhcpOptions, name: N): OptionValue<N> | undefined {
  const bytes = options.get(OPTION[name]);
  if (bytes === undefined) return undefined;
  try {
    return decodeAll(OPTION_CODECS[name] as unknown as Codec<OptionValue<N>>, bytes);
  } catch (error) {
    if (isDecodeError(error)) return undefined;
    throw error;
  }
}

/** An option with its number, as a row of DhcpOptions. */
export function optionRow<N extends OptionName>(name: N, value: OptionValue<N>): [number, Uint8Array] {
  return [OPTION[name], encodeAll(OPTION_CODECS[name] as unknown as Codec<OptionValue<N>>, value)];
}
