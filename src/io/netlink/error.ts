/** Errors of netlink requests: errno, the kernel's own words, and what was being done. */
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

export interface NetlinkErrorParts {
  /** What was being done, in the caller's words: `route 10.1.0.0/24 via 10.0.0.2`. */
  readonly operation: string;
  /** Positive errno. */
  readonly errno: number;
  readonly extAck?: string;
  readonly offset?: number;
  readonly sequence?: number;
  /** Set if a dump stayed inconsistent after all retries. */
  readonly dumpInterrupted?: boolean;
}

/** Errnos that netlink uses and Node does not name. */
const OTHER_CODES: ReadonlyMap<number, readonly [code: string, text: string]> = new Map([
  [76, ['ENOTUNIQ', 'name not unique on network']],
  [85, ['ERESTART', 'interrupted by another change']],
  [98, ['EADDRINUSE', 'address already in use']],
  [524, ['ENOTSUPP', 'operation is not supported']],
]);

const CODES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([code, errno]) => [errno, code]),
);

/** The name of a positive errno, `EEXIST`; `E<number>` if nobody knows it. */
export function errnoCode(errno: number): string {
  // EAGAIN and EWOULDBLOCK, EOPNOTSUPP and ENOTSUP are one number each: libuv's name comes first, then ours.
  if (errno === 11) return 'EAGAIN';
  if (errno === 95) return 'EOPNOTSUPP';
  return (
    getSystemErrorMap().get(-errno)?.[0] ??
    OTHER_CODES.get(errno)?.[0] ??
    CODES.get(errno) ??
    `E${String(errno)}`
  );
}

function errnoText(errno: number): string {
  return getSystemErrorMap().get(-errno)?.[1] ?? OTHER_CODES.get(errno)?.[1] ?? 'refused by the kernel';
}

/** `route 10.1.0.0/24 via 10.0.0.2: no such device (ENODEV)`, followed by the kernel's text if there is one. */
export class NetlinkError extends Error {
  override readonly name = 'NetlinkError';
  readonly operation: string;
  readonly errno: number;
  /** The errno's name, 'EEXIST'. */
  readonly code: string;
  /** The kernel's extended acknowledgement text. */
  readonly extAck: string | undefined;
  /** Byte offset of the offending attribute, counted from the message's header. */
  readonly offset: number | undefined;
  /** Sequence number of the message refused; 0 if it was none in particular. */
  readonly sequence: number;
  readonly dumpInterrupted: boolean;

  constructor(parts: NetlinkErrorParts) {
    const code = errnoCode(parts.errno);
    const reason = parts.dumpInterrupted
      ? 'the dump was disturbed by changes on every try'
      : errnoText(parts.errno);
    const kernelText = parts.extAck === undefined ? '' : `: ${parts.extAck}`;
    super(`${parts.operation}: ${reason} (${code})${kernelText}`);
    this.operation = parts.operation;
    this.errno = parts.errno;
    this.code = code;
    this.extAck = parts.extAck;
    this.offset = parts.offset;
    this.sequence = parts.sequence ?? 0;
    this.dumpInterrupted = parts.dumpInterrupted ?? false;
  }
}

export function isNetlinkError(error: unknown): error is NetlinkError {
  return error instanceof NetlinkError;
}

/** EEXIST. */
export function isExist(error: unknown): error is NetlinkError {
  return hasCode(error, 'EEXIST');
}

/** The object is not there: ENOENT, ESRCH, ENODEV, ENXIO or EADDRNOTAVAIL. */
export function isNotFound(error: unknown): error is NetlinkError {
  return hasCode(error, 'ENOENT', 'ESRCH', 'ENODEV', 'ENXIO', 'EADDRNOTAVAIL');
}

/** EADDRNOTAVAIL alone: the address is not on the link. */
export function isAddressGone(error: unknown): error is NetlinkError {
  return hasCode(error, 'EADDRNOTAVAIL');
}

/** EBUSY or EAGAIN. */
export function isBusy(error: unknown): error is NetlinkError {
  return hasCode(error, 'EBUSY', 'EAGAIN');
}

/** EINVAL or ERANGE. */
export function isInvalid(error: unknown): error is NetlinkError {
  return hasCode(error, 'EINVAL', 'ERANGE');
}

/** EOPNOTSUPP, ENOTSUPP, EPROTONOSUPPORT or EAFNOSUPPORT. */
export function isNotSupported(error: unknown): error is NetlinkError {
  return hasCode(error, 'EOPNOTSUPP', 'ENOTSUPP', 'EPROTONOSUPPORT', 'EAFNOSUPPORT');
}

/** EPERM or EACCES. */
export function isPermission(error: unknown): error is NetlinkError {
  return hasCode(error, 'EPERM', 'EACCES');
}

/** Answers were lost for want of receive buffer (ENOBUFS): what the kernel did is unknown until it is dumped. */
export function isOverrun(error: unknown): error is NetlinkError {
  return hasCode(error, 'ENOBUFS');
}

/** A dump was disturbed by changes on every try. */
export function isDumpInterrupted(error: unknown): error is NetlinkError {
  return isNetlinkError(error) && error.dumpInterrupted;
}

/** Predicates apply to failures within a transaction too (MessageFailure), by their code. */
function hasCode(error: unknown, ...codes: string[]): error is NetlinkError {
  return isNetlinkError(error) && codes.includes(error.code);
}
