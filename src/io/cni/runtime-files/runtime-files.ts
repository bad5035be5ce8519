/** A runtime's files: network configurations, and the records of attachments where libcni keeps them. */
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { AttachmentCache, ConfigFiles } from '#core/cni/index.ts';
import { atomicWrite, ensureDir, readTextIfExists, removeIfExists } from '#io/files/index.ts';

/** Configurations on disk. Links to files count as files. */
export const configFiles: ConfigFiles = {
  async names(folder) {
    const entries = await unlessMissing(readdir(folder, { withFileTypes: true }));
    return (entries ?? []).filter((entry) => !entry.isDirectory()).map((entry) => entry.name);
  },
  read: (path) => readFile(path, 'utf8'),
};

/** Records below a cache directory, readable by root alone. */
export function cacheFolder(folder: string): AttachmentCache {
  const load = (path: string) => readTextIfExists(join(folder, path));
  return {
    load,
    async save(path, text) {
      const file = join(folder, path);
      await ensureDir(dirname(file), 0o700);
      await atomicWrite(file, text, { mode: 0o600 });
    },
    async remove(path) {
      await removeIfExists(join(folder, path));
    },
    async all() {
      const names = (await unlessMissing(readdir(join(folder, 'results')))) ?? [];
      // What begins with a dot is still being written, or was left by a crash.
      const paths = names.filter((name) => !name.startsWith('.')).map((name) => `results/${name}`);
      const texts = await Promise.all(
        paths.sort().map(async (path) => ({ path, text: await unlessMissing(load(path)) })),
      );
      return texts.flatMap(({ path, text }) => (text === undefined ? [] : [{ path, text }]));
    },
  };
}

/** Undefined for what is not there, or is no file. */
async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined;
    throw error;
  }
}
