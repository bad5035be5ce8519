import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { type BridgeVlans, CNI, type KernelObject, type Link, plan, stateOf } from '#core/kernel/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { inNetns, pings } from './cni-world.ts';
import { NamespaceFolder } from './namespace-folder.ts';
import { RouteWorld } from './rtnetlink-world.ts';

let world: RouteWorld;
/** Why the kernel cannot do any of this; undefined if it can. */
let lack: string | undefined;

beforeAll(() => {
  using probe = new RouteWorld();
  try {
    probe.add({ kind: 'link', name: 'br0', detail: { type: 'bridge', vlanFiltering: true } });
  } catch (error) {
    if (!String(error).includes('EOPNOTSUPP')) throw error;
    lack = 'the kernel has no VLAN filtering in bridges (CONFIG_BRIDGE_VLAN_FILTERING)';
  }
});
beforeEach(() => {
  world = new RouteWorld();
});
afterEach(() => world[Symbol.dispose]());

function requireFiltering(context: TestContext): void {
  if (lack !== undefined) context.skip(lack);
}

const ALIAS = CNI.alias;
const native = (from: number): BridgeVlans => ({ from, pvid: true, untagged: true });
const bridge: Link = {
  kind: 'link',
  name: 'br0',
  detail: { type: 'bridge', vlanFiltering: true },
  up: true,
  alias: ALIAS,
};
const port = (name: string, vlans?: readonly BridgeVlans[]): Link => ({
  kind: 'link',
  name,
  detail: { type: 'veth', peer: { name: `${name}-pod` } },
  up: true,
  master: 'br0',
  alias: ALIAS,
  ...(vlans === undefined ? {} : { vlans }),
});

/** What `bridge` lists of a link: each VLAN or range with its flags. */
function listed(name: string): string[] {
  const links = JSON.parse(world.run('bridge', '-j', '-compressvlans', 'vlan', 'show', 'dev', name)) as {
    vlans: { vlan: number; vlanEnd?: number; flags?: string[] }[];
  }[];
  return (links[0]?.vlans ?? []).map(({ vlan, vlanEnd, flags = [] }) =>
    [vlanEnd === undefined ? vlan : `${vlan}-${vlanEnd}`, ...flags].join(' '),
  );
}

const vlansOf = (name: string) => (world.mirror.state.get(`link ${name}`) as Link).vlans;

/** The mirror says what a fresh dump says, and returns it. */
function agreed(name: string): Link['vlans'] {
  expect(vlansOf(name)).toEqual((world.dumped().get(`link ${name}`) as Link).vlans);
  return vlansOf(name);
}

