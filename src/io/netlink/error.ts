/** Errors of netlink requests: errno, the kernel's own words, and what was being done. */
import { errnoName, errnoText } from '#core/netlink/index.ts';

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
    const code = errnoName(parts.errno);
    const reason = parts.dumpInterrupted ? 'the dump was disturbed by changes on every try' : errnoText(code);
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

/** What the kernel says of an object that is not there. */
export const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'ENODEV', 'ENXIO', 'EADDRNOTAVAIL']);

/** Any error of a netlink request. */
export function isNetlinkError(error: unknown): error is NetlinkError {
  return error instanceof NetlinkError;
}

/** EEXIST. */
export function isExist(error: unknown): error is NetlinkError {
  return hasCode(error, 'EEXIST');
}

/** The object is not there: ENOENT, ESRCH, ENODEV, ENXIO or EADDRNOTAVAIL. */
export function isNotFound(error: unknown): error is NetlinkError {
  return isNetlinkError(error) && ABSENT.has(error.code);
}

/** A route lookup that found no way. */
export function isUnreachable(error: unknown): error is NetlinkError {
  return hasCode(error, 'ENETUNREACH', 'EHOSTUNREACH', 'ESRCH', 'EACCES');
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
