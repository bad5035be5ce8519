/** Neighbours of a range, which are known when they come: BIRD and ExaBGP connect, and are forgotten when they have gone. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ServiceEvent } from '#app/bgp/service/model.ts';
import { BgpService } from '#app/bgp/service/service.ts';
import { parseSpeakerFile } from '#app/bgp/speaker-file.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { BgpLan } from './bgp/lan.ts';
import { Bird, Exabgp } from './bgp/peers.ts';

const EXAMPLE = readFileSync(join(import.meta.dirname, '../../docs/examples/bgp/ranges.yaml'), 'utf8');
const WAIT = { timeout: 30_000, interval: 50 };
const birdOf = (number: number, asn: number) => `
router id 10.77.0.${number};
protocol device {}
protocol static { ipv4; route 10.20${number}.0.0/16 blackhole; }
protocol bgp to_us { local as ${asn}; neighbor 10.77.0.1 as 65001; connect delay time 1; error wait time 1, 1;
  ipv4 { import all; export where source = RTS_STATIC; next hop self; }; }
`;
const EXABGP = `
neighbor 10.77.0.1 {
  router-id 10.77.0.3; local-address 10.77.0.3; local-as 65011; peer-as 65001;
  family { ipv4 unicast; }
  api { processes [ watch ]; receive { parsed; update; } }
  static { route 10.203.0.0/16 next-hop self; }
}
`;

const lan = new BgpLan('us', 'bird', 'exabgp', 'other');
const events: ServiceEvent[] = [];
let service: BgpService;
let bird: Bird;
let exabgp: Exabgp;
let other: Bird;

beforeAll(async () => {
  const { namespace } = lan.node('us');
  const setup = parseSpeakerFile(EXAMPLE, 'ranges.yaml');
  service = new BgpService(setup, { clock: systemClock, random: systemRandom, namespace });
  service.watch((event) => events.push(event));
  bird = await Bird.start(lan, 'bird', birdOf(2, 65_010));
}, 60_000);

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  for (const each of [bird, exabgp, other]) await each?.end();
  lan[Symbol.dispose]();
});

const up = () =>
  service
    .neighbors()
    .filter(({ isUp }) => isUp)
    .map(({ key, asn, families }) => [key, asn, families.map(({ learned }) => learned).join()]);
const refusals = () => events.flatMap((event) => (event.type === 'fault' ? [event.text] : []));

describe('neighbors of a range', () => {
  test('are there when they have come, each with its AS, and are told our routes', async () => {
    await vi.waitFor(() => expect(up()).toEqual([['rack 10.77.0.2', 65_010, '1']]), WAIT);
    exabgp = await Exabgp.start(lan, 'exabgp', EXABGP);
    await vi.waitFor(
      () =>
        expect(up()).toEqual([
          ['rack 10.77.0.2', 65_010, '1'],
          ['rack 10.77.0.3', 65_011, '1'],
        ]),
      WAIT,
    );
    await vi.waitFor(() => expect(bird.ctl('show route')).toContain('10.203.0.0/16'), WAIT);
    await vi.waitFor(() => expect(exabgp.heard).toContain('10.42.0.0/16'), WAIT);
  });

  test('are not more than may be', async () => {
    other = await Bird.start(lan, 'other', birdOf(4, 65_010));
    await vi.waitFor(
      () => expect(refusals()).toContain('10.77.0.4 came, and there are 2 neighbors already'),
      WAIT,
    );
    expect(service.neighbors()).toHaveLength(2);
  });

  test('are forgotten when they go, and leave their place to others', async () => {
    await exabgp.end();
    await vi.waitFor(
      () => expect(up().map(([key]) => key)).toEqual(['rack 10.77.0.2', 'rack 10.77.0.4']),
      WAIT,
    );
    await vi.waitFor(() => expect(bird.ctl('show route')).not.toContain('10.203.0.0/16'), WAIT);
  });

  test('of another AS are turned away', async () => {
    other.reconfigure(birdOf(4, 65_099));
    await vi.waitFor(() => expect(other.log).toMatch(/Received: Bad peer AS/), WAIT);
    await vi.waitFor(
      () => expect(service.neighbors().map(({ key }) => key)).toEqual(['rack 10.77.0.2']),
      WAIT,
    );
  });

  test('stay what they are when the file is read again, and end with their range', async () => {
    const since = service.neighbors()[0]?.upSince;
    service.configure(parseSpeakerFile(EXAMPLE.replace('limit: 2', 'limit: 3'), 'ranges.yaml'));
    expect(service.neighbors()[0]?.upSince).toBe(since);
    service.configure(parseSpeakerFile(EXAMPLE.replace('10.77.0.0/24', '10.78.0.0/24'), 'ranges.yaml'));
    expect(service.neighbors()).toEqual([]);
    await vi.waitFor(() => expect(bird.log).toContain('Received: Peer de-configured'), WAIT);
  });
});
