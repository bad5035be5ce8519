import { describe, expect, test } from 'vitest';
import type { Filter } from '../filter/index.ts';
import { routesOf } from '../rib/index.ts';
import type { NeighborConfig, NeighborPolicy, NeighborSession, SpeakerConfig } from './config.ts';
import { summarize, why } from './index.ts';
import { Links } from './link.fixture.ts';

const IDS: Readonly<Record<string, number>> = { a: 1, b: 2, c: 3 };

function neighbor(
  key: string,
  peerAsn: number,
  policy: NeighborPolicy = {},
  session: Partial<NeighborSession> = {},
): NeighborConfig {
  const families = [{ family: 4 }, { family: 6, extendedNextHop: true }] as const;
  return {
    key,
    session: { peerAddress: `10.0.0.${IDS[key]}`, peerAsn, families, ...session },
    policy: { nextHops: { 6: `fd00::1${IDS[key]}` }, ...policy },
  };
}

function config(
  name: string,
  asn: number,
  neighbors: readonly NeighborConfig[],
  more: Partial<SpeakerConfig> = {},
): SpeakerConfig {
  return { asn, routerId: IDS[name] ?? 9, neighbors, routes: [], aggregates: [], ...more };
}

const route = (prefix: string) => ({ prefix, origin: 'config' });
const ROUTES = [route('10.1.0.0/16'), route('fd00:1::/64')];

/** Two speakers of two ASes, of which `a` has a route of either family. */
function world(policyOfB: NeighborPolicy = {}): Links {
  const links = new Links();
  links.add('a', config('a', 65_001, [neighbor('b', 65_002)], { routes: ROUTES }));
  links.add('b', config('b', 65_002, [neighbor('a', 65_001, policyOfB)]));
  return links;
}

function learned(links: Links, name: string): readonly string[] {
  const { rib } = links.speakers.get(name) ?? world().speakers.get('a') ?? never();
  return ([4, 6] as const).flatMap((family) =>
    [...routesOf(rib.tables, family)]
      .filter(({ peer, outcome }) => peer !== '' && outcome.type === 'best')
      .map(({ prefix, peer }) => `${prefix} from ${peer}`),
  );
}

function never(): never {
  throw new Error('no such speaker');
}

const speakerOf = (links: Links, name: string) => links.speakers.get(name) ?? never();
const BOTH = ['10.1.0.0/16 from a', 'fd00:1::/64 from a'];
const noV6: Filter = {
  rules: [{ origin: 'no v6', match: { prefix: { operator: 'in', prefix: '::/0' } }, action: 'reject' }],
  otherwise: 'accept',
};

describe('two speakers', () => {
  test('learn from one another', () => {
    const links = world();
    expect(learned(links, 'b')).toEqual(BOTH);
    expect(learned(links, 'a')).toEqual([]);
    expect(summarize(speakerOf(links, 'b'))).toEqual([
      {
        key: 'a',
        address: '10.0.0.1',
        asn: 65_001,
        routerId: 1,
        isUp: true,
        upSince: 0,
        families: [
          { family: 4, learned: 1, refused: 0, told: 0, waiting: 0 },
          { family: 6, learned: 1, refused: 0, told: 0, waiting: 0 },
        ],
      },
    ]);
  });

  test('have routes that come and go', () => {
    const links = world();
    const a = speakerOf(links, 'a');
    a.announce({ prefix: '10.2.0.0/16', origin: 'cli' }, 0);
    expect(learned(links.run(), 'b')).toEqual([
      '10.1.0.0/16 from a',
      '10.2.0.0/16 from a',
      'fd00:1::/64 from a',
    ]);
    a.withdraw('10.2.0.0/16', 'cli');
    a.configure({ ...a.config, routes: [route('10.3.0.0/16')] }, 0);
    expect(learned(links.run(), 'b')).toEqual(['10.3.0.0/16 from a']);
    expect(links.log.filter((line) => line.includes('close'))).toEqual([]);
  });

  test('lose what the other said when the session ends', () => {
    const links = world();
    const a = speakerOf(links, 'a');
    a.configure({ ...a.config, neighbors: [] }, 0);
    expect(learned(links.run(), 'b')).toEqual([]);
    expect(summarize(speakerOf(links, 'b'))[0]?.isUp).toBe(false);
  });
});

