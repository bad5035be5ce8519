/**
 * The agent's door for plugins: a unix socket that only root (or the agent's own user) may use, checked by file mode and by peer
 * credentials. One request, one answer, then the connection ends.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { DecodeError } from '#core/codec/index.ts';
import { peerUser, SocketFile } from '#io/files/index.ts';
import {
  decodeRequest,
  encodeReply,
  MAX_REQUEST_BYTES,
  type PluginAnswer,
  type PluginCall,
  requestLength,
} from './frame.ts';

const REQUEST_TIMEOUT_MS = 10_000;

export interface CniServerOptions {
  readonly path: string;
  /** Answers one call; must not reject. */
  readonly handle: (call: PluginCall) => Promise<PluginAnswer>;
  /** Told of connections that were refused or spoke nonsense. */
  readonly onRefused: (reason: string) => void;
}

export class CniServer implements AsyncDisposable {
  private readonly server: Server;
  private readonly file: SocketFile;

  private constructor(server: Server, file: SocketFile) {
    this.server = server;
    this.file = file;
  }

  /** Listens; a socket file left by a dead agent is replaced. Rejects with the system's error. */
  static async listen(options: CniServerOptions): Promise<CniServer> {
    const server = createServer({ allowHalfOpen: true }, (socket) => serve(socket, options));
    return new CniServer(server, await SocketFile.listen(server, options.path));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.file.remove();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

function serve(socket: Socket, options: CniServerOptions): void {
  const refuse = (reason: string) => {
    options.onRefused(reason);
    socket.destroy();
  };
  const uid = peerUser(socket);
  if (uid !== 0 && uid !== process.geteuid?.()) return refuse(`user ${uid} may not attach pods`);
  const chunks: Uint8Array[] = [];
  let received = 0;
  // Whoever sends a byte now and then gets no longer than who sends none.
  const deadline = setTimeout(() => refuse('no whole request in time'), REQUEST_TIMEOUT_MS);
  socket.on('close', () => clearTimeout(deadline));
  socket.on('error', () => socket.destroy());
  socket.on('end', () => refuse(`request ended after ${received} bytes`));
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    received += chunk.length;
    if (received > MAX_REQUEST_BYTES) return refuse(`request of more than ${MAX_REQUEST_BYTES} bytes`);
    try {
      const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
      const length = requestLength(bytes);
      if (length === undefined || received < length) return undefined;
      const call = decodeRequest(bytes);
      socket.removeAllListeners('data').removeAllListeners('end');
      clearTimeout(deadline);
      socket.resume();
      return void options.handle(call).then((answer) => socket.end(encodeReply(answer)));
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return refuse(error.message);
    }
  });
}
