import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AttachmentJournal, readAttachments } from './attachment-journal.ts';
import type { StoredPart } from './stored-part.ts';

const partOf = (netns: string, containerId = 'pod'): StoredPart => ({
  part: `poplin:cni:net/${containerId}/eth0`,
  objects: [],
  attachment: { network: 'net', containerId, ifName: 'eth0' },
  netns,
});

describe('AttachmentJournal', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'poplin-attachments-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const path = () => join(folder, 'journal');
  const lines = () => readFileSync(path(), 'utf8').split('\n').length - 1;
  const loaded = () => new AttachmentJournal(folder).load();
  const first = partOf('/ns/1');
  const second = partOf('/ns/2', 'other');

  it('believes what was saved last, and does not grow with how often that was', () => {
    using journal = new AttachmentJournal(folder);
    for (let time = 1; time <= 3000; time++) journal.save(partOf(`/ns/${time}`));
    expect(loaded()).toMatchObject({ parts: [{ netns: '/ns/3000' }], problems: [] });
    expect(lines()).toBeLessThan(1100);
  });

  it('knows what was taken out, and has no file when nothing is left', () => {
    using journal = new AttachmentJournal(folder);
    journal.save(first);
    journal.save(second);
    journal.remove(first.part);
    expect(loaded()).toEqual({ parts: [second], problems: [] });
    journal.save(first);
    journal.remove(second.part);
    journal.remove('poplin:cni:net/unknown/eth0');
    expect(loaded()).toEqual({ parts: [first], problems: [] });
    journal.remove(first.part);
    expect(readdirSync(folder)).toEqual([]);
    journal.save(second);
    expect(loaded().parts).toEqual([second]);
  });

  it('adds to the file it has, and writes all of it anew where that has gone', () => {
    using journal = new AttachmentJournal(folder);
    journal.save(first);
    const { ino } = statSync(path());
    journal.save(second);
    expect(statSync(path()).ino).toBe(ino);
    rmSync(path());
    journal.save(partOf('/ns/3'));
    expect(loaded().parts).toEqual([partOf('/ns/3'), second]);
  });

  it('takes no notice of a line that is not whole', () => {
    using journal = new AttachmentJournal(folder);
    journal.save(first);
    appendFileSync(path(), '{"part":"poplin:cni:net/po');
    expect(loaded()).toEqual({ parts: [first], problems: [] });
  });

  it('goes on from what another process wrote, torn or not', () => {
    using journal = new AttachmentJournal(folder);
    journal.save(first);
    appendFileSync(path(), '{"part":');
    using next = new AttachmentJournal(folder);
    next.save(second);
    expect(loaded()).toEqual({ parts: [first, second], problems: [] });
    using last = new AttachmentJournal(folder);
    last.remove(first.part);
    expect(loaded()).toEqual({ parts: [second], problems: [] });
  });

  it('keeps what can be read of a damaged file, and the file aside', () => {
    using journal = new AttachmentJournal(folder);
    journal.save(first);
    appendFileSync(path(), '{"part":7}\n');
    journal.save(second);
    const { parts, problems } = loaded();
    expect(parts).toEqual([first, second]);
    expect(readAttachments(folder)).toEqual(parts);
    expect(problems).toEqual([expect.stringContaining('journal: line 3: part: ')]);
    expect(readFileSync(`${path()}.damaged`, 'utf8')).toContain('{"part":7}');
    expect(loaded()).toEqual({ parts: [first, second], problems: [] });
  });

  it.each(['', '{', '\0\0\0\0', '{"part":"poplin:cni:x"}\n'])('sets aside a file of %j', (text) => {
    writeFileSync(path(), text);
    expect(loaded()).toMatchObject({ parts: [], problems: [expect.stringContaining('set aside')] });
    expect(readdirSync(folder)).toEqual(['journal.damaged']);
  });

  it('sets aside a folder in its place', () => {
    mkdirSync(path());
    using journal = new AttachmentJournal(folder);
    journal.save(first);
    expect(readdirSync(folder)).toEqual(['journal', 'journal.damaged']);
    expect(loaded().parts).toEqual([first]);
  });

  it('takes over the files of earlier releases, once', () => {
    writeFileSync(join(folder, '1.json'), `{}\n${JSON.stringify(first)}\n`);
    writeFileSync(join(folder, '2.json'), JSON.stringify(second));
    writeFileSync(join(folder, '3.json'), '{');
    writeFileSync(join(folder, '4.json.new'), '{');
    using journal = new AttachmentJournal(folder);
    expect(readAttachments(folder)).toEqual([first, second]);
    expect(journal.load()).toMatchObject({
      parts: [first, second],
      problems: [expect.stringMatching('3.json')],
    });
    journal.save(partOf('/ns/3'));
    expect(readdirSync(folder)).toEqual(['3.json.damaged', 'journal']);
    expect(loaded().parts).toEqual([partOf('/ns/3'), second]);
  });

  it('has what it had where the disk refuses, and catches up', () => {
    using journal = new AttachmentJournal(folder);
    journal.save(first);
    journal.save(second);
    copyFileSync(path(), join(folder, 'copy'));
    rmSync(path());
    mkdirSync(`${path()}.new`);
    expect(() => journal.save(partOf('/ns/3'))).toThrow('EISDIR');
    expect(() => journal.remove(second.part)).toThrow('EISDIR');
    rmSync(`${path()}.new`, { recursive: true });
    copyFileSync(join(folder, 'copy'), path());
    journal.save(partOf('/ns/4', 'third'));
    expect(loaded().parts).toEqual([first, partOf('/ns/4', 'third')]);
  });
});
