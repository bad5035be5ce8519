/** What files say of CNI, and where files can be made. Below a root, so that tests have hosts of their own. */
import { accessSync, constants, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { CniFile, Folder, Seen } from '#core/install/index.ts';
import { Files } from './files.ts';

const CNI_FILE = /\.(conf|conflist|json)$/;

/** The networks a runtime finds in a folder, in its order. */
export function cniFiles(files: Files, folder: string): Seen<readonly CniFile[]> {
  const found = files.list(folder);
  if ('unseen' in found) return found;
  return {
    value: found.value.filter((name) => CNI_FILE.test(name)).map((name) => cniFile(files, folder, name)),
  };
}

function cniFile(files: Files, folder: string, name: string): CniFile {
  const text = files.text(`${folder}/${name}`);
  if ('unseen' in text) return { name, types: [], problem: text.unseen };
  try {
    const json = JSON.parse(text.value) as { type?: unknown; plugins?: { type?: unknown }[] };
    const types = (json.plugins ?? [json]).flatMap(({ type }) => (typeof type === 'string' ? [type] : []));
    return types.length > 0 ? { name, types } : { name, types, problem: 'it names no plugin' };
  } catch (error) {
    // The first of JSON's lines will do.
    return { name, types: [], problem: (error as Error).message.split('\n')[0] ?? '' };
  }
}

/** Whether files can be made there, or where the folder itself can be; and how much room there is. */
export function folderFacts(files: Files, path: string): Folder {
  let existing = path;
  while (!files.exists(existing)) existing = dirname(existing);
  try {
    accessSync(files.at(existing), constants.W_OK | constants.X_OK);
    const { bavail, bsize, ffree, files: most } = statfsSync(files.at(existing));
    // Some file systems do not count their files.
    return { path, freeBytes: bavail * bsize, ...(most > 0 && { freeFiles: ffree }) };
  } catch (error) {
    return { path, error: (error as NodeJS.ErrnoException).code ?? String(error) };
  }
}
