/** Link-layer addresses as netlink carries them: any length, 6 bytes for Ethernet, 4 for ipip, 16 for ip6tnl, none for tun. */
import type { MacAddress } from '#base/ip/index.ts';
import { type Codec, DecodeError } from '#core/codec/index.ts';

/** MAX_ADDR_LEN of linux/netdevice.h. */
const MAX_BYTES = 32;
const COLON = 0x3a;

/** Lower-case hexadecimal bytes with colons, filling what is left; a MAC address if there are six. */
export const linkLayerAddress: Codec<MacAddress> = {
  shape: { of: 'mac' },
  decode: (reader) => {
    const at = reader.offset;
    const { bytes, end, remaining } = reader;
    if (remaining > MAX_BYTES) throw new DecodeError(`${remaining} bytes are no link-layer address`, at);
    reader.skip(remaining);
    return formatBytes(bytes, at, end);
  },
  encode: (writer, value) => {
    const parsed = parseBytes(value);
    if (parsed === undefined) throw new RangeError(`not a link-layer address: "${value}"`);
    writer.raw(parsed);
  },
};

/** By character codes, which gives one flat string: thousands of these are kept. */
function formatBytes(bytes: Uint8Array, from: number, end: number): string {
  const codes: number[] = [];
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (at > from) codes.push(COLON);
    codes.push(digitCode(byte >> 4), digitCode(byte & 15));
  }
  return String.fromCharCode(...codes);
}

function digitCode(digit: number): number {
  return digit < 10 ? 0x30 + digit : 0x57 + digit;
}

function parseBytes(text: string): Uint8Array | undefined {
  const count = text === '' ? 0 : (text.length + 1) / 3;
  if (!Number.isInteger(count) || count > MAX_BYTES) return undefined;
  const out = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const high = hexDigit(text.charCodeAt(i * 3));
    const low = hexDigit(text.charCodeAt(i * 3 + 1));
    if (high < 0 || low < 0 || (i > 0 && text.charCodeAt(i * 3 - 1) !== COLON)) return undefined;
    out[i] = high * 16 + low;
  }
  return out;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
