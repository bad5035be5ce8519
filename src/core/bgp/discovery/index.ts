/** How the two routers of a link find each other without being told an address: router discovery (RFC 4861), and nothing else of it. */
export {
  type DiscoveryAction,
  type DiscoveryEvent,
  type DiscoveryState,
  type DiscoveryTimer,
  NEW_DISCOVERY,
  stepDiscovery,
} from './discovery.ts';
export {
  advertisementCodec,
  type DiscoveryMessage,
  decodeDiscovery,
  encodeDiscovery,
  ROUTER_ADVERTISEMENT,
  ROUTER_SOLICITATION,
  solicitationCodec,
} from './message.ts';
