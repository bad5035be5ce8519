import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KubeObject } from '#core/store/index.ts';
import { ObjectJournal } from './journal.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-journal-'));
  path = join(folder, 'journal');
});
afterEach(() => rmSync(folder, { recursive: true }));

const pod = (name: string, app = 'web'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app } },
});
const named = (content: ReadonlyMap<string, KubeObject>): string[] => [...content.keys()];
const entry = (name: string, app?: string): [key: string, json: string] => [
  name,
  JSON.stringify(pod(name, app)),
];
const open = (): ObjectJournal => new ObjectJournal(path, 'test');

describe('a journal of objects', () => {
  test('says of each object what was said last', () => {
    using journal = open();
    expect(journal.load().isThere).toBe(false);
    journal.put([entry('a'), entry('b')]);
    journal.put([entry('a', 'db')]);
    journal.remove('b');
    journal.remove('never there');
    const { isThere, objects, problems } = open().load();
    expect({ isThere, problems }).toEqual({ isThere: true, problems: [] });
    expect([...objects]).toEqual([['a', pod('a', 'db')]]);
  });

  test('that nothing is there is known once it was begun', () => {
    using journal = open();
    journal.begin();
    expect(open().load()).toMatchObject({ isThere: true, problems: [] });
  });

  test('goes on where an earlier one ended, and is written anew when it has grown long', () => {
    {
      using first = open();
      first.put([entry('a')]);
    }
    using journal = open();
    journal.load();
    for (let round = 0; round < 2500; round++) journal.put([entry('b', String(round))]);
    expect(readFileSync(path, 'utf8').split('\n').length).toBeLessThan(1000);
    expect(named(open().load().objects)).toEqual(['a', 'b']);
    expect(open().load().objects.get('b')).toEqual(pod('b', '2499'));
  });

  test('a line that was broken off does not count', () => {
    {
      using journal = open();
      journal.put([entry('a')]);
    }
    appendFileSync(path, '{"key":"b","obj');
    using journal = open();
    expect(named(journal.load().objects)).toEqual(['a']);
    journal.put([entry('c')]);
    expect(named(open().load().objects)).toEqual(['a', 'c']);
  });

  test('what is damaged is told, and the rest counts', () => {
    {
      using journal = open();
      journal.put([entry('a')]);
    }
    appendFileSync(path, 'nonsense\n{"key":"b","object":{"kind":7}}\n');
    const { objects, problems } = open().load();
    expect(named(objects)).toEqual(['a']);
    expect(problems).toEqual([`${path}: line 3: no entry`, `${path}: line 4: no entry`]);
  });

  test('a file that is none is set aside', () => {
    writeFileSync(path, 'something else\n');
    using journal = open();
    expect(journal.load()).toMatchObject({
      isThere: false,
      problems: [expect.stringContaining('set aside')],
    });
    expect(existsSync(`${path}.damaged`)).toBe(true);
    journal.put([entry('a')]);
    expect(named(open().load().objects)).toEqual(['a']);
  });

  test('a file that somebody removes is not made anew with a part of what was in it', () => {
    using journal = open();
    journal.put([entry('a')]);
    rmSync(path);
    for (let round = 0; round < 2; round++) expect(() => journal.put([entry('b')])).toThrow('was removed');
    expect(open().load().isThere).toBe(false);
  });
});
