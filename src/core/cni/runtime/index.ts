export {
  type CachedAttachment,
  CNI_CACHE_DIR,
  cachePath,
  decodeCachedAttachment,
  encodeCachedAttachment,
} from './cache.ts';
export { executePlugin, type PluginRequest } from './execute.ts';
export { type NetworkList, parseNetworkList, parsePluginConf, withPlugins } from './network-list.ts';
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
