import { describe, expect, it } from 'vitest';
import { DesiredState, describeObject, type NextHop } from '#core/kernel/index.ts';
import type { BestChange, BestHop, BestRoute } from '../rib/index.ts';
import { type KernelRouteRules, KernelRoutes } from './routes.ts';

const LINKS: Readonly<Record<string, string>> = { leaf1: 'eth0', leaf2: 'eth1' };
const RULES: KernelRouteRules = {
  metric: { 4: 1024, 6: 2048 },
  isWanted: () => true,
  linkOf: (peer) => LINKS[peer],
};
const WAYS: Readonly<Record<string, NextHop>> = {
  '10.0.1.1': { link: 'eth0' },
  '10.0.2.1': { link: 'eth1' },
  'fd00:1::1': { link: 'eth0' },
  'fd00:2::1': { link: 'eth1' },
  // Behind a router.
  '10.9.0.7': { via: '10.0.1.254', link: 'eth0' },
  'fd00:9::7': { via: 'fe80::254', link: 'eth0' },
  'fe80::1 eth0': { link: 'eth0' },
  'fe80::1 eth1': { link: 'eth1' },
};

/** Next hops are of leaf1, unless another peer is named behind; with a link-local one behind a plus. */
function learned(prefix: string, nextHops: readonly string[], more: Partial<BestRoute> = {}): BestChange {
  const [first = '::'] = nextHops;
  return {
    family: prefix.includes(':') ? 6 : 4,
    prefix,
    route: {
      peer: 'leaf1',
      attributes: { origin: 'igp', asPath: [], nextHop: first },
      nextHops: nextHops.map((text) => hopOf(text, more.peer ?? 'leaf1')),
      isDiscard: false,
      ...more,
    },
  };
}

function hopOf(text: string, best: string): BestHop {
  const [addresses = '', peer = best] = text.split(' of ');
  const [address = '', linkLocal] = addresses.split('+');
  return { address, peer, ...(linkLocal === undefined ? {} : { linkLocal }) };
}

function world(ways: Readonly<Record<string, NextHop>> = WAYS, rules: Partial<KernelRouteRules> = {}) {
  const current = { ways };
  const desired = new DesiredState();
  const asked: string[] = [];
  const routes = new KernelRoutes({ ...RULES, ...rules }, (nextHop, link) => {
    asked.push(nextHop);
    return current.ways[link === undefined ? nextHop : `${nextHop} ${link}`];
  });
  const shown = () => [...desired.state.values()].map(describeObject).sort();
  return { current, desired, routes, shown, asked };
}

