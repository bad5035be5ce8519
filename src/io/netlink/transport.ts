/** The port under NetlinkSocket: one request out, all its answers back. The real one is a kernel socket; tests may put in their own. */

/** What one exchange brought. Errnos are positive, 0 for none. */
export interface NetlinkExchange {
  readonly sendErrno: number;
  readonly receiveErrno: number;
  /** Answers are missing: the receive buffer ran over or a datagram did not fit. */
  readonly lost: boolean;
  /** The netlink messages of all datagrams, in order, each with its header. */
  readonly messages: Uint8Array[];
}

export interface NetlinkTransport {
  /** Sends and receives on the calling thread. The kernel answers inside the send, so nothing waits. */
  exchange(request: Uint8Array): NetlinkExchange;
  /** The same on the thread pool. */
  exchangeAsync(request: Uint8Array): Promise<NetlinkExchange>;
}
