/** Who is at the other end of a unix socket, as the kernel knows it. */
import type { Server, Socket } from 'node:net';
import { nativeAddon } from '#io/native/index.ts';

const SOL_SOCKET = 1;
/** struct ucred: pid, uid, gid. */
const SO_PEERCRED = 17;

/** The user's number. */
export function peerUser(socket: Socket): number {
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const credentials = nativeAddon().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, 12);
  return new DataView(credentials.buffer, credentials.byteOffset).getUint32(4, true);
}

/** Connections of others than root and the user of this process are closed, whatever the mode of the socket's file. */
export function onlyForOwnUser(server: Server): void {
  server.on('connection', (socket: Socket) => {
    const user = peerUser(socket);
    if (user !== 0 && user !== process.geteuid?.()) socket.destroy();
  });
}
