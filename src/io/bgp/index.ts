/** BGP's sockets: connections with signatures and hop limits, in any namespace, and sessions that run on them; BFD's beside them. */
export { BfdEndpoint, type BfdEndpointOptions, type BfdHandle, type BfdPeer } from './bfd-endpoint.ts';
export { BgpEndpoint, type EndpointOptions, type Neighbour } from './endpoint.ts';
export { type LinkState, LinkStates } from './link-states.ts';
export { type MessageCount, MessageCounts } from './message-counts.ts';
export { RouterDiscovery, type RouterDiscoveryOptions } from './router-discovery.ts';
export { type SessionReport, SessionRunner, type SessionRunnerOptions } from './session-runner.ts';
export { gtsmHops, type HopLimits } from './socket-options.ts';
export { type DialHandlers, type DialOptions, dial } from './tcp-dial.ts';
export { TcpStream } from './tcp-stream.ts';
export type { Talk } from './transcript.ts';
