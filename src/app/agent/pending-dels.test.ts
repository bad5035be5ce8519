import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { encodeRequest, type PluginAnswer, type PluginCall } from '#io/cni/server/index.ts';
import { SimClock } from '#testing/sim-clock.ts';
import { PendingDels, readRecordedDels } from './pending-dels.ts';

const DEL: PluginCall = { plugin: 'poplin', environment: { CNI_COMMAND: 'DEL' }, stdin: '{}' };
const DONE: PluginAnswer = { exitStatus: 0, stdout: '', stderr: '' };
const refused = (code: number): PluginAnswer => ({
  exitStatus: 1,
  stdout: JSON.stringify({ cniVersion: '1.0.0', code, msg: 'no' }),
  stderr: '',
});

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pending-dels-'));
  folder = join(root, 'pending');
  mkdirSync(folder);
});
afterEach(() => rmSync(root, { recursive: true }));

const record = (name: string) => writeFileSync(join(folder, name), encodeRequest(DEL));
const open = (handle: (call: PluginCall, isDue: () => boolean) => PluginAnswer, clock = new SimClock()) =>
  new PendingDels({
    folder,
    handle: async (call, isDue) => handle(call, isDue),
    clock,
    logger: pino({ level: 'silent' }),
  });

describe('a recorded DEL', () => {
  test('is carried out once', async () => {
    record('1');
    const handle = vi.fn(() => DONE);
    await using pending = open(handle);
    await pending.settled();
    expect(handle).toHaveBeenCalledOnce();
    expect(readdirSync(folder)).toEqual([]);
  });

  test.each([
    [999, true],
    [11, true],
    [4, false],
    [7, false],
  ])('that is refused with error %i is kept: %s', async (code, isKept) => {
    record('1');
    await using pending = open(() => refused(code));
    await pending.settled();
    expect(readdirSync(folder)).toEqual(isKept ? ['1'] : []);
  });

  test('is not due any more when an ADD has carried it out before its turn', async () => {
    record('1');
    let wasDue: boolean | undefined;
    await using pending = open((_call, isDue) => {
      for (const recorded of readRecordedDels(folder)) recorded.forget();
      wasDue = isDue();
      return DONE;
    });
    await pending.settled();
    expect(wasDue).toBe(false);
  });

  test('is carried out in a folder that was removed and made again', async () => {
    const handle = vi.fn(() => DONE);
    await using pending = open(handle);
    await pending.settled();
    rmSync(folder, { recursive: true });
    await vi.waitUntil(() => existsSync(folder));
    await pending.settled();
    record('1');
    await vi.waitUntil(() => handle.mock.calls.length > 0);
    await pending.settled();
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('records that are half written or not readable are none', () => {
  record('.1');
  writeFileSync(join(folder, '2'), 'no frame');
  record('3');
  expect(readRecordedDels(folder).map(({ call }) => call)).toEqual([DEL]);
  rmSync(folder, { recursive: true });
  expect(readRecordedDels(folder)).toEqual([]);
  mkdirSync(folder);
});
