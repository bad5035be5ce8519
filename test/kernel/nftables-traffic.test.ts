/** Rules meet real packets on the loopback link: what byte orders, masks, ranges and maps mean is what the builders say. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { act, element, field, match, type NftObject, type RulePart, rule } from '#core/nft/index.ts';
import { chain, SETS, TABLE, table } from './nftables-universe.ts';
import { NftWorld, nftVersion } from './nftables-world.ts';

const PORT = 5353;

let world: NftWorld;
beforeEach((context) => {
  context.skip(nftVersion() === undefined, 'nft is not installed');
  world = new NftWorld([TABLE]);
  world.run('ip', ['link', 'set', 'lo', 'up']);
});
afterEach(() => world?.[Symbol.dispose]());

const { saddr, daddr, dport, sport } = field;
const accept = { verdict: 'accept' } as const;
const target = { verdict: 'jump', chain: 'target' } as const;

const ELEMENTS = [
  element(SETS.nets4, ['127.0.0.0/8']),
  element(SETS.nets6, ['::/127']),
  element(SETS.portRanges, [[5000, 5999]]),
  element(SETS.markRanges, [[0x100, 0x1ff]]),
  element(SETS.links, ['lo']),
  element(SETS.endpoints, ['127.0.0.1', 'udp', PORT]),
  element(SETS.endpointRanges, ['127.0.0.0/30', 'udp', [5000, 6000]]),
  element(SETS.endpointRanges6, ['::/126', [5000, 6000]]),
  element(SETS.verdicts, ['127.0.0.1', 'udp', PORT], { data: target }),
  element(SETS.netVerdicts, ['127.0.0.0/8'], { data: target }),
  element(SETS.linkVerdicts, ['lo'], { data: target }),
  element(SETS.chances, [0], { data: target }),
  element(SETS.chances, [1], { data: accept }),
];

/** Rules with the number of packets that pass their conditions, of one IPv4 and one IPv6 datagram from lo to lo. */
const EXPECTED: readonly (readonly [name: string, packets: number, parts: readonly RulePart[]])[] = [
  ['both', 2, []],
  ['IPv4', 1, [match.is(field.nfproto, 'ipv4')]],
  ['IPv4 prefix', 1, [match.is(saddr(4), '127.0.0.0/8')]],
  ['IPv4 prefix in bits', 1, [match.is(saddr(4), '127.0.0.0/29')]],
  ['another IPv4 prefix', 0, [match.is(saddr(4), '127.0.0.8/29')]],
  ['not an IPv4 prefix', 0, [match.not(saddr(4), '127.0.0.0/9')]],
  ['everything IPv4', 1, [match.is(saddr(4), '0.0.0.0/0')]],
  ['IPv6 prefix', 1, [match.is(daddr(6), '::/120')]],
  ['not an IPv6 prefix', 1, [match.not(daddr(6), 'fd00::/8')]],
  ['address range', 1, [match.between(daddr(4), '126.255.255.255', '127.0.0.1')]],
  ['port', 2, [match.is(dport('udp'), PORT)]],
  ['port less', 2, [match.less(dport('udp'), PORT + 1)]],
  ['port not less', 0, [match.less(dport('udp'), PORT)]],
  ['port range', 2, [match.between(dport('udp'), PORT, PORT)]],
  ['not in port range', 0, [match.notBetween(dport('udp'), 1, PORT)]],
  ['ephemeral', 2, [match.greater(sport('udp'), 1023)]],
  ['tcp', 0, [match.is(dport('tcp'), PORT)]],
  ['network set', 1, [match.inSet(saddr(4), SETS.nets4)]],
  ['not in network set', 0, [match.notInSet(saddr(4), SETS.nets4)]],
  ['IPv6 network set', 1, [match.inSet(saddr(6), SETS.nets6)]],
  ['set of port ranges', 2, [match.inSet(dport('udp'), SETS.portRanges)]],
  ['set of links', 2, [match.inSet(field.oifname, SETS.links)]],
  ['concatenation', 1, [match.inSet([daddr(4), field.l4proto, field.thDport], SETS.endpoints)]],
  [
    'concatenation of ranges',
    1,
    [match.inSet([daddr(4), field.l4proto, field.thDport], SETS.endpointRanges)],
  ],
  ['IPv6 concatenation of ranges', 1, [match.inSet([daddr(6), field.thDport], SETS.endpointRanges6)]],
  ['link', 2, [match.is(field.oifname, 'lo')]],
  ['link pattern', 2, [match.is(field.oifname, 'l*')]],
  ['not link pattern', 0, [match.not(field.oifname, 'l*')]],
  ['set mark', 2, [act.setMark(0x150)]],
  ['mark', 2, [match.is(field.mark, 0x150)]],
  ['mark under mask', 2, [match.is(field.masked(field.mark, 0xff00), 0x100)]],
  ['mark above', 2, [match.greater(field.mark, 0xff)]],
  ['mark between', 2, [match.between(field.mark, 0x14f, 0x151)]],
  ['mark not above', 0, [match.greater(field.mark, 0x150)]],
  ['set of mark ranges', 2, [match.inSet(field.mark, SETS.markRanges)]],
  ['set bits', 2, [act.setMark(0x4000, 0xf000)]],
  ['bits are set', 2, [match.is(field.mark, 0x4150)]],
  ['save', 2, [act.saveMark]],
  ['connection mark', 2, [match.is(field.ctMark, 0x4150)]],
  ['new', 2, [match.is(field.ctState, 'new')]],
  ['not established', 2, [match.not(field.ctState, 'established')]],
  ['established', 0, [match.is(field.ctState, 'established,related')]],
  ['direction', 2, [match.is(field.ctDirection, 'original')]],
  ['original destination', 1, [match.is(field.ctOriginalDaddr(4), '127.0.0.1')]],
  ['original port', 2, [match.is(field.ctOriginalDport, PORT)]],
  ['local', 2, [match.is(field.fibType('daddr'), 'local')]],
  ['length', 2, [match.between(field.lengthBytes, 28, 100)]],
  ['add to a set', 1, [act.addToSet(saddr(4), SETS.seen)]],
];

