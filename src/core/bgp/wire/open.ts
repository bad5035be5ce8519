/** OPEN (RFC 4271 section 4.2), with optional parameters of either length (RFC 9072). */
import { Reader, Writer } from '#core/codec/index.ts';
import type { Asn, RouterId } from '../model.ts';
import {
  type Capabilities,
  type RawCapability,
  readCapabilities,
  writeCapabilities,
} from './capabilities.ts';
import { MessageError, withNotification } from './error.ts';
import { ERROR, OPEN_ERROR } from './notification-table.ts';

/** What a four-octet AS number is called where only two fit (RFC 6793 section 9). */
export const AS_TRANS = 23456;

export interface Open {
  /** RFC 6793: that of the capability, if there is one. */
  readonly asn: Asn;
  readonly holdTimeSec: number;
  readonly routerId: RouterId;
  readonly capabilities: Capabilities;
}

const VERSION = 4;
const CAPABILITIES = 2;
const EXTENDED = 255;
const MAX_SHORT_BYTES = 255;

/** The body of an OPEN. Throws MessageError. */
export function decodeOpen(body: Uint8Array): Open {
  try {
    return readOpen(new Reader(body));
  } catch (error) {
    throw withNotification(error, ERROR.open, OPEN_ERROR.unspecific);
  }
}

function readOpen(reader: Reader): Open {
  const version = reader.u8();
  // RFC 4271 section 6.2: the data is the largest version that is supported.
  if (version !== VERSION)
    throw new MessageError(
      ERROR.open,
      OPEN_ERROR.version,
      `version ${version}`,
      0,
      Uint8Array.of(0, VERSION),
    );
  const twoOctetAsn = reader.u16be();
  const holdTimeSec = reader.u16be();
  const routerId = reader.u32be();
  const capabilities = readCapabilities(readParameters(reader));
  const asn = capabilities.fourOctetAsn ?? twoOctetAsn;
  // RFC 7607 section 2.
  if (asn === 0) throw new MessageError(ERROR.open, OPEN_ERROR.peerAsn, 'as number 0', 1);
  // RFC 4271 section 6.2: neither 1 nor 2 seconds.
  if (holdTimeSec === 1 || holdTimeSec === 2)
    throw new MessageError(ERROR.open, OPEN_ERROR.holdTime, `hold time of ${holdTimeSec} s`, 3);
  // RFC 6286 section 2.2.
  if (routerId === 0) throw new MessageError(ERROR.open, OPEN_ERROR.identifier, 'bgp identifier 0', 5);
  return { asn, holdTimeSec, routerId, capabilities };
}

function readParameters(reader: Reader): RawCapability[] {
  const shortLength = reader.u8();
  // RFC 9072 section 2: 255 as the first parameter's type; the length before it may be any but 0.
  const isExtended = shortLength !== 0 && reader.bytes[reader.offset] === EXTENDED && reader.remaining > 0;
  if (isExtended) reader.skip(1);
  const parameters = reader.sub(isExtended ? reader.u16be() : shortLength);
  reader.finish();
  const out: RawCapability[] = [];
  while (parameters.remaining > 0) {
    const at = parameters.offset;
    const type = parameters.u8();
    const value = parameters.sub(isExtended ? parameters.u16be() : parameters.u8());
    if (type !== CAPABILITIES)
      throw new MessageError(ERROR.open, OPEN_ERROR.optionalParameter, `optional parameter ${type}`, at);
    while (value.remaining > 0) out.push({ code: value.u8(), value: value.copy(value.u8()) });
  }
  return out;
}

/** The body of an OPEN. Throws RangeError for values that do not fit. */
export function encodeOpen(open: Open): Uint8Array {
  const writer = new Writer(128);
  writer.u8(VERSION);
  writer.u16be(open.asn > 0xffff ? AS_TRANS : open.asn);
  writer.u16be(open.holdTimeSec);
  writer.u32be(open.routerId);
  const value = encodeRaw(writeCapabilities(open.capabilities));
  const shortBytes = value.length + 2;
  if (value.length === 0) {
    writer.u8(0);
  } else if (shortBytes < MAX_SHORT_BYTES) {
    writer.u8(shortBytes);
    writer.u8(CAPABILITIES);
    writer.u8(value.length);
  } else {
    writer.u8(EXTENDED);
    writer.u8(EXTENDED);
    writer.u16be(value.length + 3);
    writer.u8(CAPABILITIES);
    writer.u16be(value.length);
  }
  writer.raw(value);
  return writer.finish();
}

function encodeRaw(rows: readonly RawCapability[]): Uint8Array {
  const writer = new Writer(128);
  for (const { code, value } of rows) {
    writer.u8(code);
    writer.u8(value.length);
    writer.raw(value);
  }
  return writer.finish();
}
