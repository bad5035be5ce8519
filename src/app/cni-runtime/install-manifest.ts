/**
 * What `poplin cni install` put on this host, written before anything is: so that an installation that broke off can be finished
 * or taken back, and uninstalling removes exactly that.
 */
import { dirname } from 'node:path';
import { z } from 'zod';
import { ensureDir, readTextIfExists, removeIfExists } from '#io/files/index.ts';
import { UsageError } from './output.ts';
import { placeContent, removeLeftovers } from './placing.ts';

const entry = z.object({
  path: z.string().startsWith('/'),
  kind: z.enum(['plugin', 'configuration']),
  /** SHA-256 of every content that we put there, in hexadecimal. */
  contents: z.array(z.string()),
  /** Where the file that was there before is kept. */
  displaced: z.string().startsWith('/').optional(),
});

const manifest = z.object({
  kind: z.literal('poplin-cni-install/1'),
  state: z.enum(['installing', 'installed', 'uninstalling']),
  entries: z.array(entry),
});

export type ManifestEntry = Readonly<z.output<typeof entry>>;
export type Manifest = Readonly<z.output<typeof manifest>>;

export const NO_MANIFEST: Manifest = { kind: 'poplin-cni-install/1', state: 'installed', entries: [] };

/** The manifest at a path, undefined if there is none; throws UsageError if it cannot be read. */
export async function readManifest(path: string): Promise<Manifest | undefined> {
  const text = await readTextIfExists(path);
  if (text === undefined) return undefined;
  try {
    return manifest.parse(JSON.parse(text));
  } catch {
    throw new UsageError(
      `${path} is damaged: move it away, then run "poplin cni install --replace" and uninstall again`,
    );
  }
}

export async function writeManifest(path: string, value: Manifest): Promise<void> {
  await ensureDir(dirname(path), 0o700);
  await placeContent(path, `${JSON.stringify(value, null, 2)}\n`, 0o600);
}

/** Removes the manifest, and what a run that was killed while it wrote it left beside it. */
export async function removeManifest(path: string): Promise<void> {
  await removeLeftovers(path);
  await removeIfExists(path);
}
