export { DhcpSocket, type ReceivedMessage } from './socket.ts';
