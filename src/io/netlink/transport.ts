/** The port under NetlinkSocket: one request out, all its answers back. KernelTransport is the real one; tests may bring their own. */

/** What one exchange brought. Errnos are positive, 0 for none. */
export interface NetlinkExchange {
  /** If not 0 the kernel took nothing. */
  readonly sendErrno: number;
  readonly receiveErrno: number;
  /** Answers are missing: the receive buffer ran over or a datagram did not fit. */
  readonly lost: boolean;
  /** The netlink messages of all datagrams, in order, each with its header. */
  readonly messages: readonly Uint8Array[];
}

export interface NetlinkTransport {
  /** The most answers to one request that are sure to fit the receive buffer. */
  readonly answersMax: number;
  /** The largest request that fits one send, in bytes, after trying to make the buffer fit `wantedBytes`. */
  sendBytesMax(wantedBytes: number): number;
  /** Sends and receives on the calling thread. The kernel answers inside the send, so nothing waits. */
  exchange(request: Uint8Array): NetlinkExchange;
  /** The same on the thread pool; called again only after the promise is settled. */
  exchangeAsync(request: Uint8Array): Promise<NetlinkExchange>;
  /** Called once, when no exchange is under way and none will follow. */
  close(): void;
}
