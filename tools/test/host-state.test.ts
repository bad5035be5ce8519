import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { leftovers, RUN_MARK, readHostState } from './host-state.ts';

describe('host state', () => {
  it('calls left over what is there now and was not before, by kind', () => {
    const before = { link: ['lo', 'eth0'], namespace: ['old'] };
    const after = { link: ['lo', 'poplin0'], namespace: [], process: ['7: sleep'] };
    expect(leftovers(before, after)).toEqual(['link poplin0', 'process 7: sleep']);
  });

  it('sees the loopback link, and no process of a run that never was', () => {
    const state = readHostState('no such run');
    expect(state['link']).toContain('lo');
    expect(state['process']?.filter((name) => name.includes('no such run'))).toEqual([]);
  });

  it('sees a process that a run started and left, until it ends', async () => {
    const runId = `test-${process.pid}`;
    const before = readHostState(runId);
    const child = spawn('sleep', ['600'], { env: { ...process.env, [RUN_MARK]: runId } });
    try {
      await once(child, 'spawn');
      await expect
        .poll(() => leftovers(before, readHostState(runId)).join())
        .toContain(`process ${child.pid}: sleep 600`);
    } finally {
      child.kill();
      await once(child, 'exit');
    }
    expect(leftovers(before, readHostState(runId)).join()).not.toContain('sleep 600');
  });
});
