export { FLANNEL_TYPE, parseFlannelConfig, parseFlannelPlaces } from './config.ts';
export {
  type DelegateConfig,
  delegateOfCall,
  planDelegate,
  planUnsavedDelegate,
  type SubnetFacts,
} from './delegate.ts';
export {
  encodeSavedDelegate,
  parseSavedDelegate,
  parseSavedName,
  type SavedFor,
  type SavedPaths,
  savedPaths,
  USUAL_INTERFACE,
} from './saved.ts';
