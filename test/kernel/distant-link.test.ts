import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { KernelObject, Link } from '#core/kernel/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { inNamespace } from './ip.ts';
import { NamespaceFolder } from './namespace-folder.ts';

const folder = new NamespaceFolder('distant');
const host = folder.make('host');
const pod = folder.make('pod');
let kernel: RealKernel;

const add = async (...objects: KernelObject[]) =>
  (await kernel.apply(objects.map((object) => ({ verb: 'add', object })))).failures;
const uplink: Link = {
  kind: 'link',
  name: 'eth0',
  detail: { type: 'veth', peer: { name: 'outside' } },
  up: true,
};
/** The same name as the link it stands on, as in nearly every pod. */
const macvlan: Link = {
  kind: 'link',
  name: 'eth0',
  detail: { type: 'macvlan', parent: 'eth0', mode: 'bridge' },
  mac: '0a:58:0a:00:00:09',
  mtuBytes: 1400,
  netns: pod.path,
};
const podLinks = () =>
  (JSON.parse(inNamespace(pod.path, 'ip', '-j', '-d', 'link', 'show')) as { ifname: string }[]).filter(
    ({ ifname }) => ifname !== 'lo',
  );

beforeAll(async () => {
  kernel = RealKernel.open(host);
  expect(await add(uplink)).toEqual([]);
});
afterEach(() => {
  for (const { ifname } of podLinks()) inNamespace(pod.path, 'ip', 'link', 'del', ifname);
});
afterAll(() => {
  kernel[Symbol.dispose]();
  folder[Symbol.dispose]();
});

test('a link is made in a pod under a name that the host has, too', async () => {
  expect(await add(macvlan)).toEqual([]);
  expect(podLinks()).toEqual([
    expect.objectContaining({ ifname: 'eth0', address: '0a:58:0a:00:00:09', mtu: 1400 }),
  ]);
  expect(kernel.state().get('link eth0')).toMatchObject({ detail: { type: 'veth' } });
});

test('a name that the pod has is refused, and nothing is left', async () => {
  inNamespace(pod.path, 'ip', 'link', 'add', 'eth0', 'type', 'bridge');
  const failures = await add(macvlan);
  expect(failures.map(({ code, message }) => [code, message])).toEqual([
    ['EEXIST', expect.stringMatching(/^add link eth0 type macvlan .*\(EEXIST\)$/)],
  ]);
  expect(podLinks().map(({ ifname }) => ifname)).toEqual(['eth0']);
});

test('what an attempt left that was broken off is no obstacle', async () => {
  expect(await add(macvlan)).toEqual([]);
  const { ifname } = podLinks()[0] as { ifname: string };
  // As it was called for a moment, see distant-link.ts.
  inNamespace(pod.path, 'ip', 'link', 'set', ifname, 'name', 'pop-68a73a4328');
  expect(await add(macvlan)).toEqual([]);
  expect(podLinks().map((link) => link.ifname)).toEqual(['eth0']);
});

test.each([
  [{ detail: { type: 'macvlan', parent: 'nowhere', mode: 'bridge' } } as const, 'ENODEV'],
  [{ netns: '/nowhere' }, 'ENOENT'],
  [{ mac: '01:00:00:00:00:01' }, 'EADDRNOTAVAIL'],
])('a wrong wish is told: %o', async (wrong, code) => {
  expect((await add({ ...macvlan, ...wrong })).map((failure) => failure.code)).toEqual([code]);
  expect(podLinks()).toEqual([]);
});
