import { closeSync, constants, openSync, readSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type KernelObject, LAB, type Link, plan, stateOf } from '#core/kernel/index.ts';
import { PodKernel, RealKernel } from '#io/kernel/index.ts';
import { runIn } from '#io/namespace/index.ts';
import { nativeAddon } from '#io/native/index.ts';
import { inNamespace } from './ip.ts';
import { NamespaceFolder } from './namespace-folder.ts';
import { openDescriptors } from './netlink-socket-messages.ts';

const TUNSETIFF = 0x400454ca;
const IFF_TUN = 0x1;
const IFF_NO_PI = 0x1000;
const folder = new NamespaceFolder('tun');
const namespace = folder.make('a');
let kernel: RealKernel;

beforeAll(() => {
  kernel = RealKernel.open(namespace);
});
afterEach(async () => {
  const links = [...kernel.state().values()].filter((each) => each.kind === 'link' && each.name !== 'lo');
  await kernel.apply(links.map((object) => ({ verb: 'remove', object })));
});
afterAll(() => {
  kernel[Symbol.dispose]();
  folder[Symbol.dispose]();
});

const add = (...objects: KernelObject[]) => kernel.apply(objects.map((object) => ({ verb: 'add', object })));
/** What `ip` says of the devices there are, by name. */
function devices(): Record<string, Record<string, unknown>> {
  const links = JSON.parse(inNamespace(namespace.path, 'ip', '-j', '-d', 'link', 'show')) as {
    ifname: string;
    linkinfo?: { info_kind?: string; info_data?: Record<string, unknown> };
  }[];
  const found = links.filter(({ linkinfo }) => linkinfo?.info_kind === 'tun');
  return Object.fromEntries(found.map((link) => [link.ifname, { ...link, ...link.linkinfo?.info_data }]));
}

const tap: Link = {
  kind: 'link',
  name: 'tap0',
  detail: { type: 'tun', mode: 'tap', multiQueue: true, owner: 1234, group: 2 ** 32 - 2 },
  up: true,
  mac: '0a:58:0a:00:00:07',
  mtuBytes: 1400,
  alias: LAB.alias,
  addressGeneration: 'none',
};

