/** Programs that are measured are bundled before they run, as the released one is. */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

/** Beside the addon, which a bundle looks for in its own folder. */
const DIST = join(import.meta.dirname, '../dist');

/** Bundles a file; returns the program's path, which is of this run alone and of a confined one (confined.ts). */
export async function bundled(entry: string): Promise<string> {
  const outfile = programOf(tmpdir());
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    mainFields: ['module', 'main'],
    external: ['*.node'],
    // As the released bundle has it: some packages are CommonJS.
    banner: {
      js: "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);",
    },
    logLevel: 'error',
  });
  return outfile;
}

/** Removes what a run in this folder has bundled. */
export function removeBundled(folder: string): void {
  rmSync(programOf(folder), { force: true });
}

function programOf(folder: string): string {
  return join(DIST, `${basename(folder)}.mjs`);
}
