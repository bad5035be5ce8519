/** What a BMP station is told of our sessions, as Wireshark reads it, beside what FRR tells of the same peer. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { BgpService } from '#app/bgp/service/service.ts';
import { parseSpeakerFile } from '#app/bgp/speaker-file.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { BMP_PORTS, BmpCapture, type BmpFields } from './bgp/bmp-capture.ts';
import { BgpLan } from './bgp/lan.ts';
import { Bird, Frr } from './bgp/peers.ts';

const BIRD = `
router id 10.77.0.3;
protocol device {}
protocol static s4 { ipv4; route 10.201.0.0/16 blackhole; route 10.202.0.0/16 blackhole { bgp_med = 5; }; }
protocol static s6 { ipv6; route fd00:201::/32 blackhole; }
template bgp common { local as 65003; connect delay time 1; error wait time 1, 1;
  ipv4 { import none; export all; next hop self; }; ipv6 { import none; export all; next hop self; }; }
protocol bgp to_us from common { neighbor 10.77.0.1 as 65001; }
protocol bgp to_frr from common { neighbor 10.77.0.2 as 65001; }
`;
const FRR = `
router bgp 65001
 bgp router-id 10.77.0.2
 no bgp ebgp-requires-policy
 neighbor 10.77.0.3 remote-as 65003
 neighbor 10.77.0.3 timers connect 1
 address-family ipv4 unicast
  neighbor 10.77.0.3 soft-reconfiguration inbound
 exit-address-family
 address-family ipv6 unicast
  neighbor 10.77.0.3 activate
  neighbor 10.77.0.3 soft-reconfiguration inbound
 exit-address-family
 bmp targets t
  bmp connect 10.77.0.4 port ${BMP_PORTS.theirs} min-retry 100 max-retry 1000
  bmp monitor ipv4 unicast pre-policy
  bmp monitor ipv6 unicast pre-policy
`;
const EXAMPLE = readFileSync(join(import.meta.dirname, '../../docs/examples/bgp/monitor.yaml'), 'utf8');
const usWith = (refused: string) =>
  parseSpeakerFile(EXAMPLE.replace('10.202.0.0/16', refused), 'monitor.yaml');

const WAIT = { timeout: 40_000, interval: 500 };
const TYPES = {
  routes: '0',
  statistics: '1',
  down: '2',
  up: '3',
  initiation: '4',
  termination: '5',
} as const;
const AS_PATH = 'bgp.update.path_attribute.as_path_segment.as4';
/** What makes a route; who tells of it and when is another matter. */
const ROUTE_FIELDS = [
  ...[
    'bmp.peer.type',
    'bmp.peer.flags',
    'bmp.peer.distinguisher',
    'bmp.peer.ip.addr',
    'bmp.peer.asn',
    'bmp.peer.id',
  ],
  ...['bgp.update.path_attribute.origin', AS_PATH],
  ...['bgp.update.path_attribute.next_hop', 'bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6'],
  ...['bgp.update.path_attribute.multi_exit_disc', 'bgp.prefix_length'],
] as const;
const PREFIXES = ['10.201.0.0', '10.202.0.0', 'fd00:201::'];

const lan = new BgpLan('us', 'frr', 'bird', 'station');
let capture: BmpCapture;
let bird: Bird;
let frr: Frr;
let service: BgpService;

beforeAll(async () => {
  capture = await BmpCapture.begin(lan, 'station', 'us');
  bird = await Bird.start(lan, 'bird', BIRD);
  frr = await Frr.start(lan, 'frr', FRR, { bmp: true });
  const { namespace } = lan.node('us');
  service = new BgpService(usWith('10.202.0.0/16'), { clock: systemClock, random: systemRandom, namespace });
}, 60_000);

afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  await frr?.end();
  await bird?.end();
  await capture?.[Symbol.asyncDispose]();
  lan[Symbol.dispose]();
});

const one = (message: BmpFields, field: string): string | undefined => message.get(field)?.at(-1);
const ofType = (type: string, port: number = BMP_PORTS.ours) =>
  capture.messages(port).filter((message) => one(message, 'bmp.type') === type);
const announcedIn = (message: BmpFields) => [
  ...(message.get('bgp.nlri_prefix') ?? []),
  ...(message.get('bgp.mp_reach_nlri_ipv6_prefix') ?? []),
];
const withdrawnIn = (message: BmpFields) => [
  ...(message.get('bgp.withdrawn_prefix') ?? []),
  ...(message.get('bgp.mp_unreach_nlri_ipv6_prefix') ?? []),
];
const isPost = (message: BmpFields) => one(message, 'bmp.peer.flags.post_policy') === '1';

