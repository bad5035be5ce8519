import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type KernelObject, keyOf, type Link, type Neighbour, plan, stateOf } from '#core/kernel/index.ts';
import {
  decodeFamily,
  decodeFeatures,
  decodeLink,
  ETHTOOL_FAMILY,
  familyRequest,
  featuresRequest,
  isMissingLink,
  linkRequest,
  setFeaturesRequest,
} from '#core/netlink/index.ts';
import { NETLINK_GENERIC, NETLINK_ROUTE, NetlinkSocket } from '#io/netlink/index.ts';
import { RouteWorld } from './rtnetlink-world.ts';

const CNI = 'poplin:cni';
const OVERLAY = 'poplin:overlay';
let world: RouteWorld;

beforeAll(() => {
  world = new RouteWorld();
});
afterAll(() => world[Symbol.dispose]());

interface IpLink {
  readonly ifname: string;
  readonly flags: string[];
  readonly mtu: number;
  readonly address: string;
  readonly master?: string;
  readonly ifalias?: string;
  readonly link?: string;
  readonly inet6_addr_gen_mode: string;
  readonly linkinfo: {
    readonly info_kind: string;
    readonly info_data?: Record<string, unknown>;
    readonly info_slave_data?: Record<string, unknown>;
  };
}

function ipLink(name: string): IpLink {
  return world.ipJson<IpLink>('link', 'show', name)[0] as IpLink;
}

