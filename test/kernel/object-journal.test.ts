/** The journal of objects on a disk that is full: of a write of many nothing is kept, and what was there before is. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ObjectJournal } from '#io/object-journal/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-journal-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
});
afterEach(() => {
  execFileSync('umount', [folder]);
  rmdirSync(folder);
});

const entry = (name: string, note = ''): [key: string, json: string] => [
  name,
  JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, annotations: { note } } }),
];

test('all of a write or none of it, and what was written before stays', () => {
  const open = () => new ObjectJournal(join(folder, 'journal'), 'test');
  const known = () => {
    using journal = open();
    const { objects, problems } = journal.load();
    return { names: [...objects.keys()], problems };
  };
  using journal = open();
  journal.put([entry('before')]);
  const many = Array.from({ length: 200 }, (_, at) => entry(`pod-${at}`, 'x'.repeat(1000)));
  expect(() => journal.put(many)).toThrow('ENOSPC');
  expect(known()).toEqual({ names: ['before'], problems: [] });
  journal.put([entry('after')]);
  expect(known()).toEqual({ names: ['before', 'after'], problems: [] });
});
