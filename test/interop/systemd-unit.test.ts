/** The units of deploy/systemd and docs/examples, read by systemd. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const PROGRAM = '/usr/local/bin/poplin';

test.for([
  ['docs/examples/poplin.service', `ExecStart=${PROGRAM} agent --cni-only\n`, 'KillMode'],
  ['deploy/systemd/poplin-agent.service', `ExecStart=${PROGRAM} agent $POPLIN_AGENT_FLAGS\n`, 'KillMode'],
  [
    'deploy/systemd/docker.service.d/poplin.conf',
    `ExecStartPre=${PROGRAM} docker-opts -c -k DOCKER_NETWORK_OPTIONS\n`,
    'EnvironmentFile',
  ],
  ['deploy/systemd/poplin-apiserver.service', `ExecStart=${PROGRAM} apiserver `, 'StateDirectoryMode'],
] as const)('systemd takes %s, and would refuse a misspelt one', ([file, line, key], { skip }) => {
  const text = readFileSync(join(ROOT, file), 'utf8');
  expect(text).toContain(line);
  const folder = mkdtempSync(join(tmpdir(), 'poplin-unit-'));
  try {
    // Neither the program nor Docker need be installed here.
    const unit = text.replace(PROGRAM, process.execPath).replace('/usr/sbin/dockerd', process.execPath);
    expect(said(folder, unit, skip)).toBe('');
    expect(said(folder, unit.replace(`${key}=`, `${key}x=`), skip)).toContain(`${key}x`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function said(folder: string, unit: string, skip: (why: string) => never): string {
  const path = join(folder, 'poplin.service');
  writeFileSync(path, unit);
  try {
    const command = 'exec systemd-analyze verify --man=no "$1" 2>&1';
    return execFileSync('sh', ['-c', command, 'sh', path], { encoding: 'utf8' });
  } catch (error) {
    const { status, stdout } = error as { status: number; stdout: string };
    if (status === 127) skip('systemd-analyze is not installed');
    return stdout;
  }
}