describe('links are made as wished, shown so by ip, and read back equal', () => {
  const bridge: Link = {
    kind: 'link',
    name: 'cni0',
    detail: { type: 'bridge', vlanFiltering: false, stp: false, multicastSnooping: false },
    up: true,
    mtuBytes: 1450,
    mac: '0a:58:0a:01:00:01',
    master: '',
    alias: CNI,
    addressGeneration: 'none',
    promiscuous: false,
  };

  test('a bridge', () => {
    world.add(bridge);
    expect(world.seen(bridge)).toEqual(bridge);
    expect(ipLink('cni0')).toMatchObject({
      mtu: 1450,
      address: bridge.mac,
      ifalias: CNI,
      inet6_addr_gen_mode: 'none',
      linkinfo: { info_kind: 'bridge', info_data: { stp_state: 0, mcast_snooping: 0 } },
    });
    expect(ipLink('cni0').flags).toContain('UP');
  });

  test('a veth whose peer is made in another namespace, port of a bridge with hairpin', () => {
    const veth: Link = {
      kind: 'link',
      name: 'veth0',
      detail: {
        type: 'veth',
        peer: { name: 'eth0', netns: world.farPath, mac: '0a:58:0a:01:00:02', mtuBytes: 1450 },
      },
      up: true,
      mtuBytes: 1450,
      mac: '0a:00:00:00:00:07',
      master: 'cni0',
      alias: `${CNI}:pod-7`,
      addressGeneration: 'none',
      promiscuous: false,
      hairpin: true,
    };
    world.add(veth);
    expect(world.seen(veth)).toEqual({ ...veth, detail: { type: 'veth' } });
    expect(ipLink('veth0')).toMatchObject({
      master: 'cni0',
      ifalias: `${CNI}:pod-7`,
      linkinfo: { info_kind: 'veth', info_slave_data: { hairpin: true } },
    });
    using far = NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace: world.far });
    expect(decodeLink(far.requestSync(linkRequest('eth0'))[0] as Uint8Array)).toMatchObject({
      name: 'eth0',
      detail: { type: 'veth' },
      up: false,
      mtuBytes: 1450,
      mac: '0a:58:0a:01:00:02',
    });
  });

  test.each([
    ['vxlan4', '127.0.0.1', 8472],
    ['vxlan6', '::1', 4789],
  ])('a VXLAN device %s', (name, local, port) => {
    const vxlan: Link = {
      kind: 'link',
      name,
      detail: { type: 'vxlan', vni: port, port, local, underlay: 'cni0', learning: false, gbp: false },
      up: true,
      // The kernel lets no VXLAN link have more than what its underlay leaves it: 50 bytes less, 70 over IPv6.
      mtuBytes: 1380,
      mac: '0a:00:00:00:01:01',
      master: '',
      alias: OVERLAY,
      addressGeneration: 'none',
      promiscuous: false,
    };
    world.add(vxlan);
    expect(world.seen(vxlan)).toEqual(vxlan);
    expect(ipLink(name).linkinfo).toMatchObject({
      info_kind: 'vxlan',
      info_data: {
        id: port,
        port,
        [local === '::1' ? 'local6' : 'local']: local,
        link: 'cni0',
        learning: false,
      },
    });
  });

  test('a VXLAN device with group policy and learning, over no particular link', () => {
    const vxlan: Link = {
      kind: 'link',
      name: 'vxgbp',
      detail: { type: 'vxlan', vni: 99, port: 14789, learning: true, gbp: true },
      up: false,
      alias: OVERLAY,
      addressGeneration: 'eui64',
    };
    world.add(vxlan);
    expect(world.seen(vxlan)).toMatchObject(vxlan);
    expect(ipLink('vxgbp').linkinfo.info_data).toMatchObject({ gbp: true, learning: true });
  });

  test.each(['bridge', 'private', 'vepa', 'passthru'] as const)('a macvlan in mode %s', (mode) => {
    world.add({ kind: 'link', name: `p-${mode}`, detail: { type: 'veth', peer: { name: `q-${mode}` } } });
    const macvlan: Link = {
      kind: 'link',
      name: `m-${mode}`,
      detail: { type: 'macvlan', parent: `p-${mode}`, mode },
      promiscuous: true,
      alias: CNI,
    };
    world.add(macvlan);
    expect(world.seen(macvlan)).toMatchObject(macvlan);
    expect(ipLink(`m-${mode}`)).toMatchObject({ link: `p-${mode}`, linkinfo: { info_data: { mode } } });
  });

  test('a dummy, where the kernel has them', (context) => {
    const dummy: Link = { kind: 'link', name: 'dummy7', detail: { type: 'dummy' }, up: true, alias: CNI };
    try {
      world.add(dummy);
    } catch (error) {
      if (!String(error).includes('EOPNOTSUPP')) throw error;
      context.skip('the kernel has no dummy links (CONFIG_DUMMY)');
    }
    expect(world.seen(dummy)).toMatchObject(dummy);
  });

  test.each(['tun', 'tap'] as const)('a %s link is seen, and refused to make', (mode) => {
    world.ip('tuntap', 'add', `x${mode}`, 'mode', mode);
    world.drain();
    const link: Link = { kind: 'link', name: `x${mode}`, detail: { type: 'tun', mode } };
    expect(world.seen(link)).toMatchObject({ detail: { type: 'tun', mode } });
    expect(() => world.add(link)).toThrow('is made by ioctl');
    world.remove(link);
    expect(world.seen(link)).toBeUndefined();
  });

  test('a link of a kind without words is seen by its kind', () => {
    world.ip('link', 'add', 'ifb7', 'type', 'ifb');
    world.drain();
    expect(world.mirror.state.get('link ifb7')).toMatchObject({ detail: { type: 'other', linkKind: 'ifb' } });
    expect(world.mirror.state.get('link lo')).toMatchObject({ detail: { linkKind: 'physical' } });
  });

  test('whatever was made is the same in a dump', () => {
    const links = (state: Iterable<KernelObject>) => [...state].filter(({ kind }) => kind === 'link');
    expect(links(world.mirror.state.values())).toEqual(
      expect.arrayContaining(links(world.dumped().values())),
    );
  });
});

