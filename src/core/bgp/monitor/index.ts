/** What others are told of our sessions and tables: MRT files and BMP stations. */
export {
  type BmpEnd,
  type BmpPeer,
  encodeInitiation,
  encodePeerDown,
  encodePeerUp,
  encodeRouteMonitoring,
  encodeStatistics,
  encodeTermination,
} from './bmp.ts';
export {
  encodeHeardMessage,
  encodePeerIndex,
  encodeStateChange,
  encodeTableEntry,
  type MrtPeer,
  type MrtRoute,
  type MrtSession,
} from './mrt.ts';
