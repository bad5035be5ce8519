/**
 * Links without any address but link-local ones, and who speaks BGP over them: FRR by interface, BIRD by address and link, both with the same
 * address. What becomes of packets while a link fails, an end has another address, the other side dies; signatures, hop limits, BFD, ranges.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { BgpLan } from './bgp/lan.ts';
import { Ours } from './bgp/matrix/ours.ts';
import { Pings } from './bgp/matrix/traffic.ts';
import { Bird, Frr } from './bgp/peers.ts';

const FAMILIES = [4, 6] as const;
const WAIT = { timeout: 30_000, interval: 50 };
/** What both routers announce, and have an address in. */
const PREFIXES = { 4: '10.202.0.0/16', 6: 'fd00:202::/48' } as const;
const HOSTS = { 4: '10.202.0.1', 6: 'fd00:202::1' } as const;
const OWN = { 4: '10.201.0.1', 6: 'fd00:201::1' } as const;
const OWN_PREFIXES = { 4: '10.201.0.0/16', 6: 'fd00:201::/48' } as const;
const ROUTERS = ['frr', 'bird'] as const;
const PAIRS = FAMILIES.map((family) => [OWN[family], HOSTS[family]] as const);

const lan = new BgpLan('us', ...ROUTERS);
const frrConfig = (...lines: readonly string[]) => `
router bgp 65002
 bgp router-id 10.77.0.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 bgp graceful-restart preserve-fw-state
 bgp graceful-restart restart-time 60
 bgp graceful-restart select-defer-time 5
 neighbor up0 interface remote-as external
 neighbor up0 timers 3 9
 neighbor up0 timers connect 1
${lines.map((line) => ` ${line}`).join('\n')}
${FAMILIES.map((family) => ` address-family ipv${family} unicast\n  network ${PREFIXES[family]}\n  neighbor up0 activate\n exit-address-family`).join('\n')}
exit
`;
const birdConfig = (ours: string, more = '') => `
router id 10.77.0.3;
protocol device { scan time 2; }
protocol kernel { ipv4 { export where source = RTS_BGP; import none; }; }
protocol kernel { ipv6 { export where source = RTS_BGP; import none; }; }
protocol bfd { interface "up0" { min rx interval 100 ms; min tx interval 100 ms; multiplier 3; }; }
protocol static { ipv4; route ${PREFIXES[4]} blackhole; }
protocol static { ipv6; route ${PREFIXES[6]} blackhole; }
protocol bgp peer {
  local as 65003; neighbor ${ours}%up0 as 65001; hold time 9;
  error wait time 1, 1; error forget time 2; connect retry time 1; connect delay time 1;
  ipv4 { import all; export where source = RTS_STATIC; extended next hop on; };
  ipv6 { import all; export where source = RTS_STATIC; }; ${more}
}
`;

let frr: Frr;
let bird: Bird;

/** A neighbour each: the one by its link alone, the other by address and link. */
const toFrr = (more: object = {}) => ({
  name: 'frr',
  interface: 'to-frr',
  asn: 'external',
  connectRetrySec: 0.3,
  ...more,
});
const toBird = (more: object = {}) => ({
  name: 'bird',
  address: 'fe80::1%to-bird',
  asn: 65_003,
  connectRetrySec: 0.3,
  ...more,
});
const fileOf = (neighbors: readonly object[], more: object = {}) => ({
  asn: 65_001,
  routerId: '10.77.0.1',
  routes: Object.values(OWN_PREFIXES),
  decision: { maxPaths: { external: 2 }, relaxMultipath: true },
  neighbors,
  ...more,
});
const speakerOf = (neighbors: readonly object[], more: object = {}): Ours =>
  new Ours(lan, 'us', fileOf(neighbors, more), { isProgramming: true });

/** The kernel's next hops to what the routers announce, in both families. */
function hops(): readonly (readonly string[])[] {
  return FAMILIES.map((family) =>
    [
      ...lan
        .ip('us', `-${family} route show ${PREFIXES[family]} proto 116`)
        .matchAll(/via (inet6 )?(\S+) dev (\S+)/g),
    ].map(([, other = '', address, link]) => `${other}${address} ${link}`),
  );
}

async function untilHops(...links: readonly string[]): Promise<void> {
  const expected = FAMILIES.map((family) =>
    links.map((each) => `${family === 4 ? 'inet6 ' : ''}${each}`).toSorted(),
  );
  await vi.waitFor(() => expect(hops().map((each) => each.toSorted())).toEqual(expected), WAIT);
}

beforeAll(async () => {
  lan.ip(
    'us',
    'address flush dev eth0',
    `address add ${OWN[4]}/32 dev lo`,
    `address add ${OWN[6]}/128 dev lo`,
  );
  for (const router of ROUTERS) {
    const { path } = lan.node(router).namespace;
    lan.ip('us', `link add to-${router} type veth peer name up0 netns ${path}`);
    lan.ip(
      router,
      'address flush dev eth0',
      'link set up0 addrgenmode none',
      'link set up0 up',
      'address add fe80::1/64 dev up0 nodad',
      ...FAMILIES.map((family) => `address add ${HOSTS[family]}/${family === 4 ? 32 : 128} dev lo`),
    );
    lan.ip('us', `link set to-${router} up`);
  }
  frr = await Frr.start(lan, 'frr', frrConfig(), { bfd: true, listensToAll: true });
  bird = await Bird.start(lan, 'bird', birdConfig(await lan.linkLocal('us', 'to-bird')));
}, 60_000);

