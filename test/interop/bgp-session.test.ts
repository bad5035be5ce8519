/** Sessions with BIRD, FRR, GoBGP and ExaBGP: both families over either, and all that a session agrees on by itself. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BgpLan } from './bgp/lan.ts';
import { Bird, Exabgp, Frr, Gobgp } from './bgp/peers.ts';
import { Station, type StationOptions } from './bgp/station.ts';

const lan = new BgpLan('us', 'bird', 'frr', 'gobgp', 'exabgp');
const us = lan.node('us');

let bird: Bird;
let frr: Frr;
let gobgp: Gobgp;
let exabgp: Exabgp;

const BIRD = `
router id 10.77.0.2;
protocol device {}
protocol static s4 { ipv4; route 10.202.0.0/16 blackhole; }
protocol static s6 { ipv6; route fd00:202::/32 blackhole; }
template bgp peer {
  local as 65002; hold time 9; error wait time 1, 2; error forget time 3; connect retry time 2; connect delay time 1;
  ipv4 { import all; export where source ~ [ RTS_STATIC ]; next hop address 10.77.0.2; };
  ipv6 { import all; export where source ~ [ RTS_STATIC ]; next hop address fd00:77::2; };
  enable extended messages on;
}
protocol bgp over4 from peer { neighbor 10.77.0.1 as 65001; }
protocol bgp over6 from peer { neighbor fd00:77::1 as 65001; }
`;

const FRR = `
router bgp 4200000003
 bgp router-id 10.77.0.3
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 10.77.0.1 remote-as 65001
 neighbor 10.77.0.1 timers 3 9
 neighbor 10.77.0.1 timers connect 1
 neighbor fd00:77::1 remote-as 65001
 neighbor fd00:77::1 timers 3 9
 neighbor fd00:77::1 timers connect 1
 neighbor fd00:77::1 capability extended-nexthop
 address-family ipv4 unicast
  network 10.203.0.0/16
  neighbor 10.77.0.1 activate
  neighbor 10.77.0.1 addpath-tx-all-paths
  neighbor fd00:77::1 activate
 exit-address-family
 address-family ipv6 unicast
  network fd00:203::/32
  neighbor 10.77.0.1 activate
  neighbor fd00:77::1 activate
 exit-address-family
exit
`;

const neighborOfGobgp = (address: string, local: string) => `
[[neighbors]]
  [neighbors.config]
    neighbor-address = "${address}"
    peer-as = 65001
  [neighbors.timers.config]
    hold-time = 9
    keepalive-interval = 3
    connect-retry = 1
    idle-hold-time-after-reset = 1
  [neighbors.transport.config]
    local-address = "${local}"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
    [neighbors.afi-safis.add-paths.config]
      receive = true
      send-max = 8
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
`;
const GOBGP = `
[global.config]
  as = 65004
  router-id = "10.77.0.4"
[global.apply-policy.config]
  default-import-policy = "accept-route"
  default-export-policy = "accept-route"
${neighborOfGobgp('10.77.0.1', '10.77.0.4')}
${neighborOfGobgp('fd00:77::1', 'fd00:77::4')}
`;

const neighborOfExabgp = (address: string, local: string) => `
neighbor ${address} {
  passive true; router-id 10.77.0.5; local-address ${local}; local-as 65005; peer-as 65001; hold-time 9;
  family { ipv4 unicast; ipv6 unicast; }
  capability { route-refresh enable; }
  api { processes [ watch ]; neighbor-changes; receive { parsed; update; notification; open; refresh; } }
  static {
    route 10.205.0.0/16 next-hop 10.77.0.5 community [ 65005:1 ] large-community [ 65005:1:2 ] med 7;
    route fd00:205::/48 next-hop fd00:77::5;
  }
}
`;
const EXABGP = `${neighborOfExabgp('10.77.0.1', '10.77.0.5')}${neighborOfExabgp('fd00:77::1', 'fd00:77::5')}`;

beforeAll(async () => {
  [bird, frr, gobgp, exabgp] = await Promise.all([
    Bird.start(lan, 'bird', BIRD),
    Frr.start(lan, 'frr', FRR),
    Gobgp.start(lan, 'gobgp', GOBGP),
    Exabgp.start(lan, 'exabgp', EXABGP),
  ]);
  gobgp.gobgp('global', 'rib', 'add', '10.204.0.0/16', 'nexthop', '10.77.0.4');
  gobgp.gobgp('global', 'rib', 'add', '-a', 'ipv6', 'fd00:204::/32', 'nexthop', 'fd00:77::4');
}, 60_000);

afterAll(async () => {
  await Promise.all([bird, frr, gobgp, exabgp].map((each) => each?.end()));
  lan[Symbol.dispose]();
});

const PEERS = [
  ['BIRD', lan.node('bird'), 65_002, 2],
  ['FRR', lan.node('frr'), 4_200_000_003, 3],
  ['GoBGP', lan.node('gobgp'), 65_004, 4],
  ['ExaBGP', lan.node('exabgp'), 65_005, 5],
] as const;

const stationTo = (options: Omit<StationOptions, 'node'>) => new Station({ node: us, ...options });

/** All the routes a peer knows, as it prints them; of ExaBGP all that it has read. */
function tableOf(name: (typeof PEERS)[number][0]): string {
  switch (name) {
    case 'BIRD':
      return bird.ctl('show route');
    case 'FRR':
      return frr.vtysh('show bgp ipv4 unicast', 'show bgp ipv6 unicast');
    case 'GoBGP':
      return gobgp.gobgp('global', 'rib') + gobgp.gobgp('global', 'rib', '-a', 'ipv6');
    case 'ExaBGP':
      return exabgp.heard;
  }
}

describe.each(PEERS)('%s', (name, peer, peerAsn, number) => {
  test.each([4, 6] as const)('brings its routes of both families over IPv%i', async (transport) => {
    await using station = stationTo({ peer, transport, config: { peerAsn } });
    const agreed = await station.agreed();
    expect(agreed).toMatchObject({
      peerAsn,
      relation: 'external',
      hasFourOctetAsn: true,
      hasRouteRefresh: true,
    });
    expect([...agreed.families.keys()]).toEqual([4, 6]);
    const ipv4 = await station.route(`10.20${number}.0.0/16`);
    expect(ipv4.asPath).toEqual([{ type: 'sequence', asns: [peerAsn] }]);
    const ipv6 = await station.route(name === 'ExaBGP' ? 'fd00:205::/48' : `fd00:20${number}::/32`);
    if (name !== 'FRR') {
      expect(ipv4.nextHop).toBe(peer.ipv4);
      expect(ipv6.nextHop).toBe(peer.ipv6);
    }
    expect(station.reports.filter(({ type }) => type === 'fault')).toEqual([]);
    station.announce(4, { nextHop: us.ipv4, communities: [65_001 * 65_536 + 7] }, '10.201.0.0/16');
    station.announce(6, { nextHop: us.ipv6 }, 'fd00:201::/32');
    await station.until(`${name} has no routes`, () =>
      ['10.201.0.0/16', 'fd00:201::/32'].every((prefix) => tableOf(name).includes(prefix)),
    );
    station.runner.send({
      type: 'withdraw',
      withdrawal: { family: 4, nlri: [{ prefix: '10.201.0.0/16' }] },
    });
    if (name !== 'ExaBGP')
      await station.until(`${name} keeps a route`, () => !tableOf(name).includes('10.201.0.0/16'));
    // The others mark the end only to those who can restart.
    if (name === 'BIRD') await station.complete(4, 6);
  });
});
