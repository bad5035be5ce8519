import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

test('a speaker has no parser, no schema and no command line in it', async () => {
  const { metafile } = await build({
    absWorkingDir: join(import.meta.dirname, '../../../..'),
    entryPoints: ['src/app/bgp/process/index.ts'],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    external: ['*.node'],
  });
  const packages = Object.keys(metafile.inputs).flatMap(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\/[^:]*$/.exec(path)?.[1] ?? [],
  );
  // The log's, and what it needs.
  expect(packages).toContain('pino');
  for (const heavy of ['zod', 'yaml', 'jsonc-parser', 'commander']) expect(packages).not.toContain(heavy);
});
