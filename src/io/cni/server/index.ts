export {
  CNI_FRAMES,
  decodeReply,
  decodeRequest,
  encodeReply,
  encodeRequest,
  type PluginAnswer,
  type PluginCall,
} from './frame.ts';
export { CniServer, type CniServerOptions } from './server.ts';
