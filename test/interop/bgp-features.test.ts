/** What two speakers agree on beside routes: sizes, paths, next hops, refreshes, restarts, last words; each with one who speaks it. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CEASE, ceaseOf } from '#core/bgp/wire/index.ts';
import { BgpLan } from './bgp/lan.ts';
import { Bird, Exabgp, Frr } from './bgp/peers.ts';
import { Station, type StationOptions } from './bgp/station.ts';

const lan = new BgpLan('us', 'bird', 'frr', 'exabgp', 'them');
const us = lan.node('us');
const birdNode = lan.node('bird');
let bird: Bird;

/** A BIRD with one session, and more lines in it, in its channels, and beside it. */
const birdWith = (lines = '', channel = '', beside = '') => `
router id 10.77.0.2;
protocol device {}
protocol static s4 { ipv4; route 10.202.0.0/16 blackhole; }
protocol static s6 { ipv6; route fd00:202::/32 blackhole; }
${beside}
protocol bgp peer {
  neighbor 10.77.0.1 as 65001; local as 65002; hold time 9;
  error wait time 1, 1; error forget time 2; connect retry time 1; connect delay time 1;
  ipv4 { import all; export where source = RTS_STATIC; next hop address 10.77.0.2; ${channel} };
  ipv6 { import all; export where source = RTS_STATIC; next hop address fd00:77::2; ${channel} };
  ${lines}
}
`;

const PLAIN = { addPathSend: false, addPathReceive: false, extendedNextHop: false };
const both = (changes: Partial<typeof PLAIN>) =>
  new Map([
    [4, { ...PLAIN, ...changes }],
    [6, { ...PLAIN, ...changes }],
  ] as const);
const restart = {
  restartTimeSec: 30,
  isRestarting: false,
  keepsAfterNotification: true,
  families: new Map([
    [4, { isForwardingKept: true }],
    [6, { isForwardingKept: true }],
  ] as const),
};

const stationTo = (options: Omit<StationOptions, 'node' | 'peer'> & Partial<StationOptions> = {}) =>
  new Station({ node: us, peer: birdNode, ...options });

beforeAll(async () => {
  bird = await Bird.start(lan, 'bird', birdWith());
});
afterAll(async () => {
  await bird?.end();
  lan[Symbol.dispose]();
});

