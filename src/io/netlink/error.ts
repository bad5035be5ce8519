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

/** Errnos that Node does not name, names by a synonym, or words for sockets. */
const OWN_WORDS: ReadonlyMap<number, readonly [code: string, text: string]> = new Map([
  [11, ['EAGAIN', 'resource temporarily unavailable']],
  [76, ['ENOTUNIQ', 'name not unique on network']],
  [85, ['ERESTART', 'interrupted by another change']],
  [95, ['EOPNOTSUPP', 'operation not supported']],
  [524, ['ENOTSUPP', 'operation not supported']],
]);

const CODES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([code, errno]) => [errno, code]),
);

/** The name of a positive errno, `EEXIST`; `E<number>` if nobody knows it. */
export function errnoCode(errno: number): string {
  const named = OWN_WORDS.get(errno) ?? getSystemErrorMap().get(-errno);
  return named?.[0] ?? CODES.get(errno) ?? `E${errno}`;
}

function errnoText(errno: number): string {
  const worded = OWN_WORDS.get(errno) ?? getSystemErrorMap().get(-errno);
  return worded?.[1] ?? 'refused by the kernel';
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

function hasCode(error: unknown, ...codes: string[]): error is NetlinkError {
  return isNetlinkError(error) && codes.includes(error.code);
}