/** Rules that send packets to the chain `target`, and how many come there. */
const JUMPS: readonly (readonly [packets: number, part: RulePart])[] = [
  [1, match.vmap([daddr(4), field.l4proto, field.thDport], SETS.verdicts)],
  [1, match.vmap(daddr(4), SETS.netVerdicts)],
  [2, match.vmap(field.oifname, SETS.linkVerdicts)],
  [1, match.vmap(field.numgen('inc', 2), SETS.chances)],
];

/** Routes are looked up for packets that arrive. */
const ARRIVING: typeof EXPECTED = [
  ['routed', 1, [match.is(saddr(4), '127.0.0.1'), match.is(field.fibPresent('daddr'), 1)]],
  ['not routed', 0, [match.is(saddr(4), '127.0.0.1'), match.is(field.fibPresent('daddr'), 0)]],
  ['by link', 1, [match.is(saddr(4), '127.0.0.1'), match.is(field.fibOifname('daddr'), 'lo')]],
  ['from link', 2, [match.is(field.iifname, 'lo')]],
];

function send(): void {
  for (const host of ['127.0.0.1', '::1']) world.run('bash', ['-c', `echo x > /dev/udp/${host}/${PORT}`]);
}

it.each([
  ['leave', 'output', EXPECTED],
  ['arrive', 'prerouting', ARRIVING],
] as const)('counts the packets that conditions let through as they %s', (_name, hook, expected) => {
  const rules = expected.map(([name, , parts]) => rule('inet', [...parts, act.counter], name));
  const objects: NftObject[] = [
    table('inet'),
    ...Object.values(SETS),
    chain('inet', 'target', []),
    chain('inet', 'c', [[match.not(field.l4proto, 'udp'), act.accept], ...rules], {
      hook,
      priority: 0,
      type: 'filter',
    }),
    ...ELEMENTS,
  ];
  world.add(objects);
  send();
  const listed = world.nft(['list', 'chain', 'inet', TABLE, 'c']);
  const counted = [...listed.matchAll(/packets (\d+) bytes \d+ comment "(.*)"/g)].map(([, packets, name]) => [
    name,
    Number(packets),
  ]);
  expect(counted).toEqual(expected.map(([name, packets]) => [name, packets]));
  // What the traffic added is no part of the state.
  expect([...world.dumped().keys()].filter((key) => key.includes(' seen 1'))).toEqual([]);
});

it.each(JUMPS)('sends %i packets through a verdict map', (packets, part) => {
  world.add([
    table('inet'),
    ...Object.values(SETS),
    chain('inet', 'target', [[act.counter]]),
    chain('inet', 'c', [[match.is(dport('udp'), PORT), part]], {
      hook: 'output',
      priority: 0,
      type: 'filter',
    }),
    ...ELEMENTS,
  ]);
  send();
  expect(world.nft(['list', 'chain', 'inet', TABLE, 'target'])).toContain(`counter packets ${packets} `);
});

it('translates addresses and ports through maps', () => {
  world.add([
    table('inet'),
    ...Object.values(SETS),
    element(SETS.backends, ['127.0.0.1', PORT], { data: ['127.0.0.2', 6000] }),
    element(SETS.backends6, [PORT], { data: ['::1', 6001] }),
    chain(
      'inet',
      'nat',
      [
        [match.is(field.l4proto, 'udp'), act.dnatMap([daddr(4), field.thDport], SETS.backends)],
        [match.is(field.l4proto, 'udp'), act.dnatMap(field.thDport, SETS.backends6)],
      ],
      { hook: 'output', priority: -100, type: 'nat' },
    ),
    chain(
      'inet',
      'after',
      [
        [match.is(daddr(4), '127.0.0.2'), match.is(dport('udp'), 6000), act.counter],
        [match.is(daddr(6), '::1'), match.is(dport('udp'), 6001), act.counter],
      ],
      { hook: 'postrouting', priority: 0, type: 'filter' },
    ),
  ]);
  send();
  const listed = world.nft(['list', 'chain', 'inet', TABLE, 'after']);
  expect([...listed.matchAll(/packets (\d+)/g)].map(([, packets]) => packets)).toEqual(['1', '1']);
});
