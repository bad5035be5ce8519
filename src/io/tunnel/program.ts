/** Starting dist/poplin-tunnel (native/tunnel.c), which lives on when this process ends, and telling whether one is of this release. */
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Namespace, spawnIn } from '#io/namespace/index.ts';
import { addonPath } from '#io/native/index.ts';

/** One device and one UDP port; the family is the address's. */
export interface TunnelEnd {
  readonly link: string;
  /** The node's own address, from which datagrams leave and at which they arrive. */
  readonly address: string;
  readonly port: number;
}

const READY_MS = 10_000;
const MAX_TEXT = 4096;

/** Beside the addon. */
export function tunnelProgram(): string {
  return join(dirname(addonPath()), 'poplin-tunnel');
}

/** How the ends are written in its arguments, and in its greeting. */
export function configurationOf(ends: readonly TunnelEnd[]): string {
  return ends.map(({ link, address, port }) => `${link},${address},${port}`).join(' ');
}

/**
 * Starts it in the namespace, on devices that are there; resolves once it carries and can be spoken to at `socketPath`. Rejects with
 * what it says is wrong.
 */
export async function startTunnel(
  namespace: Namespace,
  socketPath: string,
  ends: readonly TunnelEnd[],
): Promise<void> {
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o700 });
  const child = spawnIn(namespace, tunnelProgram(), [socketPath, ...configurationOf(ends).split(' ')], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
    env: {},
  });
  try {
    await untilReady(child);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  } finally {
    child.stdout?.destroy();
    child.stderr?.destroy();
    child.unref();
  }
}

function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let [output, errors] = ['', ''];
    const deadline = setTimeout(() => fail(`not ready after ${READY_MS} ms`), READY_MS);
    const fail = (reason: string) => {
      clearTimeout(deadline);
      reject(new Error(`poplin-tunnel: ${errors.trim() || reason}`));
    };
    child.on('error', (error) => fail(error.message));
    child.on('close', (status, signal) => fail(`ended with ${signal ?? `status ${status}`}`));
    child.stderr?.on('data', (chunk: Buffer) => {
      if (errors.length < MAX_TEXT) errors += chunk.toString();
    });
    child.stdout?.on('data', (chunk: Buffer) => {
      if (output.length < MAX_TEXT) output += chunk.toString();
      if (!output.includes('ready\n')) return;
      clearTimeout(deadline);
      resolve();
    });
  });
}

/** False if the process runs another program file than this release's; true where that cannot be told. */
export function isOfThisRelease(pid: number): boolean {
  try {
    const [running, ours] = [statSync(`/proc/${pid}/exe`), statSync(tunnelProgram())];
    return running.ino === ours.ino && running.dev === ours.dev;
  } catch {
    return true; // another pid namespace, or it has ended
  }
}
