/** What happens to the mirror of a namespace when notifications or dumps fail: it heals without anybody asking for the state. */
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createNamespace, type Namespace, removeNamespace } from '#io/namespace/index.ts';
import { listen } from './heard.ts';
import { inNamespace } from './ip.ts';

const folder = mkdtempSync(join(tmpdir(), 'poplin-recovery-'));
const path = join(folder, 'net');
const batch = join(folder, 'batch');
let namespace: Namespace;

beforeAll(() => {
  namespace = createNamespace(path);
  inNamespace(path, 'ip', 'link', 'set', 'lo', 'up');
  const routes = Array.from({ length: 2000 }, (_, i) => [
    `route replace 10.${i >> 8}.${i & 255}.0/24 dev lo table 77`,
    `route replace fd00:${i.toString(16)}::/64 dev lo table 77`,
  ]);
  writeFileSync(batch, routes.flat().join('\n'));
});

afterAll(() => {
  namespace.close();
  removeNamespace(path);
  rmSync(folder, { recursive: true });
});

/** The event loop stands still meanwhile. */
function flood(): void {
  inNamespace(path, 'ip', '-batch', batch);
}

const soon = { timeout: 10_000, interval: 10 };

test('after an overrun the kernel is read anew, and later changes are announced, time and again', async () => {
  const { heard } = listen(namespace, { receiveBufferBytes: 64 * 1024 });
  for (const round of [1, 2]) {
    flood();
    await expect.poll(() => heard.resyncs, soon).toBe(round);
    inNamespace(path, 'ip', 'link', 'add', `later${round}`, 'type', 'bridge');
    await expect.poll(() => heard.keys, soon).toContain(`link later${round}`);
    expect(heard.resyncs).toBe(round);
  }
});

test('changes that nobody could hear in an overrun are told', async () => {
  const { kernel, heard } = listen(namespace, { receiveBufferBytes: 64 * 1024 });
  flood();
  inNamespace(path, 'ip', 'link', 'add', 'unheard', 'type', 'bridge');
  await expect.poll(() => heard.keys, soon).toContain('link unheard');
  expect(heard.resyncs).toBe(1);
  expect(kernel.state().has('link unheard')).toBe(true);
});

test('what fails in the event loop is reported, tried again until it succeeds, and then told as a resync', async () => {
  const errors: unknown[] = [];
  const { kernel, heard } = listen(namespace, { onError: (error) => errors.push(error) });
  kernel.trackSysctls(['net/ipv4/conf/starved/forwarding', 'net/ipv6/conf/starved/forwarding']);
  const ip = spawn(
    'nsenter',
    [`--net=${path}`, 'sh', '-c', 'echo ready; read line; ip link add starved type bridge; read line'],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  );
  onTestFinished(() => void ip.stdin.end());
  await new Promise((resolve) => ip.stdout.once('data', resolve));
  // Its pipes stay open meanwhile: closed, they would leave descriptors to others.
  {
    using _nothing = withoutDescriptors();
    ip.stdin.write('go\n');
    // The second failure is that of the retry.
    await expect.poll(() => errors.length, soon).toBeGreaterThanOrEqual(2);
    expect(String(errors[0])).toContain('EMFILE');
    expect(() => kernel.state()).toThrow('EMFILE');
    expect(heard.resyncs).toBe(0);
  }
  await expect.poll(() => heard.resyncs, soon).toBe(1);
  expect(heard.keys).toContain('link starved');
  expect(kernel.state().get('sysctl net/ipv6/conf/starved/forwarding')).toMatchObject({ value: '0' });
});

test('sysctls of any link name are followed, and paths that cannot be read are absent', () => {
  const { kernel } = listen(namespace);
  inNamespace(path, 'ip', 'link', 'add', 'br+0', 'type', 'bridge');
  const good = ['net/ipv4/conf/br+0/forwarding', 'net/ipv6/conf/br+0/forwarding'];
  const bad = [
    '',
    'net/../kernel/hostname',
    'net/ipv4/a\0b',
    'net/ipv4',
    'net/ipv4/ip_forward/x',
    'net/ipv4/route/flush',
    `net/ipv4/${'x'.repeat(300)}`,
  ];
  kernel.trackSysctls([...bad, ...good]);
  kernel.resync();
  const state = kernel.state();
  for (const key of good) expect(state.get(`sysctl ${key}`)).toMatchObject({ value: '0' });
  for (const key of bad) expect(state.has(`sysctl ${key}`)).toBe(false);
});

/** This process can open nothing until the end of the block. */
function withoutDescriptors(): Disposable {
  const limit = (soft: string) => execFileSync('prlimit', ['--pid', `${process.pid}`, `--nofile=${soft}:`]);
  const before = execFileSync(
    'prlimit',
    ['--pid', `${process.pid}`, '--nofile', '-o', 'SOFT', '--noheadings'],
    {
      encoding: 'utf8',
    },
  ).trim();
  const taken: number[] = [];
  limit('64');
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    // Full.
  }
  return {
    [Symbol.dispose]: () => {
      for (const fd of taken) closeSync(fd);
      limit(before);
    },
  };
}