describe('a TUN or TAP device', () => {
  test('is made as wished, stays without a program, and nothing of it is left to plan', async () => {
    const before = openDescriptors();
    const bridge: Link = {
      kind: 'link',
      name: 'br0',
      detail: { type: 'bridge' },
      up: true,
      alias: LAB.alias,
    };
    const wish = [bridge, { ...tap, master: 'br0' }];
    expect((await add(...wish)).failures).toEqual([]);
    expect(kernel.state().get('link tap0')).toMatchObject(wish[1] as Link);
    expect(plan(stateOf(wish), kernel.state(), { owners: [LAB] })).toEqual({ ops: [], conflicts: [] });
    expect(devices()['tap0']).toMatchObject({
      type: 'tap',
      persist: true,
      multi_queue: true,
      pi: false,
      vnet_hdr: false,
      user: 1234,
      group: 2 ** 32 - 2,
      master: 'br0',
      mtu: 1400,
      address: '0a:58:0a:00:00:07',
    });
    expect(openDescriptors()).toBe(before);
  });

  test('shows who may open it even where it is down and has no other setting', async () => {
    const plain: Link = { kind: 'link', name: 'tun0', detail: { type: 'tun', mode: 'tun', owner: 7 } };
    expect((await add(plain)).failures).toEqual([]);
    expect(kernel.state().get('link tun0')).toMatchObject({
      detail: { type: 'tun', mode: 'tun', multiQueue: false, owner: 7 },
      up: false,
    });
    kernel.resync();
    expect(kernel.state().get('link tun0')).not.toHaveProperty('detail.group');
  });

  test.each(['another device', 'a link of another kind'])('does not take the name of %s', async (what) => {
    const taken: Link = { ...tap, detail: what === 'another device' ? tap.detail : { type: 'bridge' } };
    await add(taken);
    const before = openDescriptors();
    const { failures } = await add({ ...tap, mac: '0a:58:0a:00:00:08' });
    expect(failures.map(({ code, message }) => [code, message])).toEqual([
      ['EEXIST', expect.stringMatching(/^add link tap0 type tun mode tap .*: exists already \(EEXIST\)$/)],
    ]);
    expect(kernel.state().get('link tap0')).toMatchObject(taken);
    expect(openDescriptors()).toBe(before);
  });

  test('that cannot be set up as wished is not there at all', async () => {
    const before = openDescriptors();
    for (const wrong of [{ master: 'nowhere' }, { mac: '01:00:00:00:00:01' }, { mtuBytes: 3 }])
      expect((await add({ ...tap, ...wrong })).failures, JSON.stringify(wrong)).toHaveLength(1);
    expect(devices()).toEqual({});
    expect(kernel.state().has('link tap0')).toBe(false);
    expect(openDescriptors()).toBe(before);
  });

  test.each(['', 'tap%d', 'sixteen-bytes-xx'])('is not made under the name "%s"', async (name) => {
    const { failures } = await add({ ...tap, name });
    expect(failures[0]?.message).toContain('a name has 1 to 15 bytes');
    expect(devices()).toEqual({});
  });

  test('is made anew for another owner, and removed', async () => {
    await add(tap);
    const wish: Link = { ...tap, detail: { ...tap.detail, owner: 99 } as Link['detail'] };
    const { ops } = plan(stateOf([wish]), kernel.state(), { owners: [LAB] });
    expect((await kernel.apply(ops)).failures).toEqual([]);
    expect(ops.map(({ verb }) => verb)).toEqual(['remove', 'add']);
    expect(devices()['tap0']).toMatchObject({ user: 99 });
    await kernel.apply([{ verb: 'remove', object: wish }]);
    expect(devices()).toEqual({});
  });

  test('is made in a pod, where a program opens it and gets what the pod sends, over IPv4 and IPv6', async () => {
    const pod = folder.make('pod');
    using inside = PodKernel.open(pod.path);
    const tun: Link = { kind: 'link', name: 'eth0', detail: { type: 'tun', mode: 'tun' }, up: true };
    const failures = await inside.apply(
      [
        tun,
        { kind: 'address', link: 'eth0', address: '10.9.0.1/24' } as const,
        { kind: 'address', link: 'eth0', address: 'fd09::1/64', noDad: true } as const,
      ].map((object) => ({ verb: 'add', object })),
    );
    expect(failures).toEqual([]);
    expect(kernel.state().has('link eth0')).toBe(false);
    const device = attach(pod.path, 'eth0');
    try {
      for (const [to, headerBytes] of [
        ['10.9.0.2', 28],
        ['fd09::2', 48],
      ] as const) {
        inNamespace(pod.path, 'python3', '-c', SEND, to);
        const texts = packets(device).map((packet) => packet.subarray(headerBytes).toString());
        expect(texts).toContain(`to ${to}`);
      }
    } finally {
      closeSync(device);
    }
  });
});

const SEND = `
import socket, sys
to = sys.argv[1]
family = socket.AF_INET6 if ':' in to else socket.AF_INET
socket.socket(family, socket.SOCK_DGRAM).sendto(('to ' + to).encode(), (to, 9))
`;

/** Opens a device that is there already. */
function attach(netns: string, name: string): number {
  using inside = PodKernel.open(netns);
  const fd = runIn(inside.namespace, () => openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK));
  const request = Buffer.alloc(40);
  request.write(name);
  request.writeUInt16LE(IFF_TUN | IFF_NO_PI, 16);
  nativeAddon().ioctl(fd, TUNSETIFF, request);
  return fd;
}

/** What waits to be read. */
function packets(fd: number): Buffer[] {
  const found: Buffer[] = [];
  for (;;) {
    const packet = Buffer.alloc(2048);
    try {
      found.push(packet.subarray(0, readSync(fd, packet)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      return found;
    }
  }
}
