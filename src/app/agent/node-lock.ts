/**
 * One agent in a network namespace for each network the host is a node of: two would undo each other's work. A place is held by an
 * abstract unix socket, of which each network namespace has its own, and which the kernel frees with the process, however it ends.
 */
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';

const AGENT = '\0poplin-agent';
/** Of those that read the host's networks and write down what one uses. */
const NETWORKS = '\0poplin-networks';
const RETRY_MS = 10;

/** `number` and `name` are the host's of the network. Rejects, saying so, if another agent runs here for the same network. */
export async function lockNode(number = 0, name?: string): Promise<AsyncDisposable> {
  const lock = await take(placeOf(number));
  if (lock !== undefined) return lock;
  const which = name === undefined ? '' : ` for network ${name}`;
  throw new Error(
    `another poplin agent runs in this network namespace${which}: stop it first, or say which network this one is of ` +
      '(poplin agent --network, flanneld -subnet-file)',
  );
}

/** True if no agent runs here for the network of that number. */
export async function isPlaceFree(number: number): Promise<boolean> {
  const lock = await take(placeOf(number));
  await lock?.[Symbol.asyncDispose]();
  return lock !== undefined;
}

/** Waits until no other process of the namespace looks through the host's networks. Those that do are done within moments. */
export async function lockNetworks(): Promise<AsyncDisposable> {
  for (;;) {
    const lock = await take(NETWORKS);
    if (lock !== undefined) return lock;
    await setTimeout(RETRY_MS);
  }
}

function placeOf(number: number): string {
  return number === 0 ? AGENT : `${AGENT}-${number}`;
}

/** Undefined if somebody has the name. */
async function take(name: string): Promise<AsyncDisposable | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(name, resolve);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
  return {
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
