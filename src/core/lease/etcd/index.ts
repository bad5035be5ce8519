export type { EtcdProblem, EtcdProblemCode } from './census.ts';
export {
  DEFAULT_ETCD_PREFIX,
  type EtcdLayout,
  etcdLayout,
  pairsOverlap,
  readSubnetKey,
  type SubnetPair,
  subnetKey,
} from './layout.ts';
export { type EtcdListing, listRange } from './list.ts';
export { stepEtcdLease } from './machine.ts';
export { type EtcdLeaseOptions, initialEtcdLease } from './machine-state.ts';
export type { EtcdLeaseAction, EtcdLeaseEvent, EtcdLeaseState, EtcdLeaseStep } from './machine-types.ts';
export {
  type EtcdCallOptions,
  type EtcdClient,
  type EtcdCompare,
  EtcdError,
  type EtcdEvent,
  type EtcdFailure,
  type EtcdKeyValue,
  type EtcdOp,
  type EtcdRange,
  type EtcdTxn,
  isEtcdError,
  isOutOfHistory,
  type LeaseGrant,
  type RangeAnswer,
  type RangeRequest,
  type TxnAnswer,
  type WatchBatch,
  type WatchRequest,
} from './ports.ts';
export {
  type EtcdIdentity,
  entriesOf,
  isReserved,
  readStored,
  recordOf,
  type StoredReading,
  type StoredSubnet,
} from './stored.ts';
export { readSubnetValue, type SubnetValue, writeSubnetValue } from './value.ts';