describe('with BIRD', () => {
  afterEach(() => bird.ctl('enable all'));

  test('AS numbers of two octets only: greater ones travel beside the path', async () => {
    bird.reconfigure(birdWith('enable as4 off;'));
    await using station = stationTo();
    expect((await station.agreed()).hasFourOctetAsn).toBe(false);
    const asPath = [{ type: 'sequence' as const, asns: [65_001, 4_200_000_007, 7] }];
    const aggregator = { asn: 4_200_000_008, address: '192.0.2.8' };
    station.announce(4, { nextHop: us.ipv4, asPath, aggregator }, '10.201.0.0/16');
    // It puts together what travelled apart.
    const shown = () => bird.ctl('show route all 10.201.0.0/16');
    await station.until('no route', () => shown().includes('BGP.as_path: 65001 4200000007 7'));
    expect(shown()).toContain('BGP.aggregator: 192.0.2.8 AS4200000008');
  });

  test.each([4, 6] as const)('several paths to one prefix of IPv%i, both ways', async (family) => {
    const [prefix, via] = family === 4 ? ['10.208.0.0/16', '10.77.0.9'] : ['fd00:208::/32', 'fd00:77::9'];
    const second = `
      protocol static other4 { ipv4 { table t4; }; route 10.208.0.0/16 blackhole { bgp_med = 2; }; }
      protocol static other6 { ipv6 { table t6; }; route fd00:208::/32 blackhole { bgp_med = 2; }; }
      protocol pipe p4 { table master4; peer table t4; import all; export none; }
      protocol pipe p6 { table master6; peer table t6; import all; export none; }
      protocol static first4 { ipv4; route 10.208.0.0/16 unreachable { bgp_med = 1; }; }
      protocol static first6 { ipv6; route fd00:208::/32 unreachable { bgp_med = 1; }; }`;
    bird.reconfigure(birdWith('', 'add paths on;', `ipv4 table t4; ipv6 table t6;${second}`));
    await using station = stationTo({
      config: { families: both({ addPathSend: true, addPathReceive: true }) },
    });
    const agreed = await station.agreed();
    expect(agreed.families.get(family)).toMatchObject({ addPathSend: true, addPathReceive: true });
    const meds = () =>
      station.news.flatMap((news) =>
        news.type === 'announced' && news.update.nlri.some((nlri) => nlri.prefix === prefix)
          ? [news.update.attributes.med]
          : [],
      );
    await station.until('not both paths', () => meds().length >= 2);
    expect(meds().toSorted()).toEqual([1, 2]);
    const own = family === 4 ? '10.201.0.0/16' : 'fd00:201::/32';
    station.announce(family, { nextHop: via, med: 1 }, { prefix: own, pathId: 1 });
    station.announce(family, { nextHop: via, med: 2 }, { prefix: own, pathId: 2 });
    await station.until(
      'not both routes',
      () => (bird.ctl(`show route ${own} all`).match(/BGP.med/g) ?? []).length === 2,
    );
  });

  test('IPv4 prefixes behind IPv6 next hops (RFC 8950), both ways', async () => {
    const config = birdWith('', 'extended next hop on;').replace(
      'next hop address 10.77.0.2; extended',
      'next hop address fd00:77::2; extended',
    );
    bird.reconfigure(config);
    await using station = stationTo({ config: { families: both({ extendedNextHop: true }) } });
    expect((await station.agreed()).families.get(4)?.extendedNextHop).toBe(true);
    expect((await station.route('10.202.0.0/16')).nextHop).toBe('fd00:77::2');
    station.announce(4, { nextHop: 'fd00:77::1' }, '10.201.0.0/16');
    await station.until('no route', () => bird.ctl('show route all 10.201.0.0/16').includes('fd00:77::1'));
  });

  test('messages of more than 4096 bytes, both ways', async () => {
    const communities = Array.from({ length: 1500 }, (_, i) => `bgp_community.add((65002,${i}));`).join(' ');
    const config = birdWith('enable extended messages on;').replace(
      'export where source = RTS_STATIC; next hop address 10',
      `export filter { if source != RTS_STATIC then reject; ${communities} accept; }; next hop address 10`,
    );
    bird.reconfigure(config);
    await using station = stationTo();
    expect((await station.agreed()).maxMessageBytes).toBe(65_535);
    expect((await station.route('10.202.0.0/16')).communities).toHaveLength(1500);
    const own = Array.from({ length: 2000 }, (_, i) => i + 1);
    station.announce(4, { nextHop: us.ipv4, communities: own }, '10.201.0.0/16');
    await station.until('no route', () => bird.ctl('show route all 10.201.0.0/16').includes('(0,2000)'));
  });

  test('all routes again, when we ask, and when it does', async () => {
    bird.reconfigure(birdWith());
    await using station = stationTo();
    const agreed = await station.agreed();
    expect([agreed.hasRouteRefresh, agreed.hasEnhancedRefresh]).toEqual([true, true]);
    await station.route('10.202.0.0/16');
    await station.route('fd00:202::/32');
    station.news.length = 0;
    for (const family of [4, 6] as const)
      station.runner.send({ type: 'refresh', family, subtype: 'request' });
    await station.until('no end of the refresh', () =>
      [4, 6].every((family) =>
        station.news.some(
          (news) => news.type === 'refresh' && news.subtype === 'end' && news.family === family,
        ),
      ),
    );
    const order = station.news.map((news) => (news.type === 'refresh' ? news.subtype : news.type));
    expect(order.filter((each) => each !== 'end-of-rib').slice(0, 3)).toEqual(['begin', 'announced', 'end']);
    bird.ctl('reload in peer');
    await station.until('it does not ask', () =>
      station.news.some((news) => news.type === 'refresh' && news.subtype === 'request'),
    );
  });

  test('its last words, and ours (RFC 9003)', async () => {
    bird.reconfigure(birdWith());
    await using station = stationTo({ config: { idleHoldSec: { initial: 0.2, max: 0.2 } } });
    await station.agreed();
    bird.ctl('disable peer "kernel müssen ruhen"');
    await station.until('it does not say why', () =>
      station.reasons.includes('the peer says: cease: administrative shutdown: "kernel müssen ruhen"'),
    );
    bird.ctl('enable peer');
    await station.agreed();
    station.runner.stop(ceaseOf(CEASE.shutdown, 'Wartung bis vier'));
    await station.until('it does not hear why', () =>
      bird.ctl('show protocols all peer').includes('Administrative shutdown'),
    );
    expect(bird.log).toContain('"Wartung bis vier"');
  });

  test('a restart: what it keeps, and that its routes may stay when it is killed', async () => {
    bird.reconfigure(
      birdWith(
        'graceful restart on; graceful restart time 20; long lived graceful restart on; long lived stale time 60;',
      ),
    );
    await using station = stationTo({
      config: { restart, longLived: new Map([[4, { staleTimeSec: 60, isForwardingKept: true }]]) },
    });
    const agreed = await station.agreed();
    expect(agreed.restart).toMatchObject({ restartTimeSec: 20, isRestarting: false });
    expect([...(agreed.restart?.families.keys() ?? [])]).toEqual([4, 6]);
    expect(agreed.restart?.longLived.get(4)?.staleTimeSec).toBe(60);
    await station.complete(4, 6);
    await bird.end('SIGKILL');
    const down = await station.until('no end', () => station.news.find((news) => news.type === 'down'));
    expect(down).toMatchObject({ keepsRoutes: true });
    station.news.length = 0;
    await bird.start(birdWith('graceful restart on; graceful restart time 20;'), '-R');
    expect((await station.agreed()).restart?.isRestarting).toBe(true);
  });

  test('a link that is cut: both sides let go when the hold time is over', async () => {
    bird.reconfigure(birdWith('').replace('hold time 9', 'hold time 3'));
    await using station = stationTo();
    await station.agreed();
    lan.cut('bird');
    try {
      await station.until('no end', () => station.reasons.includes('hold timer expired'));
      expect(station.news.at(-1)).toMatchObject({ type: 'down', keepsRoutes: false });
    } finally {
      lan.mend('bird');
    }
    station.news.length = 0;
    await station.agreed();
  });

  test('a reflected route says where it was, and who told it first (RFC 4456)', async () => {
    const client = (name: string, address: string) => `
      protocol bgp ${name} {
        neighbor ${address} as 65001; local as 65001; rr client; rr cluster id 10.77.0.99;
        error wait time 1, 1; error forget time 2; connect delay time 1;
        ipv4 { import all; export all; }; ipv6 { import all; export all; };
      }`;
    bird.reconfigure(
      `router id 10.77.0.2; protocol device {}${client('left', us.ipv4)}${client('right', lan.node('them').ipv4)}`,
    );
    const inside = { peerAsn: 65_001 };
    await using left = stationTo({ config: inside });
    await using right = stationTo({ node: lan.node('them'), config: { ...inside, routerId: 0x0a4d0005 } });
    expect((await left.agreed()).relation).toBe('internal');
    await right.agreed();
    right.announce(4, { nextHop: lan.node('them').ipv4, asPath: [], localPref: 70 }, '10.205.0.0/16');
    expect(await left.route('10.205.0.0/16')).toMatchObject({
      nextHop: lan.node('them').ipv4,
      asPath: [],
      localPref: 70,
      originatorId: 0x0a4d0005,
      clusterList: [0x0a4d0063],
    });
  });

  test('within a confederation the path begins with its members (RFC 5065)', async () => {
    bird.reconfigure(birdWith('confederation 100; confederation member yes;'));
    const confederation = { identifier: 100, members: [65_001, 65_002] };
    await using station = stationTo({ config: { confederation, peerAsn: 65_002 } });
    expect((await station.agreed()).relation).toBe('confederation');
    expect((await station.route('10.202.0.0/16')).asPath).toEqual([
      { type: 'confed-sequence', asns: [65_002] },
    ]);
    const asPath = [
      { type: 'confed-sequence' as const, asns: [65_001] },
      { type: 'sequence' as const, asns: [7] },
    ];
    station.announce(4, { nextHop: us.ipv4, asPath, localPref: 80 }, '10.201.0.0/16');
    const shown = () => bird.ctl('show route all 10.201.0.0/16');
    await station.until('no route', () => shown().includes('BGP.as_path: (65001) 7'));
    expect(shown()).toContain('BGP.local_pref: 80');
  });

  test('two who dial each other at once end with one session', async () => {
    bird.reconfigure(birdWith());
    for (let round = 0; round < 5; round++) {
      await using station = stationTo();
      await station.agreed();
      expect(lan.connections('us')).toBeLessThanOrEqual(2);
      expect(station.runner.state.second).toBeUndefined();
    }
  });
});

