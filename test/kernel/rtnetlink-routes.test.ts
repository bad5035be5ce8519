import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type KernelObject, keyOf, plan, type Route, stateOf } from '#core/kernel/index.ts';
import { RouteWorld } from './rtnetlink-world.ts';

let world: RouteWorld;

beforeAll(() => {
  world = new RouteWorld();
  world.addGround();
});
afterAll(() => world[Symbol.dispose]());

describe('addresses', () => {
  test.each<[string, KernelObject & { kind: 'address' }, object]>([
    [
      'IPv4',
      {
        kind: 'address',
        link: 'cni0',
        address: '10.1.0.1/24',
        scope: 'global',
        noDad: false,
        noPrefixRoute: false,
      },
      { family: 'inet', local: '10.1.0.1', prefixlen: 24, scope: 'global' },
    ],
    [
      'IPv4 of link scope without a prefix route',
      {
        kind: 'address',
        link: 'cni0',
        address: '169.254.1.1/32',
        scope: 'link',
        noDad: false,
        noPrefixRoute: true,
      },
      { local: '169.254.1.1', scope: 'link', noprefixroute: true },
    ],
    [
      'IPv6 without duplicate detection',
      {
        kind: 'address',
        link: 'cni0',
        address: 'fd01::1/64',
        scope: 'global',
        noDad: true,
        noPrefixRoute: false,
      },
      { family: 'inet6', local: 'fd01::1', prefixlen: 64, nodad: true },
    ],
    [
      'IPv6 link-local without a prefix route',
      {
        kind: 'address',
        link: 'cni0',
        address: 'fe80::1/64',
        scope: 'link',
        noDad: true,
        noPrefixRoute: true,
      },
      { local: 'fe80::1', scope: 'link', nodad: true, noprefixroute: true },
    ],
  ])('%s', (_name, address, shown) => {
    const list = () =>
      world
        .ipJson<{ addr_info: object[] }>('address', 'show', 'dev', 'cni0')
        .flatMap((entry) => entry.addr_info);
    world.add(address);
    expect(world.seen(address)).toEqual(address);
    expect(list()).toContainEqual(expect.objectContaining(shown));
    world.apply({
      verb: 'replace',
      object: address,
      previous: { ...address, noPrefixRoute: !address.noPrefixRoute },
    });
    expect(world.seen(address)).toEqual(address);
    world.remove(address);
    expect(world.seen(address)).toBeUndefined();
    expect(list()).not.toContainEqual(expect.objectContaining(shown));
  });
});

