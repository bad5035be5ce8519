/** The 16-byte netlink header and the error message with its extended acknowledgement; nothing of any protocol above. Host byte order. */

/** One message of a transaction that the kernel refused. */
export interface MessageFailure {
  /** Index into the messages as given; -1 if the transaction failed as a whole (at commit, or by its framing). */
  readonly index: number;
  /** Positive errno. */
  readonly errno: number;
  /** Its name, 'EEXIST'. */
  readonly code: string;
  /** The kernel's text, where it gave one. */
  readonly message?: string;
  /** Byte offset of the offending attribute from the message's header, where the kernel gave one. */
  readonly offset?: number;
}
