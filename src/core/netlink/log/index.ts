/** The kernel's log of packets (nfnetlink_log), and the headers of what is logged. */
export {
  bindLogRequest,
  decodeLoggedPacket,
  type LoggedPacket,
  type LogListener,
  unbindLogRequest,
} from './listener.ts';
export { LOG_MESSAGE, logConfigMessage, logPacketMessage } from './message.ts';
export { decodePacketFlow, decodeUdpPayload, type PacketFlow } from './packet.ts';
