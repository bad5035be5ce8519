import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AttachmentFiles } from './attachments.ts';
import type { StoredPart } from './stored-part.ts';

const partOf = (netns: string): StoredPart => ({
  part: 'poplin:cni:net/pod/eth0',
  objects: [],
  attachment: { network: 'net', containerId: 'pod', ifName: 'eth0' },
  netns,
});

describe('AttachmentFiles', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-attachments-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const only = () => join(folder, readdirSync(folder)[0] ?? '');
  const loaded = () => new AttachmentFiles(folder).load();

  it('believes what was saved last, however often that was', () => {
    const files = new AttachmentFiles(folder);
    for (let time = 1; time <= 20; time++) {
      files.save(partOf(`/ns/${time}`));
      expect(loaded()).toMatchObject({ parts: [{ netns: `/ns/${time}` }], problems: [] });
    }
    expect(readFileSync(only(), 'utf8').split('\n').length).toBeLessThan(10);
  });

  it('adds a line to the file it has, and begins a new one where that has gone', () => {
    const files = new AttachmentFiles(folder);
    files.save(partOf('/ns/1'));
    const { ino } = statSync(only());
    files.save(partOf('/ns/2'));
    expect(statSync(only()).ino).toBe(ino);
    rmSync(only());
    files.save(partOf('/ns/3'));
    expect(loaded().parts).toMatchObject([{ netns: '/ns/3' }]);
  });

  it('takes no notice of a line that is not whole', () => {
    new AttachmentFiles(folder).save(partOf('/ns/1'));
    appendFileSync(only(), '{"part":"poplin:cni:net/po');
    expect(loaded()).toMatchObject({ parts: [{ netns: '/ns/1' }], problems: [] });
  });

  it('begins anew in a file that another process wrote, torn or not', () => {
    new AttachmentFiles(folder).save(partOf('/ns/1'));
    appendFileSync(only(), '{"part":');
    new AttachmentFiles(folder).save(partOf('/ns/2'));
    expect(loaded()).toMatchObject({ parts: [{ netns: '/ns/2' }], problems: [] });
  });
});
