/**
 * A benchmark runs in a process, a mount namespace and a folder of its own, so that whatever ends it, Ctrl-C too, leaves nothing: its processes go with
 * it, the network namespaces it made with their mounts, and this file removes the folder and what was bundled.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeBundled } from './bundle.ts';

const MARK = 'POPLIN_BENCH_CONFINED';
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const OWN_NAMESPACES = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

/** Whether this process is already the confined one. */
export function isConfined(): boolean {
  return process.env[MARK] !== undefined;
}

/** Runs this very command once more, confined; its exit status, or that of the signal that ended it. */
export async function runConfined(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-bench-'));
  const self = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn('unshare', [...OWN_NAMESPACES, '--', ...self], {
    stdio: 'inherit',
    env: { ...process.env, TMPDIR: folder, [MARK]: '1' },
  });
  let signal: (typeof SIGNALS)[number] | undefined;
  for (const each of SIGNALS)
    process.on(each, () => {
      signal = each;
      child.kill('SIGKILL'); // the first process of its namespace: no other signal ends it
    });
  try {
    const [status] = (await once(child, 'close')) as [number | null];
    return signal === undefined ? (status ?? 1) : 128 + constants.signals[signal];
  } finally {
    rmSync(folder, { recursive: true, force: true });
    removeBundled(folder);
  }
}
