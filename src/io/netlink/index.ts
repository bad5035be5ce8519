export {
  NETLINK_GENERIC,
  NETLINK_NETFILTER,
  NETLINK_ROUTE,
  type NetlinkProtocol,
} from './descriptor.ts';
export {
  isDumpInterrupted,
  isExist,
  isNetlinkError,
  isNotFound,
  isOverrun,
  isUnreachable,
  NetlinkError,
  type NetlinkErrorParts,
} from './error.ts';
export type { MessageFailure } from './frame.ts';
export { NetlinkMonitor, type NetlinkMonitorOptions } from './monitor.ts';
export {
  type NftBatchOptions,
  type NftBatchOutcome,
  nftBatch,
  nftBatchSync,
  nftGeneration,
} from './nft-batch.ts';
export type { TransactOptions } from './operation.ts';
export { NetlinkSocket, type NetlinkSocketOptions } from './socket.ts';
export type { NetlinkExchange, NetlinkTransport } from './transport.ts';
