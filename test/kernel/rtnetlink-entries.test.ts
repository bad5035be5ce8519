import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KernelObject, keyOf, type Neighbour } from '#core/kernel/index.ts';
import { RouteWorld } from './rtnetlink-world.ts';

let world: RouteWorld;

beforeAll(() => {
  world = new RouteWorld();
  world.addGround();
});
afterAll(() => world[Symbol.dispose]());

describe('neighbours and forwarding entries', () => {
  test.each([
    ['IPv4', '10.77.0.0'],
    ['IPv6', 'fd77::'],
  ])('a permanent %s neighbour, which takes the place of a learned one', (_name, address) => {
    const entry: Neighbour = {
      kind: 'neighbour',
      link: 'vxlan4',
      address,
      mac: '0a:00:00:00:07:07',
      protocol: 112,
    };
    world.ip('neigh', 'add', address, 'lladdr', '0a:00:00:00:07:01', 'dev', 'vxlan4', 'nud', 'stale');
    world.add(entry);
    expect(world.seen(entry)).toEqual(entry);
    expect(world.ipJson('neigh', 'show', address)).toEqual([
      expect.objectContaining({ dev: 'vxlan4', lladdr: entry.mac, state: ['PERMANENT'], protocol: '112' }),
    ]);
    const moved = { ...entry, mac: '0a:00:00:00:07:08' };
    world.apply({ verb: 'replace', object: moved, previous: entry });
    expect(world.seen(entry)).toEqual(moved);
    const given = { ...moved, protocol: 113 };
    world.apply({ verb: 'replace', object: given, previous: moved });
    expect(world.seen(entry)).toEqual(given);
    world.remove(moved);
    expect(world.seen(entry)).toBeUndefined();
  });

  test('a neighbour that somebody makes temporary or another’s is ours no more', () => {
    const entry: Neighbour = {
      kind: 'neighbour',
      link: 'vxlan4',
      address: '10.77.0.1',
      mac: '0a:00:00:00:07:07',
      protocol: 112,
    };
    world.add(entry);
    world.ip('neigh', 'replace', entry.address, 'lladdr', entry.mac, 'dev', 'vxlan4', 'nud', 'stale');
    world.drain();
    expect(world.seen(entry)).toBeUndefined();
  });

  const shownFdb = () =>
    (JSON.parse(world.run('bridge', '-j', 'fdb', 'show', 'dev', 'vxlan4')) as { mac: string; dst: string }[])
      .filter(({ dst }) => dst !== undefined)
      .map(({ mac, dst }) => `${mac} ${dst}`);

  test.each([
    ['IPv4', 'vxlan4', '192.0.2.1', '192.0.2.2'],
    ['IPv6', 'vxlan6', '2001:db8::1', '2001:db8::2'],
  ])('an entry with an %s destination is added, moved and removed', (_name, link, dst, next) => {
    const entry = { kind: 'fdb', link, mac: '0a:00:00:00:08:08', dst } as const;
    world.add(entry);
    expect(world.seen(entry)).toEqual(entry);
    if (link === 'vxlan4') expect(shownFdb()).toEqual([`${entry.mac} ${dst}`]);
    const moved = { ...entry, dst: next };
    world.apply({ verb: 'replace', object: moved, previous: entry });
    expect(world.seen(entry)).toEqual(moved);
    if (link === 'vxlan4') expect(shownFdb()).toEqual([`${entry.mac} ${next}`]);
    world.remove(moved);
    expect(world.seen(entry)).toBeUndefined();
  });

  test('the all-zero MAC floods to many', () => {
    const flood = (dst: string) => ({ kind: 'fdb', link: 'vxlan4', mac: '00:00:00:00:00:00', dst }) as const;
    world.add(flood('192.0.2.1'), flood('192.0.2.2'));
    expect(shownFdb().sort()).toEqual(['00:00:00:00:00:00 192.0.2.1', '00:00:00:00:00:00 192.0.2.2']);
    world.remove(flood('192.0.2.1'));
    expect(world.seen(flood('192.0.2.1'))).toBeUndefined();
    expect(world.seen(flood('192.0.2.2'))).toEqual(flood('192.0.2.2'));
    expect(world.dumped().get(keyOf(flood('192.0.2.2')))).toEqual(flood('192.0.2.2'));
    world.remove(flood('192.0.2.2'));
  });
});

describe('rules', () => {
  test.each<[string, KernelObject & { kind: 'rule' }, object]>([
    [
      'by mark, to a table above 255',
      {
        kind: 'rule',
        family: 4,
        priority: 900,
        mark: { value: 0x10, mask: 0xf0 },
        table: 70_000,
        protocol: 112,
      },
      { priority: 900, fwmark: '0x10', fwmask: '0xf0', table: '70000', protocol: '112' },
    ],
    [
      'by mark zero',
      { kind: 'rule', family: 6, priority: 901, mark: { value: 0, mask: 0xf0 }, table: 77, protocol: 113 },
      { priority: 901, table: '77' },
    ],
    [
      'by source and destination',
      {
        kind: 'rule',
        family: 4,
        priority: 902,
        from: '10.0.0.0/8',
        to: '10.1.0.0/16',
        table: 77,
        protocol: 112,
      },
      { src: '10.0.0.0', srclen: 8, dst: '10.1.0.0', dstlen: 16 },
    ],
    [
      'by IPv6 source and destination',
      { kind: 'rule', family: 6, priority: 903, from: 'fd00::/8', to: 'fd01::/64', table: 77, protocol: 112 },
      { src: 'fd00::', srclen: 8, dst: 'fd01::', dstlen: 64 },
    ],
    [
      'by links',
      {
        kind: 'rule',
        family: 4,
        priority: 904,
        inputLink: 'cni0',
        outputLink: 'nowhere0',
        table: 77,
        protocol: 112,
      },
      { iif: 'cni0', oif: 'nowhere0' },
    ],
  ])('%s', (_name, rule, shown) => {
    const list = () => world.ipJson(`-${rule.family}`, 'rule', 'show', 'pref', String(rule.priority));
    world.add(rule);
    expect(world.seen(rule)).toEqual(rule);
    expect(list()).toEqual([expect.objectContaining(shown)]);
    expect(world.dumped().get(keyOf(rule))).toEqual(rule);
    const other = { ...rule, protocol: 114 };
    world.apply({ verb: 'replace', object: other, previous: rule });
    expect(world.seen(rule)).toEqual(other);
    expect(list().length).toBe(1);
    world.remove(other);
    expect(world.seen(rule)).toBeUndefined();
    expect(list()).toEqual([]);
  });
});
