/**
 * What this node attached, on disk: the host's objects of each pod, those it shares with others included, so that an agent that comes
 * back wants what it wanted; and whose addresses are to be given back when a pod is gone without DEL. A record that cannot be read
 * is no reason to stop, nor to take anything from a pod: a damaged one is set aside, one the disk refuses stays.
 */
import { readdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestHex } from '#base/hash.ts';
import { parseStoredPart, type StoredPart } from './stored-part.ts';

const SUFFIX = '.json';
const ASIDE = '.damaged';
const UNFINISHED = '.new';

export class AttachmentFiles {
  private readonly folder: string;

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

  /** Writes a part, whole or not at all. No fsync: what a crash of the machine takes with it belongs to pods that it took too. */
  save(stored: StoredPart): void {
    const path = this.pathOf(stored.part);
    writeFileSync(path + UNFINISHED, JSON.stringify(stored), { mode: 0o600 });
    renameSync(path + UNFINISHED, path);
  }

  remove(part: string): void {
    try {
      unlinkSync(this.pathOf(part));
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
