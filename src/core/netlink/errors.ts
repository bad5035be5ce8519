/**
 * What the kernel answers with: errno values by number, name and text, and NLMSG_ERROR with its extended acknowledgement
 * (linux/netlink.h, enum nlmsgerr_attrs). Exceptions are made of it elsewhere.
 */
import { DecodeError, i32, Reader, rest, struct, text, u16, u32, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributes } from './attribute.ts';
import { HEADER_BYTES, messageHeader, NLMSG } from './message.ts';

/** Linux errno values that netlink families and /proc/sys answer with: number and text by name. */
const ERRNOS: Readonly<Record<string, readonly [number, string]>> = {
  EPERM: [1, 'operation not permitted'],
  ENOENT: [2, 'no such object'],
  ESRCH: [3, 'no such entry'],
  EINTR: [4, 'interrupted'],
  EIO: [5, 'input/output error'],
  ENXIO: [6, 'no such device or address'],
  E2BIG: [7, 'message too big'],
  EBADF: [9, 'bad file descriptor'],
  EAGAIN: [11, 'try again'],
  ENOMEM: [12, 'out of memory'],
  EACCES: [13, 'permission denied'],
  EFAULT: [14, 'bad address'],
  EBUSY: [16, 'device or resource busy'],
  EEXIST: [17, 'exists already'],
  EXDEV: [18, 'in another namespace or device'],
  ENODEV: [19, 'no such device'],
  ENOTDIR: [20, 'not a directory'],
  EISDIR: [21, 'is a directory'],
  EINVAL: [22, 'invalid argument'],
  ENFILE: [23, 'too many open files in the system'],
  EMFILE: [24, 'too many open files'],
  EFBIG: [27, 'too large'],
  ENOSPC: [28, 'no space left'],
  EROFS: [30, 'read-only file system'],
  EMLINK: [31, 'too many links'],
  EDOM: [33, 'argument out of domain'],
  ERANGE: [34, 'out of range'],
  ENAMETOOLONG: [36, 'name too long'],
  ENOSYS: [38, 'not implemented by this kernel'],
  ENOTEMPTY: [39, 'not empty'],
  ELOOP: [40, 'too many levels, or a loop'],
  ENOMSG: [42, 'no message of the desired type'],
  ENODATA: [61, 'no data available'],
  EPROTO: [71, 'protocol error'],
  EBADMSG: [74, 'bad message'],
  EOVERFLOW: [75, 'value too large'],
  EMSGSIZE: [90, 'message too long'],
  EPROTONOSUPPORT: [93, 'protocol not supported'],
  EOPNOTSUPP: [95, 'operation not supported'],
  EPFNOSUPPORT: [96, 'protocol family not supported'],
  EAFNOSUPPORT: [97, 'address family not supported'],
  EADDRINUSE: [98, 'address in use'],
  EADDRNOTAVAIL: [99, 'address not available'],
  ENETDOWN: [100, 'network is down'],
  ENETUNREACH: [101, 'network unreachable'],
  ECONNREFUSED: [111, 'connection refused'],
  ENOBUFS: [105, 'no buffer space left'],
  EISCONN: [106, 'connected already'],
  ENOTCONN: [107, 'not connected'],
  ETIMEDOUT: [110, 'timed out'],
  EHOSTUNREACH: [113, 'host unreachable'],
  EALREADY: [114, 'in progress already'],
  ESTALE: [116, 'stale handle'],
  EDQUOT: [122, 'quota exceeded'],
  ENOTSUPP: [524, 'operation not supported'],
};

const namesByNumber = new Map(Object.entries(ERRNOS).map(([name, [number]]) => [number, name]));

/** `EEXIST` for 17 or -17; `errno 999` for a number without a name. */
export function errnoName(errno: number): string {
  return namesByNumber.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;
}

/** The positive number of a name, or undefined. */
export function errnoNumber(name: string): number | undefined {
  return Object.hasOwn(ERRNOS, name) ? ERRNOS[name]?.[0] : undefined;
}

/** What an errno's name means: `no such device` for ENODEV; of a name that is not known, the name. */
export function errnoText(name: string): string {
  return (Object.hasOwn(ERRNOS, name) ? ERRNOS[name]?.[1] : undefined) ?? name;
}

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

/** What one NLMSG_ERROR says. */
export interface KernelVerdict {
  /** Positive; 0 is success. */
  readonly errno: number;
  /** The request it answers. */
  readonly sequence: number;
  readonly acknowledgement: ExtendedAck;
}

/** Reads a whole NLMSG_ERROR message, whether it quotes the request wholly or its header alone. Throws DecodeError. */
export function decodeErrorMessage(message: Uint8Array): KernelVerdict {
  const reader = new Reader(message);
  const header = messageHeader.decode(reader);
  if (header.type !== NLMSG.ERROR)
    throw new DecodeError(`type ${header.type} is no error message`, 4, 'type');
  const error = reader.i32le();
  const quotedAt = reader.offset;
  const request = messageHeader.decode(reader);
  const hasAck = (header.flags & NLM_F_ACK_TLVS) !== 0;
  if ((header.flags & NLM_F_CAPPED) === 0 && hasAck) {
    if (request.length < HEADER_BYTES)
      throw new DecodeError(`quoted length ${request.length}`, quotedAt, 'request');
    reader.skip(((request.length + 3) & ~3) - HEADER_BYTES);
  }
  const acknowledgement = hasAck ? extendedAck.decode(reader) : {};
  return { errno: Math.abs(error), sequence: request.sequence, acknowledgement };
}
