/** Files below a root, where "not there" and "not to be read" are told apart. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Seen } from '#core/install/index.ts';

export class Files {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  at(path: string): string {
    return join(this.#root, path);
  }

  exists(path: string): boolean {
    return existsSync(this.at(path));
  }

  /** Names in a folder, sorted; none if it is not there. */
  list(folder: string): Seen<readonly string[]> {
    return seen(folder, [], () => readdirSync(this.at(folder)).toSorted());
  }

  /** Empty if it is not there. */
  text(path: string): Seen<string> {
    return seen(path, '', () => readFileSync(this.at(path), 'utf8'));
  }

  /** Names in a folder, sorted; none where it says nothing. */
  names(folder: string): readonly string[] {
    const found = this.list(folder);
    return 'value' in found ? found.value : [];
  }

  /** None where it says nothing. */
  lines(path: string): readonly string[] {
    const found = this.text(path);
    return 'value' in found ? found.value.split('\n') : [];
  }

  /** The files of this suffix in folders of which the first that has a name counts, in the order of names. */
  merged(folders: readonly string[], suffix: string): readonly string[] {
    const paths = new Map<string, string>();
    for (const folder of folders.toReversed())
      for (const name of this.names(folder)) if (name.endsWith(suffix)) paths.set(name, `${folder}/${name}`);
    return [...paths].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  }
}

function seen<T>(path: string, absent: T, read: () => T): Seen<T> {
  try {
    return { value: read() };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR' ? { value: absent } : { unseen: `${path}: ${code}` };
  }
}
