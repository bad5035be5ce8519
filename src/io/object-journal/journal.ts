/**
 * Objects of an API on disk, for a start without the API: one file, to which a line is added for each change, of which the last about an
 * object counts. What is kept of an object, and when, is the caller's to say. No fsync: what a crash of the machine takes is asked anew.
 */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs';
import type { KubeObject } from '#core/store/index.ts';
import { hasCode } from '#io/files/index.ts';
import { readLines } from './lines.ts';

const UNFINISHED = '.new';
const ASIDE = '.damaged';
/** Lines beyond a few for each object, above which the file is written anew. */
const SPARE_LINES = 2000;

/** What a journal says. */
export interface JournalContent {
  /** False where no journal was ever written: then nothing is known. */
  readonly isThere: boolean;
  readonly objects: ReadonlyMap<string, KubeObject>;
  readonly problems: readonly string[];
}

export class ObjectJournal implements Disposable {
  readonly #path: string;
  readonly #head: string;
  #fd: number | undefined;
  #lines = 0;
  readonly #keys = new Set<string>();

  /** The folder must exist; `name` says what the journal is of, and one of another name is set aside. */
  constructor(path: string, name: string) {
    this.#path = path;
    this.#head = JSON.stringify({ poplin: name });
  }

  /** By the key they were put with. Never throws: a damaged journal is set aside, and what can be read of it counts. */
  load(): JournalContent {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      const problems = hasCode(error, 'ENOENT') ? [] : [(error as Error).message];
      return { isThere: false, objects: new Map(), problems };
    }
    const { lines, wrong } = readLines(text, this.#head);
    if (lines === undefined) {
      this.#setAside();
      return {
        isThere: false,
        objects: new Map(),
        problems: [`${this.#path}: ${wrong.join('; ')}: set aside`],
      };
    }
    for (const key of lines.keys()) this.#keys.add(key);
    const objects = new Map(Array.from(lines, ([key, { object }]) => [key, object]));
    return { isThere: true, objects, problems: wrong.map((each) => `${this.#path}: ${each}`) };
  }

  /**
   * Objects as JSON, by their keys, in one write: all of them or none. Throws Node's error if the disk refuses, and then what was written
   * before is still there; or if somebody removed the file.
   */
  put(entries: readonly (readonly [key: string, json: string])[]): void {
    for (const [key] of entries) this.#keys.add(key);
    this.#write(entries.map(([key, json]) => `{"key":${JSON.stringify(key)},"object":${json}}`));
  }

  /** Throws as put() does. */
  remove(key: string): void {
    if (this.#keys.delete(key)) this.#write([JSON.stringify({ key })]);
  }

  /** Writes the journal though nothing is in it: so that nothing is what is known. Throws as put() does. */
  begin(): void {
    if (this.#fd === undefined) this.#compact();
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #write(lines: readonly string[]): void {
    if (this.#fd === undefined || this.#lines > 4 * this.#keys.size + SPARE_LINES) this.#compact();
    const fd = this.#fd as number;
    const { size, nlink } = fstatSync(fd);
    // A file with a part of the content would be taken for all of it.
    if (nlink === 0)
      throw new Error(`${this.#path} was removed while it was in use: nothing is kept any more`);
    try {
      writeAll(fd, lines.map((line) => `${line}\n`).join(''));
      this.#lines += lines.length;
    } catch (error) {
      ftruncateSync(fd, size);
      throw error;
    }
  }

  /** The same content, a line for each object. */
  #compact(): void {
    const isRemoved = this.#fd !== undefined && fstatSync(this.#fd).nlink === 0;
    if (isRemoved) return;
    this[Symbol.dispose]();
    const draft = this.#path + UNFINISHED;
    const { O_WRONLY, O_CREAT, O_TRUNC, O_APPEND } = constants;
    const fd = openSync(draft, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600);
    try {
      const kept = this.#liveLines();
      writeAll(fd, [this.#head, ...kept, ''].join('\n'));
      renameSync(draft, this.#path);
      this.#lines = kept.length;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    this.#fd = fd;
  }

  #liveLines(): string[] {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    }
    const lines = readLines(text, this.#head).lines ?? new Map<string, { readonly line: string }>();
    return [...lines.values()].map(({ line }) => line);
  }

  #setAside(): void {
    try {
      renameSync(this.#path, this.#path + ASIDE);
    } catch {
      // It is written over when there is something to write.
    }
  }
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
