/** nf_tables transactions: messages between BATCH_BEGIN and BATCH_END in one send, all of them or none. */
import type { MessageFailure } from './frame.ts';
import type { NetlinkSocket } from './socket.ts';

export interface NftBatchOptions {
  /** The generation the batch was computed for; if the kernel's is another, nothing is done and the one failure is ERESTART, index -1. */
  readonly generation?: number;
}

export interface NftBatchOutcome {
  /** Empty if the batch was committed; else nothing was changed. */
  readonly failures: MessageFailure[];
  /** Echoes of messages that carried NLM_F_ECHO: they hold the handles the kernel gave. */
  readonly replies: Uint8Array[];
}

/** Runs one batch. `messages` are complete NFNL_SUBSYS_NFTABLES messages. Throws NetlinkError if the send itself fails. */
export function nftBatchSync(
  socket: NetlinkSocket,
  messages: readonly Uint8Array[],
  options?: NftBatchOptions,
): NftBatchOutcome {
  throw new Error(`not written yet: ${socket} ${messages.length} ${options}`);
}

/** nftBatchSync on the thread pool. */
export function nftBatch(
  socket: NetlinkSocket,
  messages: readonly Uint8Array[],
  options?: NftBatchOptions,
): Promise<NftBatchOutcome> {
  throw new Error(`not written yet: ${socket} ${messages.length} ${options}`);
}

/** The ruleset generation of the socket's namespace; it changes with every commit. */
export function nftGeneration(socket: NetlinkSocket): number {
  throw new Error(`not written yet: ${socket}`);
}
