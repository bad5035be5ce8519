/**
 * One agent in a network namespace, for each network the host is a node of: two would undo each other's work. Held by an abstract unix socket, of which each network
 * namespace has its own, and which the kernel frees with the process, however it ends.
 */
import { createServer } from 'node:net';

const NAME = '\0poplin-agent';

/** `network`: the host's number of it. */
function nameFor(network: number): string {
  return network === 0 ? NAME : `${NAME}-${network}`;
}

/** Rejects, saying so, if another agent runs here for the same network. */
export async function lockNode(network = 0): Promise<AsyncDisposable> {
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
    server.listen(nameFor(network), resolve);
  });
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