/** By prefix, what was told last of it before any policy. */
function routesTold(port: number): ReadonlyMap<string, Record<string, readonly string[] | undefined>> {
  const routes = new Map<string, Record<string, readonly string[] | undefined>>();
  for (const message of ofType(TYPES.routes, port)) {
    if (isPost(message)) continue;
    for (const prefix of announcedIn(message))
      routes.set(prefix, Object.fromEntries(ROUTE_FIELDS.map((field) => [field, message.get(field)])));
  }
  return new Map([...routes].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

describe('a BMP station', () => {
  test('hears of a session and its routes what FRR tells of its own with the same peer', async () => {
    const [ours, theirs] = await vi.waitFor(() => {
      const both = [routesTold(BMP_PORTS.ours), routesTold(BMP_PORTS.theirs)];
      for (const routes of both) expect([...routes.keys()]).toEqual(PREFIXES);
      return both;
    }, WAIT);
    // FRR writes the path as if it passed the route on, with its own AS before it.
    for (const route of theirs?.values() ?? []) {
      const [own, ...path] = route[AS_PATH] ?? [];
      expect(own).toBe('65001');
      route[AS_PATH] = path;
    }
    expect(ours).toEqual(theirs);
    const ups = [BMP_PORTS.ours, BMP_PORTS.theirs].map((port) => ofType(TYPES.up, port).at(-1));
    const [ourUp, theirUp] = ups.map((up) => ({
      peer: ['bmp.peer.ip.addr', 'bmp.peer.asn', 'bmp.peer.id', 'bmp.peer.flags'].map((field) =>
        up?.get(field),
      ),
      // Of both OPENs the one that BIRD sent.
      received: ['bgp.length', 'bgp.open.myas', 'bgp.open.holdtime', 'bgp.open.identifier'].map(
        (field) => up?.get(field)?.[1],
      ),
    }));
    expect(ourUp).toEqual(theirUp);
    const [first] = capture.messages(BMP_PORTS.ours);
    expect(first && one(first, 'bmp.type')).toBe(TYPES.initiation);
    expect(first?.get('bmp.init.info')?.[0]).toMatch(/^poplin \d/);
  });

  test('hears what filters leave, and of it what other filters leave', async () => {
    const kept = () => {
      const left = new Set<string>();
      for (const message of ofType(TYPES.routes).filter(isPost)) {
        for (const prefix of announcedIn(message)) left.add(prefix);
        for (const prefix of withdrawnIn(message)) left.delete(prefix);
      }
      return [...left].toSorted();
    };
    await vi.waitFor(() => expect(kept()).toEqual(['10.201.0.0', 'fd00:201::']), WAIT);
    service.configure(usWith('10.201.0.0/16'));
    await vi.waitFor(() => expect(kept()).toEqual(['10.202.0.0', 'fd00:201::']), WAIT);
  });

  test('hears numbers, and everything again after it was away', async () => {
    await vi.waitFor(() => {
      const numbers = ofType(TYPES.statistics).at(-1);
      expect(numbers?.get('bmp.stats.data.routes_adj_rib_in')).toEqual(['3']);
    }, WAIT);
    capture.hangUp();
    const again = await vi.waitFor(() => {
      const all = capture.messages(BMP_PORTS.ours);
      const begin = all.findLastIndex((message) => one(message, 'bmp.type') === TYPES.initiation);
      expect(begin).toBeGreaterThan(0);
      const since = all.slice(begin);
      expect(since.flatMap(announcedIn)).toEqual(expect.arrayContaining(PREFIXES));
      return since;
    }, WAIT);
    expect(again.map((message) => one(message, 'bmp.type')).slice(0, 2)).toEqual([
      TYPES.initiation,
      TYPES.up,
    ]);
  });

  test('hears why a session has ended, and a last word', async () => {
    await bird.end();
    const reason = (port: number) => {
      const down = ofType(TYPES.down, port).at(-1);
      const fields = ['bmp.peer.down.reason', 'bgp.notify.major_error', 'bgp.notify.minor_error_cease'];
      return fields.map((field) => down?.get(field)?.[0]);
    };
    // The peer's NOTIFICATION: cease, administrative shutdown.
    await vi.waitFor(() => expect(reason(BMP_PORTS.ours)).toEqual(['3', '6', '2']), WAIT);
    await vi.waitFor(() => expect(reason(BMP_PORTS.theirs)).toEqual(['3', '6', '2']), WAIT);
    await service[Symbol.asyncDispose]();
    await vi.waitFor(() => {
      const last = capture.messages(BMP_PORTS.ours).at(-1);
      expect(last && one(last, 'bmp.type')).toBe(TYPES.termination);
    }, WAIT);
    // Nothing of it all looked odd to Wireshark, but for what BIRD says of its restarts.
    const odd = capture
      .messages(BMP_PORTS.ours)
      .flatMap((message) => message.get('_ws.expert.message') ?? []);
    expect(odd.filter((text) => !text.startsWith('Graceful Restart Capability'))).toEqual([]);
  });
});
