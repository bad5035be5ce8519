export { FLANNEL_TYPE, parseFlannelConfig, parseFlannelPlaces, savedPath } from './config.ts';
export {
  type DelegateConfig,
  delegateOfCall,
  parseSavedDelegate,
  planDelegate,
  planUnsavedDelegate,
  type SubnetFacts,
} from './delegate.ts';
