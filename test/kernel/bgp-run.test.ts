/** `poplin bgp run` as a process: what it becomes, what it is told by signals, how it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { ask } from '#app/bgp/control-client.ts';
import { parseSpeakerFile } from '#app/bgp/index.ts';
import { readApart } from '#app/bgp/process/read-apart.ts';

const PROGRAM = join(import.meta.dirname, '../../dist/poplin.mjs');
const WAIT = { timeout: 20_000, interval: 20 };
const folder = mkdtempSync(join(tmpdir(), 'poplin-bgp-run-'));
const [file, socket] = [join(folder, 'speaker.yaml'), join(folder, 'speaker.sock')];
let speaker: ChildProcess | undefined;

afterAll(() => {
  speaker?.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

const write = (asn: number | string): void =>
  writeFileSync(file, `asn: ${asn}\nrouterId: 127.9.1.1\nlisten: {port: 18179, addresses: [127.9.1.1]}\n`);

test('a speaker is one process from its command to its end, and reads its file again', async () => {
  write(65_001);
  const child = spawn(process.execPath, [PROGRAM, 'bgp', 'run', '-f', file, '--socket', socket], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  speaker = child;
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const asn = async (): Promise<number> => ((await ask([socket], 'GET', '/summary')) as { asn: number }).asn;
  await vi.waitFor(async () => expect(await asn()).toBe(65_001), WAIT);
  const line = readFileSync(`/proc/${child.pid}/cmdline`, 'utf8').split('\0');
  expect(line).toEqual(expect.arrayContaining(['--single-threaded', PROGRAM, 'speak', file, socket]));

  write(65_002);
  child.kill('SIGHUP');
  await vi.waitFor(async () => expect(await asn()).toBe(65_002), WAIT);
  write('none');
  child.kill('SIGHUP');
  await vi.waitFor(() => expect(log).toContain('asn: must be a number, not the string'), WAIT);
  expect(await asn()).toBe(65_002);
  write(65_003);
  await ask([socket], 'POST', '/reload');
  expect(await asn()).toBe(65_003);

  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

test('a speaker that is told to read its file while it still does does so again', async () => {
  write(65_011);
  const child = spawn(process.execPath, [PROGRAM, 'bgp', 'run', '-f', file, '--socket', socket], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  speaker = child;
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  await vi.waitFor(() => expect(childrenOf(child.pid)).not.toBe(''), { ...WAIT, interval: 1 });
  child.kill('SIGHUP');
  await vi.waitFor(() => expect(log).toContain('configuration read again'), WAIT);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

/** Its only child reads its file. */
const childrenOf = (pid: number | undefined): string =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');

describe('a file read by a process of its own', () => {
  test('is what it is when it is read here', async () => {
    const text = `
asn: 65001
routerId: 10.0.0.1
routes: [10.42.0.0/16]
filters: {none: {rules: [], otherwise: reject}}
neighbors:
  - {name: ä, address: 10.0.0.254, asn: 65000, export: none}`;
    writeFileSync(file, text);
    expect(await readApart(PROGRAM, file)).toEqual(parseSpeakerFile(text, file));
  });

  test('says all that is wrong with it', async () => {
    writeFileSync(file, 'asn: x\nrouterId: 10.0.0.1\nroutrs: []\n');
    await expect(readApart(PROGRAM, file)).rejects.toThrow(
      `${file}:1:6: asn: must be a number, not the string "x"\n${file}:3:1: routrs: is not a known key`,
    );
  });

  test('or why it cannot be read', async () => {
    await expect(readApart(PROGRAM, join(folder, 'none'))).rejects.toThrow('no such file or directory');
  });
});
