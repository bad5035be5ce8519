/**
 * Commands that an operator wrote for a shell, in a configuration file. What varies reaches them by environment and standard input alone:
 * no text from elsewhere becomes part of a command.
 */
import { spawn } from 'node:child_process';

export interface ShellInput {
  /** Beside PATH. */
  readonly environment: Readonly<Record<string, string>>;
  readonly stdin?: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** More than this of a command's output is no word to other nodes. */
const MAX_OUTPUT_BYTES = 64 * 1024;

export class ShellError extends Error {
  override readonly name = 'ShellError';
}

/** What `/bin/sh -c COMMAND` prints on standard output; throws ShellError with what it printed on standard error if it fails. */
export async function runShell(command: string, input: ShellInput): Promise<string> {
  const { environment, stdin = '', timeoutMs, signal } = input;
  const limit = AbortSignal.timeout(timeoutMs);
  const child = spawn('/bin/sh', ['-c', command], {
    env: { PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin', ...environment },
    stdio: ['pipe', 'pipe', 'pipe'],
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
    killSignal: 'SIGKILL',
  });
  const output = { out: '', err: '' };
  const take = (key: 'out' | 'err') => (text: string) => {
    if (output[key].length < MAX_OUTPUT_BYTES) output[key] += text;
  };
  child.stdout.setEncoding('utf8').on('data', take('out'));
  child.stderr.setEncoding('utf8').on('data', take('err'));
  // A command need not read what it is given.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const [code, killer] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (...end) => resolve(end));
  }).catch((error: unknown) => {
    if (limit.aborted) throw new ShellError(`still ran after ${timeoutMs / 1000} s and was killed`);
    throw error;
  });
  if (code !== 0) {
    const said = output.err.trim() || output.out.trim();
    throw new ShellError(`${code === null ? `killed by ${killer}` : `exit status ${code}`}: ${said}`);
  }
  return output.out;
}
