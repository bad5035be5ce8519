/**
 * What this node attached, on disk: the host's objects of each pod, those it shares with others included, so that an agent that comes
 * back wants what it wanted; and whose addresses are to be given back when a pod is gone without DEL. A record that cannot be read
 * is no reason to stop, nor to take anything from a pod: a damaged one is set aside, one the disk refuses stays.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { digestHex } from '#base/hash.ts';
import { hasCode } from '#io/files/index.ts';
import { parseStoredPart, type StoredPart } from './stored-part.ts';

/** A file is a line for each time its part was saved, and the last whole line counts; so many, and it is begun anew. */
const MAX_LINES = 8;
const SUFFIX = '.json';
const ASIDE = '.damaged';
const UNFINISHED = '.new';

export class AttachmentFiles {
  private readonly folder: string;
  /** Lines in files that this process began. */
  private readonly lines = new Map<string, number>();

  /** The folder must exist. */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** All parts that can be read, and what is wrong with the others. Damaged files get `.damaged` behind their name. Never throws. */
  load(): { parts: StoredPart[]; problems: string[] } {
    const parts: StoredPart[] = [];
    const problems: string[] = [];
    for (const name of this.names(problems)) {
      const path = join(this.folder, name);
      if (name.endsWith(UNFINISHED)) attempt(() => rmSync(path, { force: true, recursive: true }), problems);
      if (!name.endsWith(SUFFIX)) continue;
      const text = readText(path, problems);
      if (text === undefined) continue;
      const found = parseStoredPart(text);
      if (typeof found !== 'string') parts.push(found);
      else setAside(path, found, problems);
    }
    return { parts, problems };
  }

  /**
   * Writes a part, whole or not at all. No fsync: what a crash of the machine takes with it belongs to pods that it took too. What is
   * there already is added to: each file that is replaced costs the file system more than a line, and every ADD saves more than once.
   */
  save(stored: StoredPart): void {
    const path = this.pathOf(stored.part);
    const line = `${JSON.stringify(stored)}\n`;
    const count = this.lines.get(path) ?? 0;
    if (count > 0 && count < MAX_LINES && append(path, line)) this.lines.set(path, count + 1);
    else {
      writeFileSync(path + UNFINISHED, line, { mode: 0o600 });
      renameSync(path + UNFINISHED, path);
      this.lines.set(path, 1);
    }
  }

  remove(part: string): void {
    const path = this.pathOf(part);
    this.lines.delete(path);
    try {
      unlinkSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  private names(problems: string[]): string[] {
    try {
      return readdirSync(this.folder);
    } catch (error) {
      problems.push(messageOf(error));
      return [];
    }
  }

  private pathOf(part: string): string {
    return join(this.folder, digestHex(part, 16) + SUFFIX);
  }
}

/** False if the file is not there. A line that does not fit leaves the file as it was. */
function append(path: string, line: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_NOFOLLOW);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    try {
      writeAll(fd, line);
    } catch (error) {
      ftruncateSync(fd, size);
      throw error;
    }
    return true;
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, line: string): void {
  const bytes = Buffer.from(line);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** A record's text; undefined, and a problem, if there is none. */
function readText(path: string, problems: string[]): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EISDIR') setAside(path, 'a directory', problems);
    else if (code !== 'ENOENT') problems.push(messageOf(error));
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
