/**
 * One agent in a network namespace: two would undo each other's work. Held by an abstract unix socket, of which each network
 * namespace has its own, and which the kernel frees with the process, however it ends.
 */
import { createServer } from 'node:net';

const NAME = '\0poplin-agent';

/** Rejects, saying so, if another agent runs here. */
export async function lockNode(): Promise<AsyncDisposable> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(
        taken
          ? new Error('another poplin agent runs in this network namespace: stop it first', { cause: error })
          : error,
      );
    });
    server.listen(NAME, resolve);
  });
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