describe('a link is changed in place, by differences', () => {
  const base: Link = {
    kind: 'link',
    name: 'change0',
    detail: { type: 'veth', peer: { name: 'change1' } },
    up: false,
    mtuBytes: 1500,
    mac: '0a:00:00:00:02:01',
    master: '',
    alias: CNI,
    addressGeneration: 'eui64',
    promiscuous: false,
  };

  beforeAll(() => world.add(base));

  test.each<[string, Partial<Link>]>([
    ['alias of a link that is down', { alias: `${CNI}:a` }],
    ['address generation of a link that is down', { addressGeneration: 'none' }],
    ['MTU', { mtuBytes: 1400 }],
    ['MAC', { mac: '0a:00:00:00:02:02' }],
    ['master and hairpin', { master: 'cni0', hairpin: true }],
    ['hairpin of a port that is down', { hairpin: false }],
    ['up', { up: true }],
    ['alias of a link that is up', { alias: `${CNI}:b` }],
    ['hairpin of a port that is up', { hairpin: true }],
    ['promiscuity', { promiscuous: true }],
    ['several at once, and down', { up: false, promiscuous: false, mtuBytes: 1300, alias: `${CNI}:c` }],
    ['no master', { master: '' }],
  ])('%s', (_name, wishes) => {
    const previous = world.seen(base) as Link;
    const { peer: _peer, ...detail } = { peer: undefined, ...previous.detail };
    const wanted: Link = { ...previous, ...wishes, detail: detail as Link['detail'] };
    world.apply({ verb: 'replace', object: wanted, previous });
    const { hairpin: _gone, ...rest } = wanted;
    expect(world.seen(base)).toEqual(wanted.master === '' ? rest : wanted);
    expect(world.dumped().get(keyOf(base))).toEqual(world.seen(base));
  });

  test('options of a bridge', () => {
    const previous = world.mirror.state.get('link cni0') as Link;
    const wanted: Link = {
      ...previous,
      detail: { type: 'bridge', vlanFiltering: false, stp: true, multicastSnooping: true },
    };
    world.apply({ verb: 'replace', object: wanted, previous });
    expect(world.mirror.state.get('link cni0')).toMatchObject({
      detail: { stp: true, multicastSnooping: true },
    });
    world.apply({ verb: 'replace', object: previous, previous: wanted });
    expect(world.mirror.state.get('link cni0')).toEqual(previous);
  });

  test('a hairpin that somebody else sets is heard of', () => {
    world.run('bridge', 'link', 'set', 'dev', 'veth0', 'hairpin', 'off');
    world.drain();
    expect(world.mirror.state.get('link veth0')).toMatchObject({ hairpin: false });
  });

  test('a link that leaves is gone, with its twin', () => {
    world.remove(base);
    expect(world.mirror.state.has('link change0')).toBe(false);
    expect(world.mirror.state.has('link change1')).toBe(false);
  });

  test('a link that does not exist is named by the error', () => {
    const missing: Neighbour = {
      kind: 'neighbour',
      link: 'nowhere',
      address: '10.0.0.1',
      mac: '0a:00:00:00:00:01',
      protocol: 113,
    };
    expect(() => world.add(missing)).toThrow('link nowhere does not exist (ENODEV)');
    try {
      world.add(missing);
    } catch (error) {
      expect(error).toSatisfy(isMissingLink);
    }
  });
});

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
    const scoped = (scope: 'global' | 'link' | 'host') => (family === 4 ? { scope } : {});
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

test('features of a VXLAN device are read and switched off by name', () => {
  using socket = NetlinkSocket.open({ protocol: NETLINK_GENERIC, namespace: world.near });
  const { id } = decodeFamily(socket.requestSync(familyRequest(ETHTOOL_FAMILY))[0] as Uint8Array);
  const features = () => decodeFeatures(socket.requestSync(featuresRequest(id, 'vxlan4'))[0] as Uint8Array);
  const name = 'tx-checksum-ip-generic';
  expect(features().active).toContain(name);
  expect(features().changeable).toContain(name);
  expect(features().changeable).not.toContain('tx-checksum-ipv4');
  socket.requestSync(setFeaturesRequest(id, 'vxlan4', { [name]: false }));
  expect(features().active).not.toContain(name);
  socket.requestSync(setFeaturesRequest(id, 'vxlan4', { [name]: true }));
  expect(features().active).toContain(name);
});
