/** BGP's sockets: connections with signatures and hop limits, in any namespace, and sessions that run on them. */
export { BgpEndpoint, type EndpointOptions, type Neighbour } from './endpoint.ts';
export { type SessionReport, SessionRunner, type SessionRunnerOptions } from './session-runner.ts';
export { type DialHandlers, type DialOptions, dial } from './tcp-dial.ts';
export { gtsmHops, type HopLimits } from './tcp-options.ts';
export { TcpStream } from './tcp-stream.ts';
