import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const root = mkdtempSync(join(tmpdir(), 'poplin-build-'));
const script = join(root, 'tools', 'build-native.mjs');

function build(env: Record<string, string> = {}) {
  return spawnSync(process.execPath, [script], { encoding: 'utf8', env: { ...process.env, ...env } });
}

beforeAll(() => {
  mkdirSync(join(root, 'tools'));
  cpSync(join(project, 'tools', 'build-native.mjs'), script);
  cpSync(join(project, 'native'), join(root, 'native'), { recursive: true });
  cpSync(join(project, 'package.json'), join(root, 'package.json'));
  symlinkSync(join(project, 'node_modules'), join(root, 'node_modules'));
});

afterAll(() => rmSync(root, { recursive: true }));

test('a missing compiler is named together with the package that brings it', () => {
  const { status, stderr } = build({ CC: 'no-such-compiler' });
  expect(status).toBe(1);
  expect(stderr).toBe(
    'the native code needs a C compiler and there is no no-such-compiler; on Debian: apt-get install gcc libc6-dev\n',
  );
});

test('all outputs are built once, and again only when a source changes', () => {
  expect(build().stdout).toMatch(/^built .*poplin\.node, .*poplin-cni, .*poplin-tunnel\n$/);
  expect(build().stdout).toBe('native code is up to date\n');
  const client = join(root, 'native', 'cni-client.c');
  writeFileSync(client, `${readFileSync(client, 'utf8')}/* changed */\n`);
  expect(build().stdout).toMatch(/^built /);
});

test('a source that does not compile leaves the former output in place', () => {
  const before = statSync(join(root, 'dist', 'poplin.node')).mtimeMs;
  writeFileSync(join(root, 'native', 'poll.c'), 'int main( {');
  const { status, stderr } = build();
  expect(status).toBe(1);
  expect(stderr).toContain('poplin.node does not compile');
  expect(statSync(join(root, 'dist', 'poplin.node')).mtimeMs).toBe(before);
});
