/** What others are told of our sessions and tables: MRT files and BMP stations. */
export {
  type BmpEnd,
  encodeInitiation,
  encodePeerDown,
  encodePeerUp,
  encodeRouteMonitoring,
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
export {
  type MonitoredSession,
  type MonitoredSide,
  peerDown,
  peerUp,
  statistics,
  toldNews,
  toldSwept,
  toldTable,
} from './told.ts';