test('FRR says why it ends, and is told of many routes in one breath', async () => {
  const config = `
router bgp 65003
 bgp router-id 10.77.0.3
 no bgp ebgp-requires-policy
 neighbor 10.77.0.1 remote-as 65001
 neighbor 10.77.0.1 timers connect 1
exit`;
  const frr = await Frr.start(lan, 'frr', config);
  try {
    await using station = new Station({ node: us, peer: lan.node('frr'), config: { peerAsn: 65_003 } });
    await station.agreed();
    const prefixes = Array.from({ length: 20_000 }, (_, i) => `10.${128 + (i >> 8)}.${i & 255}.0/24`);
    station.announce(4, { nextHop: us.ipv4 }, ...prefixes);
    await station.until('not all routes', () => {
      const summary = frr.vtysh('show bgp ipv4 unicast summary json');
      return summary.includes(`"pfxRcd":${prefixes.length}`);
    });
    frr.vtysh('configure', 'router bgp 65003', 'neighbor 10.77.0.1 shutdown message so long');
    await station.until('it does not say why', () =>
      station.reasons.some((reason) => reason.includes('administrative shutdown: "so long"')),
    );
  } finally {
    await frr.end();
  }
});

test('ExaBGP reads each attribute of ours as it was meant', async () => {
  const exabgp = await Exabgp.start(
    lan,
    'exabgp',
    `neighbor 10.77.0.1 {
      passive true; router-id 10.77.0.4; local-address 10.77.0.4; local-as 65004; peer-as 65001; hold-time 9;
      family { ipv4 unicast; ipv6 unicast; }
      api { processes [ watch ]; receive { parsed; update; } }
    }`,
  );
  try {
    await using station = new Station({ node: us, peer: lan.node('exabgp'), config: { peerAsn: 65_004 } });
    await station.agreed();
    station.announce(
      4,
      {
        nextHop: us.ipv4,
        origin: 'incomplete',
        asPath: [
          { type: 'sequence', asns: [65_001, 4_200_000_000] },
          { type: 'set', asns: [7, 8] },
        ],
        med: 12,
        atomicAggregate: true,
        aggregator: { asn: 4_200_000_001, address: '192.0.2.1' },
        communities: [0xffff_ff01, 0xfde9_0007],
        extendedCommunities: ['0002fde900000064'],
        largeCommunities: [[65_001, 1, 4_294_967_295]],
      },
      '10.201.0.0/16',
    );
    const heard = await station.until('no update', () =>
      exabgp.heard.split('\n').find((line) => line.includes('10.201.0.0/16')),
    );
    const { attribute } = (JSON.parse(heard) as { neighbor: { message: { update: { attribute: unknown } } } })
      .neighbor.message.update;
    expect(attribute).toMatchObject({
      origin: 'incomplete',
      med: 12,
      'atomic-aggregate': true,
      aggregator: '4200000001:192.0.2.1',
      community: [
        [65_535, 65_281],
        [65_001, 7],
      ],
      'large-community': [[65_001, 1, 4_294_967_295]],
      'extended-community': [{ value: 0x2_fde9_0000_0064, string: 'target:65001:100' }],
    });
  } finally {
    await exabgp.end();
  }
});
