/** DHCP for IPv4, the client's side: messages, leases and the client as a state machine (RFC 2131, 2132, 3396, 3397, 3442). */
export { newDhcpClient, stepDhcp } from './client.ts';
export type {
  DhcpAction,
  DhcpClientConfig,
  DhcpEvent,
  DhcpPhase,
  DhcpState,
  DhcpStep,
} from './client-types.ts';
export { CLIENT_PORT, type DhcpDatagram, decodeDatagram, encodeDatagram } from './datagram.ts';
export { type DhcpLease, leasedAddress } from './lease.ts';
export { type DhcpMessage, decodeMessage, encodeMessage } from './message.ts';
export type { DhcpOptions } from './option-area.ts';
export { OPTION } from './options.ts';
export type { DhcpRoute } from './routes.ts';
