/** The heap of this very process: what is garbage goes back to the system, what is held stays. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { expect, test, vi } from 'vitest';
import { keepHeapSmall, releaseHeap, SMALL_FLAGS } from '#io/memory/heap.ts';

const heapBytes = () => getHeapStatistics().total_physical_size;
const MEGABYTES = 2 ** 20;

/** Objects of about 100 bytes each: they lie in the heap, not beside it. */
function fill(count: number): object[] {
  return Array.from({ length: count }, (_, n) => ({ n, name: `object ${n}`, list: [n, n + 1] }));
}

test('released memory leaves the process', () => {
  let held: object[] | undefined = fill(300_000);
  const full = heapBytes();
  expect(held).toHaveLength(300_000);
  held = undefined;
  releaseHeap();
  expect(full - heapBytes()).toBeGreaterThan(20 * MEGABYTES);
});

test('so does what malloc keeps below memory that is held', () => {
  let freed: ArrayBuffer[] | undefined = Array.from({ length: 100_000 }, () => new ArrayBuffer(512));
  const held = Array.from({ length: 100 }, () => new ArrayBuffer(512));
  const full = process.memoryUsage.rss();
  expect(freed).toHaveLength(100_000);
  freed = undefined;
  releaseHeap();
  expect(full - process.memoryUsage.rss()).toBeGreaterThan(30 * MEGABYTES);
  expect(held).toHaveLength(100);
});

test('what is held survives a release', () => {
  const held = fill(1000);
  releaseHeap();
  expect(held[999]).toEqual({ n: 999, name: 'object 999', list: [999, 1000] });
});

test('a quiet process gives a burst back by itself', async () => {
  releaseHeap();
  using _keeper = keepHeapSmall(20);
  const before = heapBytes();
  expect(fill(300_000)).toHaveLength(300_000);
  expect(heapBytes() - before).toBeGreaterThan(20 * MEGABYTES);
  await vi.waitFor(() => expect(heapBytes() - before).toBeLessThan(10 * MEGABYTES), { timeout: 20_000 });
});

test('columns that grow side by side leave nothing behind', () => {
  const heap = JSON.stringify(new URL('../../src/io/memory/heap.ts', import.meta.url).href);
  const script = (isMapped: boolean) => `
    const { mapLargeBlocks } = await import(${heap});
    if (${isMapped}) mapLargeBlocks();
    const columns = Array.from({ length: 8 }, () => new ArrayBuffer(64 * 1024));
    for (let bytes = 64 * 1024; bytes < 4 * 2 ** 20; bytes *= 1.125)
      for (const at of columns.keys()) columns[at] = columns[at].transfer(Math.floor(bytes));
    const held = columns.reduce((sum, { byteLength }) => sum + byteLength, 0);
    console.log((process.memoryUsage.rss() - held) / 2 ** 20);`;
  const [loose, mapped] = [false, true].map((isMapped) =>
    Number(spawnSync(process.execPath, ['--input-type=module', '-e', script(isMapped)]).stdout),
  ) as [number, number];
  expect(loose - mapped).toBeGreaterThan(3);
});

test('pages of the program that only its start needed are let go, and come back when they are asked for', () => {
  const heap = JSON.stringify(new URL('../../src/io/memory/heap.ts', import.meta.url).href);
  const script = `
    const { readFileSync } = await import('node:fs');
    const { releaseProgram } = await import(${heap});
    const fileKb = () => Number(/^RssFile:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);
    const before = fileKb();
    releaseProgram();
    const after = fileKb();
    const { createHash } = await import('node:crypto');
    console.log(JSON.stringify({ before, after, hash: createHash('sha256').update('abc').digest('hex').slice(0, 8) }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  const { before, after, hash } = JSON.parse(stdout);
  expect(after).toBeLessThan(before / 2);
  expect(hash).toBe('ba7816bf');
});

test('nothing is lost where the program has been moved onto pages of its own', () => {
  const heap = JSON.stringify(new URL('../../src/io/memory/heap.ts', import.meta.url).href);
  const script = `(await import(${heap})).releaseProgram(); console.log(JSON.stringify([1].map((n) => n + 1)));`;
  const args = ['--use-largepages=silent', '--input-type=module', '-e', script];
  expect(spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout).toBe('[2]\n');
});

test('a process starts itself anew once, with its own arguments', () => {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-restart-'));
  const file = join(folder, 'main.mjs');
  const heap = JSON.stringify(new URL('../../src/io/memory/heap.ts', import.meta.url).href);
  const report = '({ flags: process.execArgv, args: process.argv.slice(2), pid: process.pid })';
  writeFileSync(file, `(await import(${heap})).restartSmall(); console.log(JSON.stringify(${report}));`);
  const { stdout, pid } = spawnSync(process.execPath, [file, 'agent', '--help'], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(JSON.parse(stdout)).toEqual({
    flags: [...SMALL_FLAGS.oneThread],
    args: ['agent', '--help'],
    pid,
  });
});

test('or with other flags and other arguments', () => {
  const folder = mkdtempSync(join(tmpdir(), 'poplin-restart-'));
  const file = join(folder, 'main.mjs');
  const heap = JSON.stringify(new URL('../../src/io/memory/heap.ts', import.meta.url).href);
  writeFileSync(
    file,
    `const { restartSmall, SMALL_FLAGS } = await import(${heap});
    restartSmall(SMALL_FLAGS.noThread, ['speak', 'file']);
    console.log(JSON.stringify({ flags: process.execArgv, args: process.argv.slice(2) }));`,
  );
  const { stdout } = spawnSync(process.execPath, [file, 'run', '--help'], { encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  expect(JSON.parse(stdout)).toEqual({
    flags: [...SMALL_FLAGS.noThread],
    args: ['speak', 'file'],
  });
});
