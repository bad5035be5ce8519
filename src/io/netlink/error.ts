/** Errors of netlink requests: errno, the kernel's own words, and what was being done. */

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
  readonly sequence: number;
  readonly dumpInterrupted: boolean;
  constructor(parts: NetlinkErrorParts) {
    super(parts.operation);
    this.operation = parts.operation;
    this.errno = parts.errno;
    this.code = '';
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
export function isExist(error: unknown): boolean {
  return isNetlinkError(error);
}
/** The object is not there: ENOENT, ESRCH, ENODEV, ENXIO or EADDRNOTAVAIL. */
export function isNotFound(error: unknown): boolean {
  return isNetlinkError(error);
}
/** EADDRNOTAVAIL alone: the address is not on the link. */
export function isAddressGone(error: unknown): boolean {
  return isNetlinkError(error);
}
/** EBUSY or EAGAIN. */
export function isBusy(error: unknown): boolean {
  return isNetlinkError(error);
}
/** EINVAL or ERANGE. */
export function isInvalid(error: unknown): boolean {
  return isNetlinkError(error);
}
/** EOPNOTSUPP, EPROTONOSUPPORT or EAFNOSUPPORT. */
export function isNotSupported(error: unknown): boolean {
  return isNetlinkError(error);
}
/** EPERM or EACCES. */
export function isPermission(error: unknown): boolean {
  return isNetlinkError(error);
}
/** Answers were lost for want of receive buffer (ENOBUFS): what the kernel did is unknown until it is dumped. */
export function isOverrun(error: unknown): boolean {
  return isNetlinkError(error);
}
/** A dump was disturbed by changes on every try. */
export function isDumpInterrupted(error: unknown): boolean {
  return isNetlinkError(error);
}
