import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createExecPlugin } from './exec-plugin.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-exec-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const script = (name: string, text: string) =>
  writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
const execution = (type: string, path = folder) => ({
  type,
  environment: { CNI_COMMAND: 'ADD', CNI_PATH: path },
  stdin: '{"a": 1}',
});

/** Resolves when the process is gone; fails the test's time limit if it never is. */
async function ended(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z '))
    await sleep(5);
}

describe('a plugin', () => {
  test('gets its environment and configuration, and what it says comes back', async () => {
    script('p', 'cat; echo "$CNI_COMMAND $EXTRA" >&2; exit 3');
    const heard: string[] = [];
    const exec = createExecPlugin({
      environment: { EXTRA: 'more' },
      onStderr: (type, text) => heard.push(`${type}: ${text}`),
    });
    expect(await exec.run(execution('p'))).toEqual({
      exitCode: 3,
      stdout: '{"a": 1}',
      stderr: 'ADD more\n',
    });
    expect(heard).toEqual(['p: ADD more\n']);
  });

  test('is looked for in every folder of CNI_PATH; a directory or a file that cannot be run is none', async () => {
    mkdirSync(join(folder, 'one'));
    mkdirSync(join(folder, 'one', 'p'));
    mkdirSync(join(folder, 'two'));
    writeFileSync(join(folder, 'two', 'p'), '', { mode: 0o644 });
    const path = [join(folder, 'one'), join(folder, 'two'), folder].join(':');
    await expect(createExecPlugin().run(execution('p', path))).rejects.toMatchObject({
      code: 2,
      msg: expect.stringContaining('failed to find plugin "p"') as string,
    });
    script('p', 'echo found');
    expect(await createExecPlugin().run(execution('p', path))).toMatchObject({ stdout: 'found\n' });
    await expect(createExecPlugin().run(execution('../p'))).rejects.toMatchObject({ code: 2 });
  });

  test('that hangs is killed with what it started', async () => {
    script('p', `sleep 600 & echo $! > ${folder}/pid; wait`);
    const run = createExecPlugin({ timeoutMs: 300 }).run(execution('p'));
    await expect(run).rejects.toMatchObject({ code: 999, msg: 'plugin p was killed: no answer in 0.3 s' });
    await ended(Number(readFileSync(join(folder, 'pid'), 'utf8')));
  });

  test('that is not wanted any more is killed with what it started', async () => {
    script('p', `sleep 600 & echo $! > ${folder}/new; mv ${folder}/new ${folder}/pid; wait`);
    const stop = new AbortController();
    const run = createExecPlugin().run(execution('p'), stop.signal);
    const settled = run.catch((error: unknown) => error);
    while (!existsSync(join(folder, 'pid'))) await sleep(5);
    stop.abort(new Error('enough'));
    expect(await settled).toEqual(new Error('enough'));
    await ended(Number(readFileSync(join(folder, 'pid'), 'utf8')));
    await expect(createExecPlugin().run(execution('p'), stop.signal)).rejects.toThrow('enough');
  });

  test('that prints without end is killed', async () => {
    script('p', 'exec yes');
    await expect(createExecPlugin().run(execution('p'))).rejects.toMatchObject({
      code: 999,
      msg: 'plugin p was killed: it printed more than 4 MiB',
    });
  });

  test('that a signal ends says which', async () => {
    script('p', 'kill -SEGV $$');
    await expect(createExecPlugin().run(execution('p'))).rejects.toMatchObject({
      msg: 'plugin p was ended by SIGSEGV',
    });
  });

  test('may leave its input unread', async () => {
    script('p', 'exec <&-; echo done');
    const stdin = JSON.stringify({ text: 'x'.repeat(1_000_000) });
    expect(await createExecPlugin().run({ ...execution('p'), stdin })).toMatchObject({ stdout: 'done\n' });
  });

  test('that cannot be started is an input or output failure', async () => {
    writeFileSync(join(folder, 'p'), '#!/nowhere/sh\n', { mode: 0o755 });
    await expect(createExecPlugin().run(execution('p'))).rejects.toMatchObject({ code: 5 });
  });
});
