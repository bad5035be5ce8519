export {
  type CachedAttachment,
  CNI_CACHE_DIR,
  cachePath,
  decodeCachedAttachment,
  decodeCachedResult,
  encodeCachedAttachment,
} from './cache.ts';
export { type LoadedFolder, type LoadedNetwork, loadFolder, loadNetwork } from './config-folder.ts';
export { executePlugin, type PluginRequest } from './execute.ts';
export {
  encodeNetworkList,
  type NetworkList,
  parseNetworkList,
  parsePluginConf,
  withPlugins,
} from './network-list.ts';
export {
  type AttachmentWish,
  NetworkRuntime,
  type NetworkRuntimeOptions,
  type PluginVersions,
} from './runtime.ts';
export {
  type AttachmentParameters,
  addNetwork,
  checkNetwork,
  delNetwork,
  type PluginStep,
  planNetworkAdd,
  planNetworkCheck,
  planNetworkDel,
  planNetworkGc,
  planNetworkStatus,
} from './sequence.ts';
