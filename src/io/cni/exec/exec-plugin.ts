/**
 * Runs plugins as the CNI specification says: an executable in CNI_PATH, variables in its environment, configuration on its input.
 * A plugin is a process group of its own; one that takes too long, prints too much or is not wanted any more is killed with all it
 * started.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CNI_ERROR,
  CniError,
  type ExecPlugin,
  type PluginExecution,
  type PluginOutput,
} from '#core/cni/index.ts';

export interface ExecPluginOptions {
  /** Variables beside the CNI_ ones; PATH is handed down anyway. */
  readonly environment?: Readonly<Record<string, string>>;
  /** A plugin that runs longer is killed, and the call rejects with CniError 999; 60 s by default. */
  readonly timeoutMs?: number;
  /** Told what plugins print on standard error, as it comes. */
  readonly onStderr?: (type: string, text: string) => void;
  /** Starts the process; child_process.spawn by default. */
  readonly spawn?: (command: string, args: readonly string[], options: SpawnOptions) => ChildProcess;
}

/** More output than this is no CNI result. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;
/** Less than the 90 s that a plugin of ours waits for its agent: the reason arrives. */
const DEFAULT_TIMEOUT_MS = 60_000;
/** A file that is being replaced in place can be run a moment later. */
const BUSY_TRIES = 10;
const BUSY_WAIT_MS = 100;

export function createExecPlugin(options: ExecPluginOptions = {}): ExecPlugin {
  return {
    run: async (execution, signal) => {
      const path = findPlugin(execution);
      for (let tries = 1; ; tries++) {
        try {
          return await runOnce(path, execution, options, signal);
        } catch (error) {
          const isBusy = error instanceof CniError && codeOf(error.cause) === 'ETXTBSY';
          if (!isBusy || tries === BUSY_TRIES) throw error;
          await sleep(BUSY_WAIT_MS);
        }
      }
    },
  };
}

/** The first executable file of the plugin's name in CNI_PATH; throws CniError 2 if there is none. */
export function findPlugin({ type, environment }: Omit<PluginExecution, 'stdin'>): string {
  const folders = (environment['CNI_PATH'] ?? '').split(':').filter((folder) => folder !== '');
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(type)) {
    const path = folders.map((folder) => join(folder, type)).find(isExecutable);
    if (path !== undefined) return path;
  }
  throw new CniError(
    CNI_ERROR.unsupportedField,
    `failed to find plugin "${type}" in path [${folders.join(' ')}]`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function runOnce(
  path: string,
  execution: PluginExecution,
  options: ExecPluginOptions,
  signal: AbortSignal | undefined,
): Promise<PluginOutput> {
  signal?.throwIfAborted();
  const start = options.spawn ?? spawn;
  const child = start(path, [], {
    env: { PATH: process.env['PATH'] ?? '', ...options.environment, ...execution.environment },
    stdio: 'pipe',
    detached: true, // a process group of its own
  });
  return collect(child, execution, options, signal);
}

async function collect(
  child: ChildProcess,
  { type, stdin }: PluginExecution,
  { timeoutMs = DEFAULT_TIMEOUT_MS, onStderr }: ExecPluginOptions,
  signal: AbortSignal | undefined,
): Promise<PluginOutput> {
  const { promise, resolve, reject } = Promise.withResolvers<PluginOutput>();
  const end = (reason: unknown) => {
    killGroup(child);
    reject(reason);
  };
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk;
      if (name === 'stderr') onStderr?.(type, chunk);
      if (output[name].length > MAX_OUTPUT_BYTES)
        end(internal(`plugin ${type} was killed: it printed more than ${MAX_OUTPUT_BYTES >> 20} MiB`));
    });
  }
  const timer = setTimeout(
    () => end(internal(`plugin ${type} was killed: no answer in ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  const onAbort = () => end(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  child.once('error', (error) =>
    reject(
      new CniError(CNI_ERROR.ioFailure, `cannot run plugin "${type}": ${error.message}`, '', {
        cause: error,
      }),
    ),
  );
  child.once('close', (code, killedBy) => {
    if (killedBy !== null) reject(internal(`plugin ${type} was ended by ${killedBy}`, output.stderr.trim()));
    else resolve({ exitCode: code ?? 1, ...output });
  });
  // A plugin that ends without reading its input closes the pipe: its own answer tells why.
  child.stdin?.on('error', () => {}).end(stdin);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy();
  }
}

/** The plugin and whatever it started. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {} // it has ended
}

function internal(msg: string, details = ''): CniError {
  return new CniError(CNI_ERROR.internal, msg, details);
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
