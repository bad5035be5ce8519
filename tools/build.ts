/**
 * Bundles the command line and everything behind it into dist/poplin.mjs, one file that Node 24 runs without
 * node_modules. The native addon stays outside: it is loaded from its own place at run time.
 */
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const outfile = join(root, 'dist/poplin.mjs');

const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: ['src/app/cli/main.ts'],
  outfile,
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
  // CommonJS packages inside the bundle call require for Node's own modules.
  banner: {
    js: "import { createRequire as poplinRequire } from 'node:module'; const require = poplinRequire(import.meta.url);",
  },
  logLevel: 'warning',
}).catch(() => process.exit(1)); // esbuild has said what is wrong

// Another process may be starting the old bundle: each file appears whole or not at all.
await mkdir(dirname(outfile), { recursive: true });
for (const file of outputFiles.toReversed()) {
  const fresh = `${file.path}.${process.pid}`;
  await writeFile(fresh, file.contents);
  await rename(fresh, file.path);
}
