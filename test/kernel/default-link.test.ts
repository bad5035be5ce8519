import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KernelObject } from '#core/kernel/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { inNamespace } from './ip.ts';
import { NamespaceFolder } from './namespace-folder.ts';

const folder = new NamespaceFolder('default-link');
const namespace = folder.make('host');
let kernel: RealKernel;

beforeAll(async () => {
  kernel = RealKernel.open(namespace);
  const objects = ['up0', 'up1'].flatMap((name, at): KernelObject[] => [
    { kind: 'link', name, detail: { type: 'veth', peer: { name: `${name}-far` } }, up: true },
    { kind: 'link', name: `${name}-far`, detail: { type: 'veth' }, up: true },
    { kind: 'address', link: name, address: `10.${at}.0.1/24` },
    { kind: 'address', link: name, address: `fd0${at}::1/64`, noDad: true },
  ]);
  const ops = objects.map((object) =>
    object.kind === 'link' && object.name.endsWith('-far')
      ? ({ verb: 'replace', object, previous: { ...object, up: false } } as const)
      : ({ verb: 'add', object } as const),
  );
  expect((await kernel.apply(ops)).failures).toEqual([]);
});
afterAll(() => {
  kernel[Symbol.dispose]();
  folder[Symbol.dispose]();
});

const ip = (text: string) => inNamespace(namespace.path, 'ip', ...text.split(' '));

test.each([
  ['IPv4', '-4', '192.0.2.1', '10.0.0.2', '10.1.0.2'],
  ['IPv6', '-6', '2001:db8::1', 'fd00::2', 'fd01::2'],
])('the link of the default route of %s is found, and followed', (_name, family, world, first, second) => {
  expect(kernel.linkTo(world)).toBeUndefined();
  ip(`${family} route add default via ${first} dev up0 metric 200`);
  expect(kernel.linkTo(world)).toBe('up0');
  ip(`${family} route add default via ${second} dev up1 metric 100`);
  expect(kernel.linkTo(world)).toBe('up1');
  ip(`${family} route del default via ${second} dev up1 metric 100`);
  expect(kernel.linkTo(world)).toBe('up0');
  ip(`${family} route add unreachable default metric 50`);
  expect(kernel.linkTo(world)).toBeUndefined();
});
