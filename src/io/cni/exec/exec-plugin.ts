/** Runs plugins as the CNI specification says: an executable in CNI_PATH, variables in its environment, configuration on its input. */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
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
  /** Starts the process; child_process.spawn by default. */
  readonly spawn?: (command: string, args: readonly string[], options: SpawnOptions) => ChildProcess;
}

/** More output than this is no CNI result. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

export function createExecPlugin(options: ExecPluginOptions = {}): ExecPlugin {
  const start = options.spawn ?? ((command, args, spawnOptions) => spawn(command, [...args], spawnOptions));
  return {
    run: (execution, signal) => {
      const path = findPlugin(execution);
      const child = start(path, [], {
        env: { PATH: process.env['PATH'] ?? '', ...options.environment, ...execution.environment },
        stdio: ['pipe', 'pipe', 'pipe'],
        ...(signal && { signal }),
      });
      return collect(child, execution);
    },
  };
}

function findPlugin({ type, environment }: PluginExecution): string {
  const folders = (environment['CNI_PATH'] ?? '').split(':').filter((folder) => folder !== '');
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(type)) {
    for (const folder of folders) {
      const path = join(folder, type);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {}
    }
  }
  throw new CniError(
    CNI_ERROR.unsupportedField,
    `failed to find plugin "${type}" in path [${folders.join(' ')}]`,
  );
}

function collect(child: ChildProcess, { type, stdin }: PluginExecution): Promise<PluginOutput> {
  return new Promise((resolve, reject) => {
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
        output[name] += chunk;
        if (output[name].length > MAX_OUTPUT_BYTES) child.kill('SIGKILL');
      });
    }
    child.once('error', (error) =>
      reject(
        new CniError(CNI_ERROR.ioFailure, `cannot run plugin "${type}": ${error.message}`, '', {
          cause: error,
        }),
      ),
    );
    child.once('close', (code) => resolve({ exitCode: code ?? 1, ...output }));
    // A plugin that ends without reading its input closes the pipe: its own answer tells why.
    child.stdin?.on('error', () => {}).end(stdin);
  });
}
