/**
 * What this node attached, on disk: the host's objects of each pod, those it shares with others included, so that an agent that comes
 * back wants what it wanted; and whose addresses are to be given back when a pod is gone without DEL. One file, to which a line is added
 * for each change: to make and remove a file for each pod would cost the file system more than all else that ADD does on disk.
 * A record that cannot be read is no reason to stop, nor to take anything from a pod: a damaged file is set aside, what can be read
 * of it stays in force.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { hasCode } from '#io/files/index.ts';
import { goneLine, journalOf, readJournal, savedLine } from './journal-text.ts';
import { parseStoredPart, type StoredPart } from './stored-part.ts';

const JOURNAL = 'journal';
/** What earlier releases kept, a file for each part. */
const SUFFIX = '.json';
const ASIDE = '.damaged';
const UNFINISHED = '.new';
/** Lines beyond a few for each part that counts, above which the file is begun anew. */
const SPARE_LINES = 1000;

export class AttachmentJournal implements Disposable {
  private readonly folder: string;
  private readonly path: string;
  /** What the file says once it is read, by part. */
  private live = new Map<string, StoredPart>();
  private isLoaded = false;
  /** Files of earlier releases that were read: the journal takes their place. */
  private readonly old = new Set<string>();
  /** Open for additions as long as the file is as we know it. */
  private fd: number | undefined;
  private lines = 0;

  /** The folder must exist. */
  constructor(folder: string) {
    this.folder = folder;
    this.path = join(folder, JOURNAL);
  }

  /** All parts that can be read, and what is wrong with the others. Damaged files get `.damaged` behind their name. Never throws. */
  load(): { parts: StoredPart[]; problems: string[] } {
    const problems: string[] = [];
    this.live.clear();
    for (const name of this.names(problems)) this.loadOld(name, problems);
    const text = readText(this.path, problems);
    if (text !== undefined) this.loadJournal(text, problems);
    // What the disk refuses is not written over.
    else if (existsSync(this.path)) setAside(this.path, 'not read', problems);
    this.isLoaded = true;
    return { parts: [...this.live.values()], problems };
  }

  /**
   * Writes a part, whole or not at all. No fsync: what a crash of the machine takes with it belongs to pods that it took too. Throws if
   * the disk refuses: then what was written of the part before is still there.
   */
  save(stored: StoredPart): void {
    if (!this.isLoaded) this.load();
    const before = this.live.get(stored.part);
    this.live.set(stored.part, stored);
    try {
      this.write(savedLine(stored));
    } catch (error) {
      if (before === undefined) this.live.delete(stored.part);
      else this.live.set(stored.part, before);
      throw error;
    }
  }

  /**
   * Takes a part out; the last one takes the file along. A full disk does not keep it: the file is made without it as soon as there is
   * room, and an agent that starts before finds nothing of what is written there, and gives back what is free already. Throws if the disk
   * refuses otherwise.
   */
  remove(part: string): void {
    if (!this.isLoaded) this.load();
    if (!this.live.delete(part)) return;
    try {
      if (this.live.size === 0) this.removeFiles();
      else this.write(goneLine(part));
    } catch (error) {
      if (!hasCode(error, 'ENOSPC') && !hasCode(error, 'EDQUOT')) throw error;
    }
  }

  /** No more is written. */
  [Symbol.dispose](): void {
    this.close();
  }

  private write(line: string): void {
    try {
      if (!this.append(line)) this.beginAnew();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** False if the file is to be begun anew: it is not ours yet, has been removed, or has grown long. Leaves no part of a line. */
  private append(line: string): boolean {
    const { fd } = this;
    if (fd === undefined || this.lines > 4 * this.live.size + SPARE_LINES) return false;
    const { size, nlink } = fstatSync(fd);
    if (nlink === 0) return false;
    try {
      writeAll(fd, `${line}\n`);
    } catch (error) {
      ftruncateSync(fd, size);
      throw error;
    }
    this.lines++;
    return true;
  }

  /** A file of what counts, in place of all that was there. */
  private beginAnew(): void {
    this.close();
    const fd = openSync(
      this.path + UNFINISHED,
      constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND,
      0o600,
    );
    try {
      writeAll(fd, journalOf(this.live.values()));
      renameSync(this.path + UNFINISHED, this.path);
      this.removeOld();
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.fd = fd;
    this.lines = this.live.size;
  }

  private removeFiles(): void {
    this.close();
    this.removeOld();
    rmSync(this.path, { force: true });
  }

  private close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  private removeOld(): void {
    for (const name of this.old) rmSync(join(this.folder, name), { force: true });
    this.old.clear();
  }

  private names(problems: string[]): string[] {
    try {
      return readdirSync(this.folder);
    } catch (error) {
      problems.push(messageOf(error));
      return [];
    }
  }

  private loadOld(name: string, problems: string[]): void {
    const path = join(this.folder, name);
    if (name.endsWith(UNFINISHED)) attempt(() => rmSync(path, { force: true, recursive: true }), problems);
    if (!name.endsWith(SUFFIX)) return;
    const text = readText(path, problems);
    if (text === undefined) return;
    const found = parseStoredPart(text);
    if (typeof found === 'string') return setAside(path, found, problems);
    this.live.set(found.part, found);
    this.old.add(name);
  }

  private loadJournal(text: string, problems: string[]): void {
    const { parts, wrong } = readJournal(text, this.live.values());
    this.live = parts;
    if (wrong.length === 0) return;
    // A second name for it, so that what can be read of it is never without one.
    if (parts.size > 0) attempt(() => this.keepCopy(), problems);
    else attempt(() => renameSync(this.path, this.path + ASIDE), problems);
    problems.push(`${this.path}: ${wrong.join('; ')}; set aside as ${this.path}${ASIDE}`);
  }

  private keepCopy(): void {
    rmSync(this.path + ASIDE, { force: true });
    linkSync(this.path, this.path + ASIDE);
    this.beginAnew();
  }
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** A file's text; undefined, and a problem, if there is none. */
function readText(path: string, problems: string[]): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    if (hasCode(error, 'EISDIR')) setAside(path, 'a directory', problems);
    else problems.push(messageOf(error));
    return undefined;
  }
}

function setAside(path: string, reason: string, problems: string[]): void {
  problems.push(`${path}: ${reason}; set aside as ${path}${ASIDE}`);
  attempt(() => renameSync(path, path + ASIDE), problems);
}

function attempt(work: () => void, problems: string[]): void {
  try {
    work();
  } catch (error) {
    problems.push(messageOf(error));
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What is recorded in a folder, for who only looks: nothing is set aside. Throws if it cannot be read; what is damaged is left out. */
export function readAttachments(folder: string): StoredPart[] {
  const names = readdirSync(folder);
  const old = names
    .filter((name) => name.endsWith(SUFFIX))
    .map((name) => parseStoredPart(readFileSync(join(folder, name), 'utf8')))
    .filter((stored) => typeof stored === 'object');
  if (!names.includes(JOURNAL)) return old;
  return [...readJournal(readFileSync(join(folder, JOURNAL), 'utf8'), old).parts.values()];
}
