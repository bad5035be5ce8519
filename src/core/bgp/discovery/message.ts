/** Router solicitations and advertisements (RFC 4861 sections 4.1 and 4.2), as far as routers on a link find each other by them. */
import {
  type Codec,
  DecodeError,
  decodeAll,
  encodeAll,
  struct,
  u8,
  u16be,
  u32be,
} from '#core/codec/index.ts';

export const ROUTER_SOLICITATION = 133;
export const ROUTER_ADVERTISEMENT = 134;

export type DiscoveryMessage = 'solicitation' | 'advertisement';

const HEADER_BYTES = { [ROUTER_SOLICITATION]: 8, [ROUTER_ADVERTISEMENT]: 16 } as const;
/** An option's length counts these. */
const OPTION_UNIT_BYTES = 8;

interface Solicitation {
  readonly type: number;
  readonly code: number;
  readonly checksum: number;
  readonly reserved: number;
}

export const solicitationCodec: Codec<Solicitation> = struct({
  type: u8,
  code: u8,
  checksum: u16be,
  reserved: u32be,
});

interface Advertisement {
  readonly type: number;
  readonly code: number;
  readonly checksum: number;
  readonly hopLimit: number;
  readonly flags: number;
  readonly lifetimeSec: number;
  readonly reachableMs: number;
  readonly retransmitMs: number;
}

export const advertisementCodec: Codec<Advertisement> = struct({
  type: u8,
  code: u8,
  checksum: u16be,
  hopLimit: u8,
  flags: u8,
  lifetimeSec: u16be,
  reachableMs: u32be,
  retransmitMs: u32be,
});

/** Throws DecodeError for what RFC 4861 sections 6.1.1 and 6.1.2 have discarded; the hop limit and the source are not among the bytes. */
export function decodeDiscovery(bytes: Uint8Array): DiscoveryMessage {
  const [type] = bytes;
  if (type !== ROUTER_SOLICITATION && type !== ROUTER_ADVERTISEMENT)
    throw new DecodeError(`type ${type ?? 'missing'}`, 0, 'type');
  const end = HEADER_BYTES[type];
  const codec: Codec<Solicitation | Advertisement> =
    type === ROUTER_SOLICITATION ? solicitationCodec : advertisementCodec;
  const { code } = decodeAll(codec, bytes.subarray(0, end));
  if (code !== 0) throw new DecodeError(`code ${code}`, 1, 'code');
  checkOptions(bytes, end);
  return type === ROUTER_SOLICITATION ? 'solicitation' : 'advertisement';
}

/** The checksum is left to the kernel. */
export function encodeDiscovery(message: DiscoveryMessage): Uint8Array {
  const head = { code: 0, checksum: 0 };
  if (message === 'solicitation')
    return encodeAll(solicitationCodec, { ...head, type: ROUTER_SOLICITATION, reserved: 0 });
  // RFC 4861 section 4.2: a lifetime of 0 is a router that nobody is to send by without a route that says so; zeros elsewhere say nothing.
  const silent = { hopLimit: 0, flags: 0, lifetimeSec: 0, reachableMs: 0, retransmitMs: 0 };
  return encodeAll(advertisementCodec, { ...head, ...silent, type: ROUTER_ADVERTISEMENT });
}

// RFC 4861 section 6.1.2: all options have a length that is more than zero.
function checkOptions(bytes: Uint8Array, start: number): void {
  for (let at = start; at < bytes.length; ) {
    const length = (bytes[at + 1] ?? 0) * OPTION_UNIT_BYTES;
    if (length === 0 || at + length > bytes.length)
      throw new DecodeError(`an option of ${length} bytes`, at, 'options');
    at += length;
  }
}
