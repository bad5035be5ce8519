/** Sysctls, whose changes nothing announces: when they are read, and when what was written counts as read. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KernelOp } from '#core/kernel/index.ts';
import {
  createNamespace,
  type Namespace,
  readSysctl,
  removeNamespace,
  writeSysctls,
} from '#io/namespace/index.ts';
import { listen } from './heard.ts';

const folder = mkdtempSync(join(tmpdir(), 'poplin-sysctls-'));
const path = join(folder, 'net');
let namespace: Namespace;

beforeAll(() => {
  namespace = createNamespace(path);
});

afterAll(() => {
  namespace.close();
  removeNamespace(path);
  rmSync(folder, { recursive: true });
});

const AGE_MS = 60_000;
const FORWARDING = ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding'];

const bridge = (name: string): KernelOp => ({
  verb: 'add',
  object: { kind: 'link', name, detail: { type: 'bridge' }, up: true },
});
const sysctl = (path: string, value: string): KernelOp => ({
  verb: 'add',
  object: { kind: 'sysctl', path, value },
});

test('what was read lately may stay as it was; all else, and all whose age is not given, is read', () => {
  const { kernel } = listen(namespace);
  const shown = () => FORWARDING.map((each) => kernel.state().get(`sysctl ${each}`));
  const values = (value: string) => FORWARDING.map((each) => expect.objectContaining({ path: each, value }));
  const write = (value: string) =>
    writeSysctls(
      namespace,
      FORWARDING.map((each) => [each, value] as const),
    );
  kernel.trackSysctls(FORWARDING, AGE_MS);
  expect(shown()).toEqual(values('0'));
  write('1');
  kernel.trackSysctls(FORWARDING, AGE_MS);
  expect(shown()).toEqual(values('0'));
  kernel.trackSysctls(FORWARDING);
  expect(shown()).toEqual(values('1'));
  write('0');
  kernel.resync();
  expect(shown()).toEqual(values('0'));
});

test('of a link that is made they are known as they were written, refused ones as they are, and gone with it', async () => {
  const { kernel } = listen(namespace);
  const [set, refused] = ['net/ipv4/conf/br0/arp_notify', 'net/ipv6/conf/br0/mtu'];
  kernel.trackSysctls([set, refused], AGE_MS);
  for (const value of ['1', '2']) {
    const { failures } = await kernel.apply([bridge('br0'), sysctl(set, value), sysctl(refused, '5')]);
    expect(failures.map(({ op, code }) => [op.object, code])).toEqual([
      [sysctl(refused, '5').object, 'EINVAL'],
    ]);
    expect(kernel.state().get(`sysctl ${set}`)).toMatchObject({ value });
    expect(readSysctl(namespace, set)).toBe(value);
    expect(kernel.state().get(`sysctl ${refused}`)).toMatchObject({ value: '1500' });
    await kernel.apply([{ verb: 'remove', object: bridge('br0').object }]);
    expect(kernel.state().has(`sysctl ${set}`)).toBe(false);
    kernel.trackSysctls([set, refused], AGE_MS);
  }
});

test('what holds for all links changes those of each: then they are read, whatever was written', async () => {
  const { kernel } = listen(namespace);
  const [own, all] = ['net/ipv6/conf/br1/forwarding', 'net/ipv6/conf/all/forwarding'];
  await kernel.apply([bridge('br1'), sysctl(own, '0'), sysctl(all, '1')]);
  expect(kernel.state().get(`sysctl ${own}`)).toMatchObject({ value: '1' });
  expect(kernel.state().get(`sysctl ${all}`)).toMatchObject({ value: '1' });
});
