/**
 * Bundles the command line and everything behind it into dist/poplin.mjs and chunks beside it, which Node 24 runs without
 * node_modules: each command loads its own chunks, so that a long-lived agent holds no code of others. The native addon stays
 * outside: it is loaded from its own place at run time.
 */
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');
const outdir = join(root, 'dist');
const CHUNK_PREFIX = 'poplin-chunk-';
/** A process that began with the former bundle may load its chunks for so long. */
const CHUNK_LIFE_MS = 3_600_000;

/** zod brings its messages in fifty languages; ours are English. */
const englishOnly: Plugin = {
  name: 'english only',
  setup: (bundler) => {
    bundler.onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, ({ path }) => ({
      contents: "export { default as en } from './en.js';",
      resolveDir: join(path, '..'),
    }));
  },
};

const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: { poplin: 'src/app/cli/main.ts' },
  outdir,
  outExtension: { '.js': '.mjs' },
  chunkNames: `${CHUNK_PREFIX}[hash]`,
  splitting: true,
  write: false,
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  // The UMD build of a package requires its own files at run time, which a bundler cannot follow: take its ES modules.
  mainFields: ['module', 'main'],
  // Lines and names stay, so that stack traces read well.
  minifySyntax: true,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  external: ['*.node'],
  plugins: [englishOnly],
  // CommonJS packages inside the bundle call require for Node's own modules.
  banner: {
    js: "import { createRequire as poplinRequire } from 'node:module'; const require = poplinRequire(import.meta.url);",
  },
  logLevel: 'warning',
}).catch(() => process.exit(1)); // esbuild has said what is wrong

// Another process may be starting the old bundle: each file appears whole or not at all, the one that names the others last.
await mkdir(outdir, { recursive: true });
const isEntry = (path: string) => basename(path) === 'poplin.mjs';
for (const file of outputFiles.toSorted((a, b) => Number(isEntry(a.path)) - Number(isEntry(b.path)))) {
  const fresh = `${file.path}.${process.pid}`;
  await writeFile(fresh, file.contents);
  await rename(fresh, file.path);
}

const current = new Set(outputFiles.map((file) => basename(file.path)));
for (const name of await readdir(outdir)) {
  if (!name.startsWith(CHUNK_PREFIX) || current.has(name)) continue;
  const path = join(outdir, name);
  const { mtimeMs } = await stat(path);
  if (Date.now() - mtimeMs > CHUNK_LIFE_MS) await rm(path, { force: true });
}