describe('a learned route in the kernel', () => {
  const attributes = { origin: 'igp', asPath: [], nextHop: '10.0.1.1' } as const;
  it.each<[string, BestChange, readonly string[]]>([
    [
      'goes to its next hop',
      learned('10.244.2.0/24', ['10.0.1.1']),
      ['route 10.244.2.0/24 via 10.0.1.1 dev eth0 metric 1024'],
    ],
    [
      'goes to its next hop in IPv6',
      learned('fd44:2::/64', ['fd00:1::1']),
      ['route fd44:2::/64 via fd00:1::1 dev eth0 metric 2048'],
    ],
    [
      'is spread over all that are as good',
      learned('10.244.2.0/24', ['10.0.1.1', '10.0.2.1']),
      ['route 10.244.2.0/24 nexthop via 10.0.1.1 dev eth0 nexthop via 10.0.2.1 dev eth1 metric 1024'],
    ],
    [
      'is spread in IPv6',
      learned('fd44:2::/64', ['fd00:1::1', 'fd00:2::1']),
      ['route fd44:2::/64 nexthop via fd00:1::1 dev eth0 nexthop via fd00:2::1 dev eth1 metric 2048'],
    ],
    [
      'goes by a router where the next hop is behind one',
      learned('10.244.2.0/24', ['10.9.0.7']),
      ['route 10.244.2.0/24 via 10.0.1.254 dev eth0 metric 1024'],
    ],
    [
      'goes by a router in IPv6',
      learned('fd44:2::/64', ['fd00:9::7']),
      ['route fd44:2::/64 via fe80::254 dev eth0 metric 2048'],
    ],
    [
      'has a next hop of the other family (RFC 8950)',
      learned('10.244.2.0/24', ['fd00:1::1']),
      ['route 10.244.2.0/24 via fd00:1::1 dev eth0 metric 1024'],
    ],
    [
      'has a link-local next hop on the link of its neighbour',
      learned('10.244.2.0/24', ['fe80::1']),
      ['route 10.244.2.0/24 via fe80::1 dev eth0 metric 1024'],
    ],
    [
      'has one in IPv6 too',
      learned('fd44:2::/64', ['fe80::1']),
      ['route fd44:2::/64 via fe80::1 dev eth0 metric 2048'],
    ],
    [
      'is spread over links whose routers have the same link-local address',
      learned('10.244.2.0/24', ['fe80::1', 'fe80::1 of leaf2']),
      ['route 10.244.2.0/24 nexthop via fe80::1 dev eth0 nexthop via fe80::1 dev eth1 metric 1024'],
    ],
    [
      'goes to the link-local next hop beside a global one (RFC 2545), which need not be reached',
      learned('fd44:2::/64', ['fd00:7::7+fe80::1']),
      ['route fd44:2::/64 via fe80::1 dev eth0 metric 2048'],
    ],
    [
      'goes to the global one where the link is not known',
      learned('fd44:2::/64', ['fd00:1::1+fe80::1'], { peer: 'other' }),
      ['route fd44:2::/64 via fd00:1::1 dev eth0 metric 2048'],
    ],
    ['is none where the link is not known', learned('10.244.2.0/24', ['fe80::1'], { peer: 'other' }), []],
    [
      'leaves out next hops that are not reached',
      learned('10.244.2.0/24', ['10.0.1.1', '10.7.7.7']),
      ['route 10.244.2.0/24 via 10.0.1.1 dev eth0 metric 1024'],
    ],
    ['is none if no next hop is reached', learned('10.244.2.0/24', ['10.7.7.7']), []],
    ['is none for what is our own', learned('10.244.1.0/24', ['0.0.0.0'], { peer: '' }), []],
    [
      'is a black hole for an own aggregate',
      learned('10.244.1.0/24', ['0.0.0.0'], { peer: '', isDiscard: true }),
      ['route blackhole 10.244.1.0/24 metric 1024'],
    ],
    [
      'has the metric that a filter gave it',
      learned('10.244.2.0/24', ['10.0.1.1'], { attributes: { ...attributes, priority: 77 } }),
      ['route 10.244.2.0/24 via 10.0.1.1 dev eth0 metric 77'],
    ],
  ])('%s', (_, change, expected) => {
    const { desired, routes, shown } = world();
    desired.amend('bgp', routes.apply([change]));
    expect(shown()).toEqual(expected);
  });

  it('goes by a tunnel where it is not to go as it is', () => {
    const { desired, routes, shown } = world(WAYS, {
      tunnelTo: (prefix, via) =>
        prefix === '10.244.2.0/24' && via === '10.9.0.7' ? { via, link: 'tunnel', onlink: true } : undefined,
    });
    desired.amend('bgp', routes.apply([learned('10.244.2.0/24', ['10.9.0.7', '10.0.1.1'])]));
    desired.amend('bgp', routes.apply([learned('10.244.3.0/24', ['10.9.0.7'])]));
    expect(shown()).toEqual([
      'route 10.244.2.0/24 nexthop via 10.9.0.7 dev tunnel onlink nexthop via 10.0.1.1 dev eth0 metric 1024',
      'route 10.244.3.0/24 via 10.0.1.254 dev eth0 metric 1024',
    ]);
  });

  it('is left to others where they have it', () => {
    const { routes } = world(WAYS, { isWanted: (prefix) => prefix !== '10.244.2.0/24' });
    expect(routes.apply([learned('10.244.2.0/24', ['10.0.1.1'])]).put).toEqual([]);
  });
});

describe('routes that change', () => {
  it('cost what changed', () => {
    const { desired, routes, shown } = world();
    desired.amend('bgp', routes.apply([learned('10.244.2.0/24', ['10.0.1.1', '10.0.2.1'])]));
    desired.amend('bgp', routes.apply([learned('10.244.3.0/24', ['10.0.1.1'])]));
    expect(routes.apply([learned('10.244.3.0/24', ['10.0.1.1'])])).toEqual({ put: [], removed: [] });
    const lost = routes.apply([learned('10.244.2.0/24', ['10.0.2.1'])]);
    expect(lost.put).toHaveLength(1);
    desired.amend('bgp', lost);
    desired.amend('bgp', routes.apply([{ family: 4, prefix: '10.244.3.0/24' }]));
    expect(shown()).toEqual(['route 10.244.2.0/24 via 10.0.2.1 dev eth1 metric 1024']);
    expect(routes.size).toBe(1);
  });

  it('leave no second route behind when the metric is another', () => {
    const { desired, routes, shown } = world();
    desired.amend('bgp', routes.apply([learned('fd44:2::/64', ['fd00:1::1'])]));
    desired.amend('bgp', routes.configure({ ...RULES, metric: { 4: 5, 6: 6 } }));
    expect(shown()).toEqual(['route fd44:2::/64 via fd00:1::1 dev eth0 metric 6']);
  });

  it('follow the way to their next hops', () => {
    const { current, desired, routes, shown, asked } = world();
    desired.amend(
      'bgp',
      routes.apply([learned('10.244.2.0/24', ['10.9.0.7']), learned('10.244.3.0/24', ['10.9.0.7'])]),
    );
    expect(asked).toEqual(['10.9.0.7']);
    expect(routes.refresh()).toEqual({ put: [], removed: [] });
    current.ways = {};
    desired.amend('bgp', routes.refresh());
    expect(shown()).toEqual([]);
    expect([...routes.unreachable]).toEqual(['10.244.2.0/24', '10.244.3.0/24']);
    current.ways = { '10.9.0.7': { link: 'eth1' } };
    desired.amend('bgp', routes.refresh());
    expect(shown()).toEqual([
      'route 10.244.2.0/24 via 10.9.0.7 dev eth1 metric 1024',
      'route 10.244.3.0/24 via 10.9.0.7 dev eth1 metric 1024',
    ]);
  });
});
