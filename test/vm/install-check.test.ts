/** `poplin install check` on a kernel whose features are modules: it looks them up and loads none, unless it is told to. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '#core/install/index.ts';
import { NamespaceFolder } from '../kernel/namespace-folder.ts';

/** Where the package of the kernel lies, as `/` on a host that it is installed on. */
const RECORD = join(import.meta.dirname, '../../dist/vm/kernel.json');
const { image } = JSON.parse(readFileSync(RECORD, 'utf8')) as { image: string };
const ROOT = dirname(dirname(image));
const MAIN = join(import.meta.dirname, '../../dist/poplin.mjs');

let folder: NamespaceFolder;
let netns: string;
beforeAll(() => {
  folder = new NamespaceFolder('install-check');
  netns = folder.make('host').path;
});
afterAll(() => folder[Symbol.dispose]());

/** Whatever its exit status: the namespace has no way to the world. */
function check(args: readonly string[], uid?: number): Finding[] {
  const user = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, '--clear-groups'];
  const words = [
    `--net=${netns}`,
    '--',
    ...user,
    process.execPath,
    MAIN,
    'install',
    'check',
    '--json',
    '--root-dir',
    ROOT,
    ...args,
  ];
  try {
    return JSON.parse(execFileSync('nsenter', words, { encoding: 'utf8' })) as Finding[];
  } catch (error) {
    const { stdout } = error as { stdout: string };
    if (stdout === '') throw error; // it broke off, and the error says how
    return JSON.parse(stdout) as Finding[];
  }
}

const modules = () =>
  readFileSync('/proc/modules', 'utf8')
    .split('\n')
    .flatMap((line) => /^\S+/.exec(line)?.[0] ?? [])
    .toSorted();
const links = () => execFileSync('nsenter', [`--net=${netns}`, 'ip', '-o', 'link'], { encoding: 'utf8' });
const of = (findings: readonly Finding[], name: string) =>
  findings.filter(({ check: each }) => each === name);

test('everything is found to be there, and neither a module is loaded nor a device made', () => {
  const before = [modules(), links()];
  for (const [backend, uid] of [['ipip'], ['wireguard'], ['vxlan', 65_534]] as const) {
    const findings = check(['--backend', backend], uid);
    for (const name of ['kernel', 'kernel-others', 'kernel-policies'])
      expect(
        of(findings, name).filter(({ level }) => level !== 'ok'),
        backend,
      ).toEqual([]);
  }
  expect([modules(), links()]).toEqual(before);
});

test('with --load-modules they come, and are named', () => {
  const before = new Set(modules());
  const findings = check(['--backend', 'ipip', '--load-modules']);
  const came = modules().filter((name) => !before.has(name));
  expect(of(findings, 'kernel')).toMatchObject([
    { outcome: 'works', found: expect.stringContaining('IP in IP') },
  ]);
  expect(of(findings, 'trials')).toMatchObject([
    { outcome: 'loaded', found: expect.stringContaining(`: ${came.join(', ') || 'none'}`) },
  ]);
  expect(modules()).toContain('ipip');
});