afterAll(async () => {
  await frr?.end();
  await bird?.end();
  lan[Symbol.dispose]();
});

describe('over links whose routers have one link-local address', () => {
  test('routes of both families have both as next hops, each on its link, and packets get there and back', async () => {
    await using us = speakerOf([toFrr(), toBird()]);
    await us.up('frr', 'bird');
    expect(us.service.neighbors().map(({ key, address, asn }) => [key, address, asn])).toEqual([
      ['frr', 'fe80::1%to-frr', 65_002],
      ['bird', 'fe80::1%to-bird', 65_003],
    ]);
    await untilHops('fe80::1 to-bird', 'fe80::1 to-frr');
    using pings = new Pings(lan, 'us', PAIRS);
    await pings.answers(10);
    for (const router of ROUTERS)
      for (const family of FAMILIES)
        await vi.waitFor(
          () => expect(lan.ip(router, `-${family} route show ${OWN_PREFIXES[family]}`)).toContain('dev up0'),
          WAIT,
        );
  });

  test('what one says is told to the other with our own address there', async () => {
    await using us = speakerOf([toFrr({ nextHop: 'keep' }), toBird({ nextHop: 'keep' })], { decision: {} });
    frr.configure(`router bgp 65002\n address-family ipv4 unicast\n  network 10.209.0.0/16\n`);
    await us.up('frr', 'bird');
    const ours = await lan.linkLocal('us', 'to-bird');
    await us.until('BIRD does not hear of it', () =>
      bird.ctl('show route all for 10.209.0.0/16').includes(ours),
    );
    frr.configure(`router bgp 65002\n address-family ipv4 unicast\n  no network 10.209.0.0/16\n`);
  });

  test('a link that goes down ends its session at once, and packets go by the other until it is back', async () => {
    await using us = speakerOf([toFrr({ holdTimeSec: 90 }), toBird({ holdTimeSec: 90 })]);
    await us.up('frr', 'bird');
    await untilHops('fe80::1 to-bird', 'fe80::1 to-frr');
    using pings = new Pings(lan, 'us', PAIRS);
    await pings.answers(10);
    for (const [router, other] of [
      ['frr', 'bird'],
      ['bird', 'frr'],
    ] as const) {
      lan.ip(router, 'link set up0 down');
      await us.until('nothing is heard of the link', () => !us.isUp(router));
      expect(us.events.findLast((event) => event.startsWith(router))).toMatch(
        new RegExp(`${router}: .*link to-${router} is down`),
      );
      await untilHops(`fe80::1 to-${other}`);
      await pings.answers(10);
      expect(us.isUp(other)).toBe(true);
      const status = us.service.neighbors().find(({ key }) => key === router);
      expect(status).toMatchObject({ phase: 'idle', lastReason: `link to-${router} is down` });
      lan.ip(router, 'link set up0 up');
      // It goes with the link.
      lan.ip(router, 'address replace fe80::1/64 dev up0 nodad');
      await us.up(router);
      await untilHops('fe80::1 to-bird', 'fe80::1 to-frr');
      await pings.answers(10);
    }
  });
});

