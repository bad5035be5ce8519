/** Runs one of the project's tools with Node 24 first on PATH, and keeps what it says. */
import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..');

export interface Outcome {
  /** Exit code; null if it died by a signal or did not start. */
  readonly code: number | null;
  /** Standard output and error, interleaved; empty when inherited. */
  readonly output: string;
  readonly seconds: number;
}

export interface CommandOptions {
  /** Laid over this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Shows output as it comes instead of keeping it. */
  readonly inherit?: boolean;
  readonly timeoutMs?: number;
}

/** Runs a command in the repository's root to its end; never rejects. */
export function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<Outcome> {
  const started = performance.now();
  const { env = {}, inherit = false, timeoutMs } = options;
  return new Promise((resolve) => {
    const kept: string[] = [];
    const finish = (code: number | null) =>
      resolve({ code, output: kept.join(''), seconds: (performance.now() - started) / 1000 });
    const child = spawn(command, args, {
      cwd: ROOT,
      env: { ...toolEnvironment(), ...env },
      stdio: inherit ? ['ignore', 'inherit', 'inherit'] : ['ignore', 'pipe', 'pipe'],
      ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }),
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => kept.push(text));
    child.on('error', (error) => {
      kept.push(error.message);
      finish(null);
    });
    child.on('close', finish);
  });
}

/** Before what version managers put there: the shell script that stands for Python costs ten times what Python does. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** This process's environment, with the project's tools first on PATH, then the system's. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env; // costs every Node 45 ms, and the tools stay off the network
  const path = [join(ROOT, 'node_modules/.bin'), ...SYSTEM_FOLDERS, env['PATH'] ?? ''];
  return { ...env, PATH: path.join(delimiter) };
}
