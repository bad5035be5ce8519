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

/**
 * An import statement of a module of Node's reads everything that module exports, and thereby loads what it keeps for later: the
 * whole of fetch and its like for node:http, which are 12 MB. A call of require reads nothing.
 */
const requiredBuiltins: Plugin = {
  name: 'required builtins',
  setup: (bundler) => {
    const namespace = 'builtin';
    bundler.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'require-call' ? { path, external: true } : { path, namespace },
    );
    bundler.onLoad({ filter: /^/, namespace }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
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
  plugins: [englishOnly, requiredBuiltins],
  // CommonJS packages inside the bundle call require for Node's own modules.
  banner: {
    js: "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);",
  },
  logLevel: 'warning',
}).catch(() => process.exit(1)); // esbuild has said what is wrong

// Another process may be starting the old bundle: each file appears whole or not at all, the one that names the others last.
await mkdir(outdir, { recursive: true });
const isEntry = (path: string) => basename(path) === 'poplin.mjs';
for (const file of outputFiles.toSorted((a, b) => Number(isEntry(a.path)) - Number(isEntry(b.path)))) {
  const fresh = `${file.path}.${process.pid}`;
  await writeFile(fresh, file.path.endsWith('.mjs') ? plainComments(file.text) : file.contents);
  await rename(fresh, file.path);
}

const current = new Set(outputFiles.map((file) => basename(file.path)));
for (const name of await readdir(outdir)) {
  if (!name.startsWith(CHUNK_PREFIX) || current.has(name)) continue;
  const path = join(outdir, name);
  const { mtimeMs } = await stat(path);
  if (Date.now() - mtimeMs > CHUNK_LIFE_MS) await rm(path, { force: true });
}

/**
 * One character beyond Latin-1 makes V8 keep a whole file with two bytes for each character, as long as the process runs. esbuild
 * escapes such characters in the code, but not in the comments it leaves in place.
 */
function plainComments(code: string): string {
  return code.replaceAll(/^ *(?:\/\/|\/?\*).*$/gm, (line) => line.replaceAll(/[^ -~]/g, '?'));
}
