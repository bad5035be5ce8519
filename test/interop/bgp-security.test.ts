/** What keeps strangers out of a session: signatures and hop limits, with speakers that do the same, and with such that do not. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gtsmHops } from '#io/bgp/index.ts';
import { BgpLan } from './bgp/lan.ts';
import { Bird, Frr } from './bgp/peers.ts';
import { Station, type StationOptions } from './bgp/station.ts';

const lan = new BgpLan('us', 'bird', 'frr');
const us = lan.node('us');
let bird: Bird;
let frr: Frr;

/** Each with its own way, on the peer's side: it dials, it waits, it has a hop limit. */
const BIRD = `
router id 10.77.0.2;
protocol device {}
template bgp peer {
  local as 65002; hold time 9; error wait time 1, 1; error forget time 2; connect retry time 1; connect delay time 1;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
protocol bgp over4 from peer { neighbor 10.77.0.1 as 65001; password "s3cret"; }
protocol bgp over6 from peer { neighbor fd00:77::1 as 65001; password "s3cret"; }
`;
const PASSIVE = BIRD.replaceAll('password', 'passive; password');
const LIMITED = BIRD.replaceAll('password "s3cret"', 'ttl security on');

const FRR = `
router bgp 65003
 bgp router-id 10.77.0.3
 no bgp ebgp-requires-policy
 neighbor 10.77.0.1 remote-as 65001
 neighbor 10.77.0.1 password long-${'x'.repeat(70)}
 neighbor 10.77.0.1 ttl-security hops 1
 neighbor 10.77.0.1 timers connect 1
 neighbor fd00:77::1 remote-as 65001
 neighbor fd00:77::1 password long-${'x'.repeat(70)}
 neighbor fd00:77::1 ttl-security hops 1
 neighbor fd00:77::1 timers connect 1
exit
`;

beforeAll(async () => {
  [bird, frr] = await Promise.all([Bird.start(lan, 'bird', BIRD), Frr.start(lan, 'frr', FRR)]);
}, 60_000);

afterAll(async () => {
  await Promise.all([bird?.end(), frr?.end()]);
  lan[Symbol.dispose]();
});

const stationTo = (peer: 'bird' | 'frr', options: Omit<StationOptions, 'node' | 'peer'>) =>
  new Station({ node: us, peer: lan.node(peer), ...options });

/** What both sides drop is heard of by nobody: an attempt has to time out, or has not ended. */
async function isKeptOut(station: Station, tells: () => boolean): Promise<void> {
  await station.until('the peer has not tried', tells);
  expect(station.news).toEqual([]);
  expect(station.runner.state.phase).not.toBe('established');
}

describe.each([4, 6] as const)('over IPv%i', (transport) => {
  const segments = () => counter('TCPMD5Failure');
  const unsigned = () => counter('TCPMD5NotFound') + counter('TCPMD5Unexpected');

  /** What the kernel has dropped in our namespace, by name. */
  function counter(name: string): number {
    const line = lan.run('us', 'nstat', '-asz', `TcpExt${name}`);
    return Number(new RegExp(String.raw`TcpExt${name}\s+(\d+)`).exec(line)?.[1] ?? 0);
  }

  test('a signed session is made by us', async () => {
    bird.reconfigure(PASSIVE);
    await using station = stationTo('bird', { transport, password: 's3cret' });
    await station.agreed();
  });

  test('a signed session is made by the peer', async () => {
    bird.reconfigure(BIRD);
    await using station = stationTo('bird', { transport, password: 's3cret', config: { isPassive: true } });
    await station.agreed();
  });

  test('with another password there is none, and the kernel counts it', async () => {
    bird.reconfigure(BIRD);
    const before = segments();
    await using station = stationTo('bird', { transport, password: 's3cret!', config: { isPassive: true } });
    await isKeptOut(station, () => segments() > before);
  });

  test('without a password there is none', async () => {
    bird.reconfigure(BIRD);
    const before = unsigned();
    await using station = stationTo('bird', { transport, config: { isPassive: true } });
    await isKeptOut(station, () => unsigned() > before);
  });

  test('a hop limit of both sides lets neighbours in', async () => {
    bird.reconfigure(LIMITED);
    await using station = stationTo('bird', { transport, hops: gtsmHops(1) });
    await station.agreed();
  });

  test('a hop limit of both sides, though the peer dials', async () => {
    bird.reconfigure(LIMITED);
    await using station = stationTo('bird', { transport, hops: gtsmHops(1), config: { isPassive: true } });
    await station.agreed();
  });

  test('a peer without a hop limit of its own is too far away', async () => {
    bird.reconfigure(BIRD.replaceAll('password "s3cret";', ''));
    await using station = stationTo('bird', { transport, hops: gtsmHops(1), config: { isPassive: true } });
    const dropped = () => counter('TCPMinTTLDrop');
    const before = dropped();
    await isKeptOut(station, () => dropped() > before);
  });

  test('a password of 75 bytes and a hop limit go together', async () => {
    await using station = stationTo('frr', {
      transport,
      config: { peerAsn: 65_003 },
      password: `long-${'x'.repeat(70)}`,
      hops: gtsmHops(1),
    });
    await station.agreed();
  });

  test('a stranger is turned away', async () => {
    bird.reconfigure(BIRD.replaceAll('password "s3cret";', ''));
    await using station = new Station({ node: us, peer: lan.node('frr'), transport });
    const { ipv4, ipv6 } = lan.node('bird');
    await station.until('nobody came', () => station.strangers.includes(transport === 4 ? ipv4 : ipv6));
  });
});
