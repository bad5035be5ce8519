/** The executable under flannel's name, as an operator's unit file calls it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };

const POPLIN = join(import.meta.dirname, '../../bin/poplin');
const folder = mkdtempSync(join(tmpdir(), 'poplin-flanneld-'));
const FLANNELD = join(folder, 'flanneld');
symlinkSync(POPLIN, FLANNELD);
afterAll(() => rmSync(folder, { recursive: true }));

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

test.each([
  ['flanneld', FLANNELD, []],
  ['poplin flanneld', POPLIN, ['flanneld']],
] as const)('%s takes flannel’s command line', (_name, command, before) => {
  expect(run(command, [...before, '--version'])).toEqual({
    status: 0,
    stdout: '',
    stderr: `poplin ${packageJson.version}\n`,
  });
  const help = run(command, [...before, '-h']);
  expect(help.status).toBe(0);
  expect(help.stdout).toMatch(/^Usage: flanneld \[OPTION\]\.\.\.\n/);
  const unknown = run(command, [...before, '-ip-masq', '-frob=1']);
  expect(unknown.status).toBe(2);
  expect(unknown.stderr).toMatch(/^flag provided but not defined: -frob\nUsage: flanneld /);
  const wrong = run(command, [...before], { FLANNELD_HEALTHZ_PORT: 'x' });
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toMatch(
    /^invalid value "x" of FLANNELD_HEALTHZ_PORT for -healthz-port: parse error\n/,
  );
});

test('it says what cannot work, and what has no effect, and exits with 1', () => {
  const { status, stderr } = run(
    FLANNELD,
    ['-kube-subnet-mgr', '-kubeconfig-file=/nowhere/kubeconfig', '-vmodule', 'x=1'],
    { NODE_NAME: 'n1' },
  );
  expect(status).toBe(1);
  expect(stderr).toContain('-vmodule has no effect: ');
  expect(stderr).toContain('/nowhere/kubeconfig');
});