describe('routes', () => {
  beforeAll(() => {
    world.add(
      { kind: 'address', link: 'cni0', address: '10.1.0.1/24' },
      { kind: 'address', link: 'cni0', address: 'fd01::1/64', noDad: true },
      { kind: 'address', link: 'vxlan4', address: '10.2.0.1/24' },
      { kind: 'address', link: 'vxlan4', address: 'fd02::1/64', noDad: true },
    );
  });

  afterEach(() => {
    for (const family of ['-4', '-6']) {
      for (const protocol of ['112', 'static'])
        world.ip(family, 'route', 'flush', 'table', 'all', 'proto', protocol);
    }
    world.drain();
  });

  type RouteCase = readonly [string, KernelObject & { kind: 'route' }, object];
  const of = (family: 4 | 6, a: string, b: string) => (family === 4 ? a : b);
  const cases = (family: 4 | 6): RouteCase[] => {
    const dst = of(family, '10.9.0.0/24', 'fd09::/64');
    const near = of(family, '10.1.0.9', 'fd01::9');
    const other = of(family, '10.2.0.9', 'fd02::9');
    const own = of(family, '10.1.0.1', 'fd01::1');
    const scoped = (scope: NonNullable<Route['scope']>) => (family === 4 ? { scope } : {});
    const metric = family === 4 ? 0 : 1024;
    const common = { kind: 'route', dst, metric, protocol: 112 } as const;
    const hop = { via: near, link: 'cni0' };
    return [
      ['via a gateway', { ...common, ...scoped('global'), nextHops: [hop] }, { gateway: near, dev: 'cni0' }],
      ['by a link', { ...common, ...scoped('link'), nextHops: [{ link: 'cni0' }] }, { dev: 'cni0' }],
      [
        'on link, via a gateway outside every prefix',
        {
          ...common,
          ...scoped('global'),
          nextHops: [{ via: of(family, '10.77.0.0', 'fd77::'), link: 'vxlan4', onlink: true }],
        },
        { gateway: of(family, '10.77.0.0', 'fd77::'), flags: expect.arrayContaining(['onlink']) },
      ],
      [
        'with metric, source, MTU and MSS',
        {
          ...common,
          ...scoped('global'),
          metric: 77,
          preferredSource: own,
          mtuBytes: 1300,
          advMssBytes: 1200,
          nextHops: [hop],
        },
        { metric: 77, prefsrc: own, metrics: [{ mtu: 1300, advmss: 1200 }] },
      ],
      [
        'in a table above 255',
        { ...common, ...scoped('global'), table: 70_000, nextHops: [hop] },
        { gateway: near },
      ],
      [
        'in a table below 256',
        { ...common, ...scoped('global'), table: 77, nextHops: [hop] },
        { gateway: near },
      ],
      [
        'over several next hops with weights',
        {
          ...common,
          ...scoped('global'),
          nextHops: [
            { ...hop, weight: 3 },
            { via: other, link: 'vxlan4' },
            { via: of(family, '10.78.0.0', 'fd78::'), link: 'vxlan4', onlink: true },
          ],
        },
        {
          nexthops: [
            expect.objectContaining({ gateway: near, weight: 3 }),
            expect.anything(),
            expect.anything(),
          ],
        },
      ],
      [
        'blackhole',
        { ...common, ...scoped('global'), type: 'blackhole', nextHops: [] },
        { type: 'blackhole' },
      ],
      [
        'unreachable',
        { ...common, ...scoped('global'), type: 'unreachable', nextHops: [] },
        { type: 'unreachable' },
      ],
      ['prohibit', { ...common, ...scoped('global'), type: 'prohibit', nextHops: [] }, { type: 'prohibit' }],
      [
        'throw',
        { ...common, ...scoped('global'), type: 'throw', table: 77, nextHops: [] },
        { type: 'throw' },
      ],
      [
        'local',
        { ...common, ...scoped('host'), type: 'local', table: 78, nextHops: [{ link: 'cni0' }] },
        { type: 'local' },
      ],
      [
        'the default',
        { ...common, ...scoped('global'), dst: of(family, '0.0.0.0/0', '::/0'), table: 77, nextHops: [hop] },
        { dst: 'default' },
      ],
      [
        'of a scope that has no name',
        { ...common, ...scoped(77), nextHops: [hop] },
        family === 4 ? { scope: '77' } : {},
      ],
      [
        'through a tunnel to an address, from another, with a limit of hops',
        {
          ...common,
          ...scoped('link'),
          nextHops: [
            {
              link: 'vxlan4',
              encap: {
                dst: of(family, '192.0.2.2', '2001:db8::2'),
                src: of(family, '192.0.2.1', '2001:db8::1'),
                hopLimit: 64,
              },
            },
          ],
        },
        {
          encap: family === 4 ? 'ip' : 'ip6',
          src: of(family, '192.0.2.1', '2001:db8::1'),
          dev: 'vxlan4',
        },
      ],
      [
        'through a tunnel to an address of the other family',
        {
          ...common,
          ...scoped('link'),
          nextHops: [{ link: 'vxlan4', encap: { dst: of(family, '2001:db8::2', '192.0.2.2') } }],
        },
        { encap: family === 4 ? 'ip6' : 'ip', dev: 'vxlan4' },
      ],
    ];
  };

  describe.each([4, 6] as const)('IPv%i', (family) => {
    test.each(cases(family))('%s', (_name, route, shown) => {
      const table = String(route.table ?? 254);
      const list = () => world.ipJson(`-${family}`, 'route', 'show', 'table', table, 'proto', '112');
      world.add(route);
      expect(world.seen(route)).toEqual(route);
      expect(list()).toEqual([expect.objectContaining(shown)]);
      expect(world.dumped().get(keyOf(route))).toEqual(route);
      // With next hops left to the kernel's own reading the plan has nothing to do: wish and state agree.
      expect(
        plan(stateOf([route]), stateOf([world.seen(route) as KernelObject]), { owners: [] }).ops,
      ).toEqual([]);
      world.remove(route);
      expect(world.seen(route)).toBeUndefined();
      expect(list()).toEqual([]);
    });

    test('one is replaced by another, single by multipath and back, in place', () => {
      const single = cases(family)[0]?.[1] as KernelObject & { kind: 'route' };
      const multi = cases(family)[6]?.[1] as KernelObject & { kind: 'route' };
      const black = cases(family)[7]?.[1] as KernelObject & { kind: 'route' };
      world.add(single);
      for (const [object, previous] of [
        [multi, single],
        [single, multi],
        [black, single],
        [multi, black],
      ] as const) {
        world.apply({ verb: 'replace', object, previous });
        expect(world.seen(object)).toEqual(object);
        expect(world.ipJson(`-${family}`, 'route', 'show', 'proto', '112').length).toBe(1);
      }
      world.remove(multi);
    });

    test('a scope is no part of the key: one takes the place of another, and somebody else’s is in the way', () => {
      const [, route] = cases(family)[0] as RouteCase;
      const [, numbered] = cases(family).at(-1) as RouteCase;
      const list = () => world.ipJson(`-${family}`, 'route', 'show', route.dst);
      world.add(route);
      world.apply({ verb: 'replace', object: numbered, previous: route });
      expect(world.seen(numbered)).toEqual(numbered);
      expect(list()).toHaveLength(1);
      world.remove(numbered);
      expect(list()).toEqual([]);
      world.ip(`-${family}`, 'route', 'add', route.dst, 'dev', 'cni0', 'proto', 'static');
      expect(() => world.add(numbered)).toThrow('EEXIST');
      expect(list()).toEqual([expect.objectContaining({ protocol: 'static' })]);
    });

    test('another’s route is not seen, and what takes the place of ours makes ours vanish', () => {
      const [, route] = cases(family)[0] as RouteCase;
      world.ip(
        `-${family}`,
        'route',
        'add',
        of(family, '10.10.0.0/24', 'fd10::/64'),
        'dev',
        'cni0',
        'proto',
        'static',
      );
      world.add(route);
      const before = world.mirror.state.size;
      world.ip(
        `-${family}`,
        'route',
        'replace',
        route.dst,
        'dev',
        'cni0',
        'proto',
        'static',
        'metric',
        String(route.metric),
      );
      world.drain();
      expect(world.mirror.state.size).toBe(before - 1);
      expect(world.seen(route)).toBeUndefined();
      world.ip(`-${family}`, 'route', 'flush', 'proto', 'static');
    });
  });

  test('an IPv4 route via an IPv6 gateway', () => {
    const route: KernelObject = {
      kind: 'route',
      dst: '10.9.0.0/24',
      metric: 0,
      protocol: 112,
      scope: 'global',
      nextHops: [{ via: 'fd01::9', link: 'cni0' }],
    };
    world.add(route);
    expect(world.seen(route)).toEqual(route);
    expect(world.ipJson('route', 'show', 'proto', '112')).toEqual([
      expect.objectContaining({ via: { family: 'inet6', host: 'fd01::9' } }),
    ]);
    world.remove(route);
  });
});
