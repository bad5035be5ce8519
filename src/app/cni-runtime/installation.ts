/**
 * Installing and uninstalling, as steps that each leave a working host: the manifest first, then each plugin, the configuration
 * last; and back in reverse. Repeating either one finishes what was begun.
 */
import { mkdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import {
  type Manifest,
  type ManifestEntry,
  NO_MANIFEST,
  readManifest,
  removeManifest,
  writeManifest,
} from './install-manifest.ts';
import { UsageError } from './output.ts';
import {
  contentOf,
  DISPLACED_FOLDER,
  digest,
  displacedPath,
  keepDisplaced,
  placeContent,
  placeCopy,
  placeLink,
  putBack,
  removeLeftovers,
} from './placing.ts';

export interface InstallWish {
  readonly manifestPath: string;
  readonly binDir: string;
  readonly types: readonly string[];
  /** The static client. */
  readonly client: string;
  readonly configuration?: { readonly path: string; readonly text: string };
  /** Files of others may be displaced. */
  readonly replace: boolean;
}

/** What became of one path. */
export interface Placed {
  readonly path: string;
  readonly done:
    | 'written'
    | 'unchanged'
    | 'removed'
    | 'put back'
    | 'left: changed by somebody else'
    | 'was gone';
  /** Where the file that was there before is kept. */
  readonly displaced?: string;
}

/** Part of our client's text: what has it is ours, whatever its release. */
const CLIENT_MARK = 'POPLIN_CNI_PENDING_DIR';
const MAX_CLIENT_BYTES = 8 * 1024 * 1024;

/** Installs; throws UsageError where files of others are in the way, before anything is changed. */
export async function install(wish: InstallWish): Promise<Placed[]> {
  await using _lock = await lockInstallation();
  const before = (await readManifest(wish.manifestPath)) ?? NO_MANIFEST;
  const clientContent = await contentOf(wish.client);
  if (clientContent === undefined || clientContent === 'other')
    throw new UsageError(`${wish.client}: the static client is not there: install Poplin's package whole`);
  await mkdir(wish.binDir, { recursive: true, mode: 0o755 });
  const wanted: [ManifestEntry, Target][] = [];
  for (const type of wish.types) {
    const path = join(wish.binDir, type);
    wanted.push(await planEntry(before, { path, kind: 'plugin', content: clientContent }));
  }
  if (wish.configuration !== undefined) {
    const { path, text } = wish.configuration;
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    wanted.push(await planEntry(before, { path, kind: 'configuration', content: digest(text) }));
  }
  refuseForeign(wanted, wish.replace);
  const entries = merge(
    before.entries,
    wanted.map(([entry]) => entry),
  );
  await writeManifest(wish.manifestPath, { ...before, state: 'installing', entries });
  const placed: Placed[] = [];
  for (const [entry, target] of wanted) placed.push(await carryOut(entry, target, wish, placed));
  await writeManifest(wish.manifestPath, { ...before, state: 'installed', entries });
  return placed;
}

interface Target {
  readonly path: string;
  readonly kind: ManifestEntry['kind'];
  /** What is to be there. */
  readonly content: string;
  /** What is there. */
  readonly found?: string;
  readonly isForeign?: boolean;
}

async function planEntry(before: Manifest, target: Target): Promise<[ManifestEntry, Target]> {
  const { path, kind, content } = target;
  const known = before.entries.find((entry) => entry.path === path);
  const found = await contentOf(path);
  const isOurs =
    found === undefined ||
    found === content ||
    (known?.contents.includes(found) ?? false) ||
    (kind === 'plugin' && (await isOurClient(path)));
  const displaced = isOurs ? known?.displaced : displacedPath(path);
  const entry: ManifestEntry = {
    path,
    kind,
    contents: [...new Set([...(known?.contents ?? []), content])],
    ...(displaced !== undefined && { displaced }),
  };
  return [entry, { ...target, ...(found !== undefined && { found }), isForeign: !isOurs }];
}

/** A client of any release of ours, whether or not a manifest tells of it. */
async function isOurClient(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile() || found.size > MAX_CLIENT_BYTES) return false;
  return (await readFile(path)).includes(CLIENT_MARK);
}