describe('with FRR, found by its advertisements', () => {
  test('another address of its end is another neighbour in the same place', async () => {
    await using us = speakerOf([toFrr({ holdTimeSec: 3 })]);
    await us.up('frr');
    await untilHops('fe80::1 to-frr');
    lan.ip('frr', 'address add fe80::2/64 dev up0 nodad', 'address del fe80::1/64 dev up0');
    const address = () => us.service.neighbors()[0]?.address;
    await us.until('it has the old address', () => us.isUp('frr') && address() === 'fe80::2%to-frr');
    await untilHops('fe80::2 to-frr');
    using pings = new Pings(lan, 'us', PAIRS);
    await pings.answers(5);
    lan.ip('frr', 'address add fe80::1/64 dev up0 nodad', 'address del fe80::2/64 dev up0');
    await us.until('it has the second address', () => us.isUp('frr') && address() === 'fe80::1%to-frr');
  });

  test('its speaker dies and comes back: routes stay, and no packet is lost', async () => {
    await using us = speakerOf([toFrr({ restart: { timeSec: 60 } })]);
    await us.up('frr');
    await untilHops('fe80::1 to-frr');
    const isStale = (staleness: string) =>
      FAMILIES.every((family) => us.paths(PREFIXES[family])[0]?.staleness === staleness);
    await us.until('the end is not marked', () => us.service.isComplete('frr'));
    // The way back is not by FRR's own routes, which it makes anew.
    const ours = await lan.linkLocal('us', 'to-frr');
    lan.ip(
      'frr',
      `route add ${OWN[4]}/32 via inet6 ${ours} dev up0`,
      `route add ${OWN[6]}/128 via ${ours} dev up0`,
    );
    using pings = new Pings(lan, 'us', PAIRS);
    await pings.answers(10);
    await frr.killBgpd();
    await us.until('nothing is stale', () => isStale('stale'));
    await untilHops('fe80::1 to-frr');
    await pings.answers(10);
    await frr.startBgpd(frrConfig());
    await us.up('frr');
    await us.until('it stays stale', () => isStale('fresh'));
    await pings.answers(10);
    expect(await pings.lost()).toEqual([0, 0]);
    lan.ip('frr', `route del ${OWN[4]}/32`, `route del ${OWN[6]}/128`);
  });

  test('signatures let it in with the right key alone', async () => {
    const passwordFile = join(lan.folder, 'key');
    frr.configure('router bgp 65002\n neighbor up0 password s3cret\n');
    try {
      writeFileSync(passwordFile, 's3cret\n');
      {
        await using us = speakerOf([toFrr({ passwordFile })]);
        await us.up('frr');
      }
      writeFileSync(passwordFile, 'another\n');
      const failures = () =>
        Number(
          /TcpExtTCPMD5Failure\s+(\d+)/.exec(lan.run('us', 'nstat', '-asz', 'TcpExtTCPMD5Failure'))?.[1],
        );
      const before = failures();
      await using us = speakerOf([toFrr({ passwordFile })]);
      await us.until('it has not tried', () => failures() > before);
      expect(us.isUp('frr')).toBe(false);
    } finally {
      frr.configure('router bgp 65002\n no neighbor up0 password\n');
    }
  });

  test('a hop limit lets it in that sends 255', async () => {
    frr.configure('router bgp 65002\n neighbor up0 ttl-security hops 1\n');
    try {
      await using us = speakerOf([toFrr({ ttlSecurityHops: 1 })]);
      await us.up('frr');
    } finally {
      frr.configure('router bgp 65002\n no neighbor up0 ttl-security hops 1\n');
    }
  });

  test('of the wrong AS it is refused', async () => {
    await using us = speakerOf([toFrr({ asn: 'internal' })]);
    await us.until('it is not refused', () =>
      us.service.neighbors().some(({ lastReason }) => lastReason?.includes('bad peer as') === true),
    );
    expect(us.isUp('frr')).toBe(false);
  });
});

describe('with BIRD, by its address and link', () => {
  test.each(['passive', 'active'])('either side connects: we are %s', async (side) => {
    const ours = await lan.linkLocal('us', 'to-bird');
    bird.reconfigure(birdConfig(ours, side === 'active' ? 'passive;' : ''));
    await using us = speakerOf([toBird({ passive: side === 'passive' })]);
    await us.up('bird');
    await untilHops('fe80::1 to-bird');
  });

  test('a way that is cut is noticed by BFD, whatever the link says, and no other of the same address', async () => {
    bird.reconfigure(birdConfig(await lan.linkLocal('us', 'to-bird'), 'bfd on;'));
    frr.configure('router bgp 65002\n neighbor up0 bfd 50 100 100\n');
    const timers = (multiplier: number) => ({
      holdTimeSec: 90,
      bfd: { transmitMs: 100, receiveMs: 100, multiplier },
    });
    // The other is to bear a busy machine.
    await using us = speakerOf([toBird(timers(3)), toFrr(timers(50))]);
    await us.up('bird', 'frr');
    const phases = () => us.service.neighbors().map(({ bfd }) => bfd);
    await us.until('BFD is not up', () => phases().join() === 'up,up');
    // In one go, as packets that are dropped on their way: either side hears no more of the other.
    lan.run(
      'bird',
      'nft',
      'table inet cut { chain in { type filter hook input priority 0; policy drop; }; chain out { type filter hook output priority 0; policy drop; }; }',
    );
    try {
      await us.until('it goes unnoticed', () => us.events.some((event) => /^bird.*bfd/i.test(event)));
      await untilHops('fe80::1 to-frr');
      expect(us.isUp('frr')).toBe(true);
    } finally {
      lan.run('bird', 'nft', 'delete table inet cut');
    }
    await us.up('bird');
    await untilHops('fe80::1 to-bird', 'fe80::1 to-frr');
    frr.configure('router bgp 65002\n no neighbor up0 bfd\n');
  });

  test('it may be one of a range of link-local addresses, on the link that is named', async () => {
    bird.reconfigure(birdConfig(await lan.linkLocal('us', 'to-bird')));
    const range = (link: string) => ({ name: 'rack', prefix: 'fe80::/10', interface: link, asns: [65_003] });
    await using us = new Ours(lan, 'us', fileOf([], { ranges: [range('to-bird')] }));
    const names = () => us.service.neighbors().flatMap(({ key, isUp }) => (isUp ? [key] : []));
    await vi.waitFor(() => expect(names()).toEqual(['rack fe80::1%to-bird']), WAIT);
    for (const family of FAMILIES) await us.route(PREFIXES[family]);
    us.configure(fileOf([], { ranges: [range('to-frr')] }));
    await vi.waitFor(() => expect(names()).toEqual([]), WAIT);
  });
});