describe('another configuration', () => {
  interface Case {
    readonly name: string;
    readonly change: (config: SpeakerConfig) => SpeakerConfig;
    /** What was done about sessions. */
    readonly log: readonly string[];
    readonly learned: readonly string[];
  }
  const of =
    (policy: NeighborPolicy, session: Partial<NeighborSession> = {}) =>
    (it: SpeakerConfig) => ({
      ...it,
      neighbors: [neighbor('a', 65_001, policy, session)],
    });
  const CASES: readonly Case[] = [
    { name: 'that is the same changes nothing', change: of({}), log: [], learned: BOTH },
    {
      name: 'with a filter leaves the session',
      change: of({ imports: { 6: noV6 } }),
      log: [],
      learned: BOTH.slice(0, 1),
    },
    {
      name: 'with another hold time counts from the next session on',
      change: of({}, { holdTimeSec: 9 }),
      log: ['b sets a'],
      learned: BOTH,
    },
    {
      name: 'with a password begins anew',
      change: of({}, { password: 'secret' }),
      log: ['b closes a: changed', 'b opens a'],
      learned: BOTH,
    },
    {
      name: 'with other families begins anew',
      change: of({}, { families: [{ family: 4 }] }),
      log: ['b closes a: changed', 'b opens a'],
      learned: BOTH.slice(0, 1),
    },
    {
      name: 'that shuts the neighbour down ends the session',
      change: (it) => ({ ...it, neighbors: it.neighbors.map((each) => ({ ...each, isShutdown: true })) }),
      log: ['b closes a: shutdown'],
      learned: [],
    },
    {
      name: 'of another router begins anew',
      change: (it) => ({ ...it, routerId: 77 }),
      log: ['b closes a: changed', 'b opens a'],
      learned: BOTH,
    },
    {
      name: 'with another decision leaves the session',
      change: (it) => ({ ...it, decision: { alwaysComparesMed: true } }),
      log: [],
      learned: BOTH,
    },
  ];

  test.each(CASES)('$name', ({ change, log, learned: expected }) => {
    const links = world();
    links.log.length = 0;
    const b = speakerOf(links, 'b');
    b.configure(change(b.config), 0);
    links.run();
    expect(links.log.filter((line) => line.startsWith('b') && !line.includes('sends'))).toEqual(log);
    expect(learned(links, 'b')).toEqual(expected);
  });

  test('that makes no sense changes nothing', () => {
    const b = speakerOf(world(), 'b');
    const bad: Filter = {
      rules: [
        { origin: 'bad', match: { prefix: { operator: 'in', prefix: '10.0.0.0/33' } }, action: 'accept' },
      ],
      otherwise: 'accept',
    };
    const before = b.config;
    expect(() =>
      b.configure({ ...before, neighbors: [neighbor('a', 1, { imports: { 4: bad } })] }, 0),
    ).toThrow('10.0.0.0/33');
    expect(() => b.configure({ ...before, neighbors: [neighbor('a', 1), neighbor('a', 2)] }, 0)).toThrow(
      'two neighbors have the key a',
    );
    expect(b.config).toBe(before);
    expect(b.flush(0)).toEqual([]);
  });
});

describe('a neighbour', () => {
  test('with too many routes is closed for a while', () => {
    const links = world({ maxRoutes: { 4: 0, action: 'stop' } });
    expect(links.log).toContain('b closes a: limit');
    expect(learned(links, 'b')).toEqual([]);
  });

  test('is told everything again by a soft reset out, and nothing more by one in', () => {
    const links = world();
    links.log.length = 0;
    expect(speakerOf(links, 'a').softReset('b', 'out', 0)).toBe(true);
    expect(speakerOf(links, 'a').softReset('b', 'in', 0)).toBe(true);
    expect(speakerOf(links, 'a').softReset('x', 'in', 0)).toBe(false);
    expect(links.run().log).toEqual(['a sends b announce announce']);
  });

  test('is asked for everything again', () => {
    const links = world();
    links.log.length = 0;
    speakerOf(links, 'b').requestRefresh('a', 4);
    expect(links.run().log).toEqual(['b sends a refresh', 'a sends b announce']);
  });

  test('gets no more before it has taken what it was given', () => {
    const { rib: _, ...it } = { rib: 0, speaker: speakerOf(world(), 'a') };
    const { speaker } = it;
    const prefixes = (): number =>
      speaker.flush(0).reduce((sum, action) => (action.type === 'send' ? sum + action.sends.length : sum), 0);
    speaker.announce(route('10.7.0.0/16'), 0);
    expect(prefixes()).toBe(1);
    speaker.announce(route('10.8.0.0/16'), 0);
    expect(prefixes()).toBe(0);
    speaker.ready('b');
    expect(prefixes()).toBe(1);
  });
});

test('why says what filters and the decision did', () => {
  const links = new Links();
  links.add('a', config('a', 65_001, [neighbor('b', 65_002)], { routes: ROUTES }));
  links.add(
    'b',
    config('b', 65_002, [
      neighbor('a', 65_001, { imports: { 6: noV6 } }),
      neighbor('c', 65_003, { exports: { 4: { rules: [], otherwise: 'reject' } } }),
    ]),
  );
  links.add('c', config('c', 65_003, [neighbor('b', 65_002)]));
  const ask = (prefix: string) => why(speakerOf(links, 'b'), prefix, {}, 0);
  expect(ask('fd00:1::/64')).toMatchObject({
    routes: [{ peer: 'a', outcome: { type: 'refused', reason: 'import filter' } }],
    imports: [{ peer: 'a', explanation: { verdict: 'reject', decidedBy: 'no v6' } }],
  });
  expect(ask('10.1.0.0/16')).toMatchObject({
    routes: [{ peer: 'a', outcome: { type: 'best' } }],
    told: [
      { peer: 'a', refusal: 'learned from this peer' },
      { peer: 'c', refusal: 'export filter' },
    ],
    exports: [{ peer: 'c', explanation: { verdict: 'reject', steps: [] } }],
  });
  expect(ask('10.99.0.0/16')).toEqual({
    prefix: '10.99.0.0/16',
    routes: [],
    told: [],
    imports: [],
    exports: [],
  });
});