function refuseForeign(wanted: readonly [ManifestEntry, Target][], replace: boolean): void {
  const foreign = wanted.filter(([, target]) => target.isForeign).map(([entry]) => entry.path);
  if (foreign.length === 0 || replace) return;
  throw new UsageError(
    `files of others are in the way: ${foreign.join(', ')}. Nothing was changed. With --replace they are kept in ${DISPLACED_FOLDER}, and "poplin cni uninstall" puts them back; or choose another --bin-dir that comes first in the runtime's plugin folders`,
  );
}

async function carryOut(
  { path, displaced }: ManifestEntry,
  target: Target,
  wish: InstallWish,
  placed: readonly Placed[],
): Promise<Placed> {
  const kept = displaced === undefined ? {} : { displaced };
  await removeLeftovers(path);
  if (target.found === target.content) return { path, done: 'unchanged', ...kept };
  if (target.isForeign) await keepDisplaced(path);
  const first = placed[0]?.path;
  if (target.kind === 'configuration')
    await placeContent(path, (wish.configuration as { text: string }).text, 0o644);
  else if (first === undefined || dirname(first) !== dirname(path)) await placeCopy(path, wish.client, 0o755);
  else await placeLink(path, first);
  return { path, done: 'written', ...kept };
}

function merge(before: readonly ManifestEntry[], wanted: readonly ManifestEntry[]): ManifestEntry[] {
  const paths = new Set(wanted.map(({ path }) => path));
  return [...before.filter(({ path }) => !paths.has(path)), ...wanted];
}

/** Takes back what is installed, the configuration first; undefined if no manifest is there. */
export async function uninstall(manifestPath: string): Promise<Placed[] | undefined> {
  await using _lock = await lockInstallation();
  const manifest = await readManifest(manifestPath);
  if (manifest === undefined) {
    await removeManifest(manifestPath);
    return undefined;
  }
  await writeManifest(manifestPath, { ...manifest, state: 'uninstalling' });
  const configurationFirst = manifest.entries.toSorted((a, b) => a.kind.localeCompare(b.kind));
  const placed: Placed[] = [];
  for (const entry of configurationFirst) placed.push(await takeBack(entry));
  for (const folder of new Set(manifest.entries.map(({ path }) => dirname(path))))
    await rmdir(join(folder, DISPLACED_FOLDER)).catch(() => undefined); // not there, or something is left in it
  await removeManifest(manifestPath);
  return placed;
}

async function takeBack({ path, kind, contents, displaced }: ManifestEntry): Promise<Placed> {
  await removeLeftovers(path);
  const found = await contentOf(path);
  const isOurs =
    found !== undefined && (contents.includes(found) || (kind === 'plugin' && (await isOurClient(path))));
  if (found === undefined || isOurs) {
    if (displaced !== undefined && (await putBack(path))) return { path, done: 'put back' };
    await rm(path, { force: true });
    return { path, done: found === undefined ? 'was gone' : 'removed' };
  }
  const kept = displaced === undefined ? undefined : await contentOf(displaced);
  if (displaced === undefined || kept === undefined)
    // Without a kept file a run that was broken off has put it back already.
    return { path, done: displaced === undefined ? 'left: changed by somebody else' : 'put back' };
  if (kept !== found) return { path, done: 'left: changed by somebody else', displaced };
  await rm(displaced); // it was never taken away
  return { path, done: 'put back' };
}

const LOCK = '\0poplin-cni-install';

/** One installation at a time in this network namespace; the kernel frees the lock with the process. */
async function lockInstallation(): Promise<AsyncDisposable> {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE';
      reject(
        isTaken ? new UsageError('another "poplin cni install" or uninstall is at work: wait for it') : error,
      );
    });
    server.listen(LOCK, resolve);
  });
  return { [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}
