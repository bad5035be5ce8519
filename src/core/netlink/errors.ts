/**
 * How the kernel ends an answer: NLMSG_ERROR and NLMSG_DONE with their extended acknowledgement (linux/netlink.h, enum
 * nlmsgerr_attrs). Exceptions are made of it elsewhere.
 */
import {
  DecodeError,
  i32,
  isDecodeError,
  Reader,
  rest,
  struct,
  text,
  u16,
  u32,
  type ValueOf,
} from '#core/codec/index.ts';
import { attribute, attributes } from './attribute.ts';
import { HEADER_BYTES, messageHeader, NLMSG } from './message.ts';

// #define NLM_F_CAPPED 0x100, NLM_F_ACK_TLVS 0x200: flags of error messages
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

export const extendedAck = attributes({
  message: attribute(1, text),
  /** Byte offset of the offending attribute, counted from the header of the request. */
  offset: attribute(2, u32),
  cookie: attribute(3, rest),
  policy: attribute(4, rest),
  missingType: attribute(5, u32),
  missingNest: attribute(6, u32),
});
export type ExtendedAck = ValueOf<typeof extendedAck>;

/** The payload of NLMSG_ERROR as it is with NETLINK_CAP_ACK set: of the request only its header is quoted. */
export const cappedErrorMessage = struct({
  /** 0 for an acknowledgement, else a negative errno. */
  error: i32,
  request: struct({ length: u32, type: u16, flags: u16, sequence: u32, portId: u32 }),
  acknowledgement: extendedAck,
});

/** Whether a request was carried out. */
export interface KernelVerdict {
  /** Positive; 0 is success. */
  readonly errno: number;
  readonly acknowledgement: ExtendedAck;
}

/**
 * Reads a whole NLMSG_ERROR, whether it quotes the request wholly or its header alone, or the NLMSG_DONE of a dump (which carries
 * an errno since Linux 4.20). Throws DecodeError.
 */
export function decodeVerdict(message: Uint8Array): KernelVerdict {
  const reader = new Reader(message);
  const { type, flags } = messageHeader.decode(reader);
  if (type !== NLMSG.ERROR && type !== NLMSG.DONE)
    throw new DecodeError(`type ${type} ends no answer`, 4, 'type');
  if (type === NLMSG.DONE && reader.remaining < 4) return { errno: 0, acknowledgement: {} };
  const errno = Math.max(0, -reader.i32le());
  if (type === NLMSG.ERROR) skipRequest(reader, flags);
  return { errno, acknowledgement: (flags & NLM_F_ACK_TLVS) === 0 ? {} : readAcknowledgement(reader) };
}

function skipRequest(reader: Reader, flags: number): void {
  const quotedAt = reader.offset;
  const { length } = messageHeader.decode(reader);
  if ((flags & NLM_F_CAPPED) !== 0 || (flags & NLM_F_ACK_TLVS) === 0) return;
  if (length < HEADER_BYTES) throw new DecodeError(`quoted length ${length}`, quotedAt, 'request');
  reader.skip(((length + 3) & ~3) - HEADER_BYTES);
}

/** What explains a refusal must not hide it: an acknowledgement that cannot be read is left out. */
function readAcknowledgement(reader: Reader): ExtendedAck {
  try {
    return extendedAck.decode(reader);
  } catch (error) {
    if (isDecodeError(error)) return {};
    throw error;
  }
}