describe('VLANs of a bridge and its ports', () => {
  test('are those wished when a link is made, and the default ones where nothing is said', (context) => {
    requireFiltering(context);
    const trunk = [native(100), { from: 200, to: 299 }, { from: 301 }];
    world.add(
      { ...bridge, vlans: [{ from: 100 }] },
      port('p-default'),
      port('p-trunk', trunk),
      port('p-none', []),
    );
    expect(listed('br0')).toEqual(['100']);
    expect(agreed('br0')).toEqual([{ from: 100 }]);
    expect(listed('p-default')).toEqual(['1 PVID Egress Untagged']);
    expect(agreed('p-default')).toEqual([native(1)]);
    expect(listed('p-trunk')).toEqual(['100 PVID Egress Untagged', '200-299', '301']);
    expect(agreed('p-trunk')).toEqual(trunk);
    expect(listed('p-none')).toEqual([]);
    expect(agreed('p-none')).toBeUndefined();
    world.add({
      ...bridge,
      name: 'br1',
      detail: { type: 'bridge', vlanFiltering: true, vlanDefaultPvid: 7 },
    });
    world.add({ ...port('p-seven'), master: 'br1' });
    expect(agreed('p-seven')).toEqual([native(7)]);
    expect(agreed('br1')).toEqual([native(7)]);
  });

  test('are changed by differences, and set anew where the port gets another bridge', (context) => {
    requireFiltering(context);
    world.add(bridge, { ...bridge, name: 'br1' }, port('p0', [native(5), { from: 10, to: 20 }]));
    const steps: Partial<Link>[] = [
      { vlans: [native(6), { from: 10, to: 20 }] },
      { vlans: [native(6), { from: 5, untagged: true }, { from: 15, to: 30 }] },
      { vlans: [{ from: 6 }] },
      { vlans: [] },
      { vlans: [{ from: 1, to: 4093 }, native(4094)] },
      { vlans: [native(9)], master: 'br1' },
      { vlans: [native(9)], master: 'br0' },
      { master: '' },
    ];
    for (const step of steps) {
      const previous = world.mirror.state.get('link p0') as Link;
      world.apply({ verb: 'replace', object: { ...previous, ...step }, previous });
      const expected = step.master === '' || step.vlans?.length === 0 ? undefined : step.vlans;
      const sorted = [...(expected ?? [])].sort((a, b) => a.from - b.from);
      expect(agreed('p0') ?? [], JSON.stringify(step)).toEqual(sorted);
    }
  });

  test('are seen as others change them: each, the default of the bridge, and its filtering', (context) => {
    requireFiltering(context);
    world.add(bridge, port('p0'), port('p1', [native(50)]));
    world.run('bridge', 'vlan', 'add', 'dev', 'p0', 'vid', '30-40', 'untagged');
    world.run('bridge', 'vlan', 'add', 'dev', 'br0', 'vid', '60', 'self');
    world.run('bridge', 'vlan', 'del', 'dev', 'p1', 'vid', '50');
    world.drain();
    expect(agreed('p0')).toEqual([native(1), { from: 30, to: 40, untagged: true }]);
    expect(agreed('p1')).toBeUndefined();
    expect(agreed('br0')).toEqual([native(1), { from: 60 }]);
    world.ip('link', 'set', 'br0', 'type', 'bridge', 'vlan_default_pvid', '3');
    world.drain();
    expect(agreed('p0')).toEqual([native(3), { from: 30, to: 40, untagged: true }]);
    expect(agreed('br0')).toEqual([native(3), { from: 60 }]);
    world.ip('link', 'set', 'p0', 'down');
    world.ip('link', 'set', 'p0', 'name', 'p9');
    world.ip('link', 'set', 'p9', 'up');
    world.drain();
    expect(agreed('p9')).toEqual([native(3), { from: 30, to: 40, untagged: true }]);
    world.ip('link', 'set', 'br0', 'type', 'bridge', 'vlan_filtering', '0');
    world.ip('link', 'set', 'p9', 'nomaster');
    world.drain();
    expect(agreed('p9')).toBeUndefined();
    expect(world.mirror.state.get('link br0')).toMatchObject({ detail: { vlanFiltering: false } });
  });

  test('are mended like everything else that is wished', async (context) => {
    requireFiltering(context);
    using kernel = RealKernel.open(world.near);
    const wish: KernelObject[] = [
      { ...bridge, detail: { type: 'bridge', vlanFiltering: true, vlanDefaultPvid: 4 } },
      port('p0', [native(10), { from: 20, to: 29 }]),
    ];
    const reach = async () => {
      const { ops } = plan(stateOf(wish), kernel.state(), { owners: [CNI] });
      expect((await kernel.apply(ops)).failures).toEqual([]);
      return ops.map(({ verb, object }) => `${verb} ${object.kind === 'link' ? object.name : object.kind}`);
    };
    expect(await reach()).toEqual(['add br0', 'add p0']);
    expect(await reach()).toEqual([]);
    world.run('bridge', 'vlan', 'del', 'dev', 'p0', 'vid', '20-25');
    world.run('bridge', 'vlan', 'add', 'dev', 'p0', 'vid', '77', 'pvid');
    expect(await reach()).toEqual(['replace p0']);
    expect(listed('p0')).toEqual(['10 PVID Egress Untagged', '20-29']);
    world.ip('link', 'set', 'br0', 'type', 'bridge', 'vlan_default_pvid', '1', 'vlan_filtering', '0');
    expect(await reach()).toEqual(['replace br0']);
    expect(await reach()).toEqual([]);
    world.ip('link', 'del', 'br0');
    expect(await reach()).toEqual(['add br0', 'replace p0']);
    expect(listed('p0')).toEqual(['10 PVID Egress Untagged', '20-29']);
    expect(await reach()).toEqual([]);
  });
});

describe('packets', () => {
  const folder = new NamespaceFolder('vlans');
  afterAll(() => folder[Symbol.dispose]());

  /** A pod with addresses of both families, on a port with these VLANs; its link carries tags if `tag` is given. */
  function attach(name: string, host: number, vlans: readonly BridgeVlans[], tag?: number): string {
    const { path } = folder.make(name);
    const detail = { type: 'veth', peer: { name: `${name}-pod` } } as const;
    world.add({ ...port(name, vlans), detail });
    world.ip('link', 'set', `${name}-pod`, 'netns', path, 'name', 'eth0');
    const ip = (...args: string[]) => inNetns(path, 'ip', ...args);
    if (tag !== undefined)
      ip('link', 'add', 'link', 'eth0', 'name', 'tagged', 'type', 'vlan', 'id', String(tag));
    const device = tag === undefined ? 'eth0' : 'tagged';
    ip('address', 'add', `10.8.0.${host}/24`, 'dev', device);
    ip('address', 'add', `fd08::${host}/64`, 'dev', device, 'nodad');
    for (const link of new Set(['eth0', device])) ip('link', 'set', link, 'up');
    return path;
  }

  const reaches = (netns: string, host: number) =>
    [`10.8.0.${host}`, `fd08::${host}`].map((address) => pings(netns, address));

  test('go from port to port of one VLAN and no other, untagged and tagged, over IPv4 and IPv6', (context) => {
    requireFiltering(context);
    world.add(bridge);
    const red = attach('red', 1, [native(10)]);
    attach('red2', 2, [native(10)]);
    attach('blue', 3, [native(20)]);
    expect(reaches(red, 2)).toEqual([true, true]);
    expect(reaches(red, 3)).toEqual([false, false]);
    try {
      attach('trunk', 4, [{ from: 10, to: 19 }], 10);
    } catch (error) {
      if (!String(error).includes('type')) throw error;
      context.skip('the kernel has no vlan links (CONFIG_VLAN_8021Q)');
    }
    expect(reaches(red, 4)).toEqual([true, true]);
    const previous = world.mirror.state.get('link trunk') as Link;
    world.apply({ verb: 'replace', object: { ...previous, vlans: [{ from: 11, to: 19 }] }, previous });
    expect(reaches(red, 4)).toEqual([false, false]);
  });
});
