export { type Allocation, type AllocationInput, allocate, countFree } from './allocate.ts';
export {
  checkRangeSets,
  HOST_LOCAL_DATA_DIR,
  type HostLocalConfig,
  hostLocalPlace,
  parseHostLocalConfig,
} from './config.ts';
export { addHostLocal, checkHostLocal, statusHostLocal } from './operations.ts';
export { type AddressRange, type RangeSet, rangeOf, rangeSetText } from './range.ts';
export { parseResolvConf } from './resolv-conf.ts';
