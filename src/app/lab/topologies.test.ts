/** The example topologies as files; test/e2e brings each of them up. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { demoTopology, parseTopology } from '#core/lab/index.ts';

const FOLDER = join(import.meta.dirname, '../../../lab/topologies');

const read = (file: string) => parseTopology(readFileSync(join(FOLDER, file), 'utf8'), file);

test.each(readdirSync(FOLDER))('%s is read without a warning, and named as its file is', (file) => {
  expect(read(file)).toMatchObject({ ok: true, warnings: [], value: { name: file.replace('.yaml', '') } });
});

test('two-racks.yaml is the lab of the demonstration', () => {
  expect(read('two-racks.yaml')).toMatchObject({ value: { ...demoTopology(), name: 'two-racks' } });
});
