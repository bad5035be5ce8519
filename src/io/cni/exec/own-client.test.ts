import { chmodSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createForeignTest } from './own-client.ts';

const OWN = '\x7fELF....POPLIN_CNI_SOCKET\0....';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-own-client-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function place(name: string, text: string): void {
  writeFileSync(join(folder, `${name}.new`), text, 'latin1');
  chmodSync(join(folder, `${name}.new`), 0o755);
  renameSync(join(folder, `${name}.new`), join(folder, name));
}

test('our client is known by its content, under any name and through a link', () => {
  const isForeign = createForeignTest();
  place('bridge', OWN);
  symlinkSync('bridge', join(folder, 'ptp'));
  expect([isForeign('bridge', folder), isForeign('ptp', `/nowhere:${folder}`)]).toEqual([false, false]);
});

test('another program is foreign, and so is a script that speaks of us', () => {
  const isForeign = createForeignTest();
  place('bridge', '\x7fELF another');
  place('ptp', '#!/bin/sh\n# POPLIN_CNI_SOCKET\0\n');
  expect([isForeign('bridge', folder), isForeign('ptp', folder)]).toEqual([true, true]);
});

test('where there is no such file, nothing is foreign', () => {
  const isForeign = createForeignTest();
  expect([isForeign('bridge', folder), isForeign('../bridge', folder), isForeign('bridge', '')]).toEqual([
    false,
    false,
    false,
  ]);
});

test('a file that is replaced is looked at again', () => {
  const isForeign = createForeignTest();
  place('bridge', OWN);
  expect(isForeign('bridge', folder)).toBe(false);
  place('bridge', '\x7fELF another program of another size');
  expect(isForeign('bridge', folder)).toBe(true);
});
