import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ConfigError } from '#core/config/index.ts';
import { parseSpeakerFile } from './speaker-file.ts';
import { SPEAKER_SCHEMA } from './speaker-schema.ts';

const parse = (text: string) => parseSpeakerFile(text, 'speaker.yaml');

function problemsOf(text: string): readonly string[] {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n');
    throw error;
  }
  return [];
}

const HEAD = 'asn: 65001\nrouterId: 10.0.0.1\n';

describe("a speaker's file", () => {
  test('needs an AS and an identifier', () => {
    expect(parse(HEAD)).toEqual({
      listen: { port: 179, addresses: ['0.0.0.0', '::'] },
      monitor: [],
      ranges: [],
      speaker: { asn: 65_001, routerId: 0x0a00_0001, neighbors: [], routes: [], aggregates: [] },
    });
    expect(problemsOf('{}')).toHaveLength(2);
  });

  test.each(['speaker', 'monitor', 'ranges', 'links'])(
    'of the documentation is read, and is what the page shows: %s',
    (name) => {
      const file = (path: string) => readFileSync(new URL(`../../../docs/${path}`, import.meta.url), 'utf8');
      const example = file(`examples/bgp/${name}.yaml`);
      expect(file('bgp.md')).toContain(`\`\`\`yaml\n${example}\`\`\``);
      expect(problemsOf(example.replace(/^ +passwordFile: .*\n/m, ''))).toEqual([]);
    },
  );

  test.each(['speaker', 'monitor', 'ranges'])('gives plain data, which JSON carries whole: %s', (name) => {
    const example = readFileSync(new URL(`../../../docs/examples/bgp/${name}.yaml`, import.meta.url), 'utf8');
    const setup = parse(example.replace(/^ +passwordFile: .*\n/m, ''));
    expect(JSON.parse(JSON.stringify(setup))).toEqual(setup);
  });

  test('names stations that are told of it', () => {
    expect(
      parse(`${HEAD}monitor: [{address: 10.0.0.9}, {address: FD00::9, port: 5000, side: both}]`).monitor,
    ).toEqual([
      { address: '10.0.0.9', port: 11_019, side: 'pre-policy', statisticsSec: 60 },
      { address: 'fd00::9', port: 5000, side: 'both', statisticsSec: 60 },
    ]);
    expect(problemsOf(`${HEAD}monitor: [{address: 10.0.0.9, side: adj-rib-out}]`)).toHaveLength(1);
  });

  test('has ranges of neighbors, with names and places of their own', () => {
    const { ranges } = parse(`${HEAD}
ranges:
  - {name: rack, prefix: 10.0.0.7/24, asns: [65010], holdTimeSec: 30}
  - {name: any, prefix: 'fd00::/64', asns: [65010, 65011], limit: 5, families: [6]}`);
    expect(ranges).toMatchObject([
      {
        name: 'rack',
        prefix: '10.0.0.0/24',
        limit: 100,
        session: { peerAsn: 65_010, isPassive: true, holdTimeSec: 30 },
      },
      { name: 'any', limit: 5, session: { peerAsns: [65_010, 65_011], families: [{ family: 6 }] } },
    ]);
    const twice = '{name: rack, prefix: 10.0.0.0/24}';
    expect(problemsOf(`${HEAD}ranges: [${twice}, ${twice}]`)).toHaveLength(2);
    expect(
      problemsOf(`${HEAD}ranges: [{name: rack, prefix: 10.0.0.0/24, import: none, address: 10.0.0.1}]`),
    ).not.toEqual([]);
  });

  test('has routes, aggregates and filters', () => {
    const { speaker } = parse(`${HEAD}
clusterId: 1.0.0.1
confederation: {id: 65000, members: [65002]}
decision: {alwaysCompareMed: true, maxPaths: {external: 4}, relaxMultipath: true}
routes:
  - 10.42.0.0/16
  - {prefix: FD42::1/64, discard: true, communities: [64512:1, 1:2:3, no-export], med: 5, nextHop: fd00::1}
aggregates: [{prefix: 10.0.0.0/8, summaryOnly: true}]
filters:
  f:
    rules:
      - {match: {prefix: {operator: in, prefix: 10.0.0.0/8, minLength: 16}, communities: [no-export]}, action: reject}
      - {action: accept, operations: [{type: prepend-as-path, asns: [65001]}]}
    otherwise: reject
neighbors:
  - {name: tor, address: FD00::2, asn: 65002, import: f}
`);
    expect(speaker).toMatchObject({
      clusterId: 0x0100_0001,
      confederationId: 65_000,
      confederationMembers: [65_002],
      decision: { alwaysComparesMed: true, maxPaths: { external: 4 }, relaxesMultipath: true },
      aggregates: [{ prefix: '10.0.0.0/8', isSummaryOnly: true, attributes: {} }],
    });
    expect(speaker.routes).toEqual([
      { prefix: '10.42.0.0/16', origin: 'file' },
      {
        prefix: 'fd42::/64',
        origin: 'file',
        isDiscard: true,
        attributes: {
          communities: [64_512 * 65_536 + 1, 0xffff_ff01],
          largeCommunities: [[1, 2, 3]],
          med: 5,
          nextHop: 'fd00::1',
        },
      },
    ]);
    expect(speaker.neighbors[0]?.policy.imports?.[6]).toEqual({
      otherwise: 'reject',
      rules: [
        {
          origin: 'filter f rules[0]',
          action: 'reject',
          match: {
            prefix: { operator: 'in', prefix: '10.0.0.0/8', minLength: 16 },
            communities: [0xffff_ff01],
          },
        },
        {
          origin: 'filter f rules[1]',
          action: 'accept',
          match: {},
          operations: [{ type: 'prepend-as-path', asns: [65_001] }],
        },
      ],
    });
  });

  test('has all of a neighbour', () => {
    const { speaker } = parse(`${HEAD}
filters: {all: {rules: [], otherwise: accept}}
neighbors:
  - name: tor
    address: 10.0.0.2
    port: 1179
    asn: 65002
    localAsn: 64999
    localAddress: 10.0.0.1
    interface: eth0
    passive: true
    shutdown: true
    families: [4]
    addPath: {send: all, receive: true}
    extendedNextHop: true
    holdTimeSec: 9
    connectRetrySec: 0.5
    ttlSecurityHops: 1
    multihopTtl: 3
    restart: {longStaleTimeSec: 60}
    bfd: {transmitMs: 100}
    reflectorClient: true
    nextHop: keep
    nextHops: {6: fd00::1}
    linkLocalNextHop: fe80::1
    allowedOwnAsns: 1
    privateAsns: remove
    overrideAsn: true
    requireFilters: true
    acceptBlackhole: true
    gracefulShutdown: true
    maxRoutes: {4: 100}
    import: all
    export: all
`);
    const all = { otherwise: 'accept', rules: [] };
    expect(speaker.neighbors).toEqual([
      {
        key: 'tor',
        isShutdown: true,
        session: {
          peerAddress: '10.0.0.2',
          port: 1179,
          peerAsn: 65_002,
          localAsn: 64_999,
          localAddress: '10.0.0.1',
          interface: 'eth0',
          isPassive: true,
          families: [{ family: 4, addPathSend: true, addPathReceive: true, extendedNextHop: true }],
          holdTimeSec: 9,
          connectRetrySec: 0.5,
          bfd: { transmitMs: 100, receiveMs: 300, multiplier: 3 },
          ttlSecurityHops: 1,
          multihopTtl: 3,
          restart: { restartTimeSec: 120, longStaleTimeSec: 60 },
        },
        policy: {
          isReflectorClient: true,
          nextHop: 'keep',
          nextHops: { 6: 'fd00::1' },
          linkLocalNextHop: 'fe80::1',
          allowedOwnAsns: 1,
          privateAsns: 'remove',
          overridesAsn: true,
          requiresFilters: true,
          acceptsBlackhole: true,
          isShuttingDown: true,
          maxRoutes: { 4: 100, action: 'stop' },
          addPathCount: 'all',
          imports: { 4: all, 6: all },
          exports: { 4: all, 6: all },
        },
      },
    ]);
  });

  describe('names a neighbour', () => {
    const neighborOf = (text: string) =>
      parse(`${HEAD}neighbors: [{name: a, ${text}}]`).speaker.neighbors[0]?.session;
    const extended = (text: string) =>
      neighborOf(text)?.families.map(({ extendedNextHop }) => extendedNextHop);

    test.each([
      [
        'by its link-local address and link',
        'address: fe80::1%eth0',
        { peerAddress: 'fe80::1', interface: 'eth0' },
      ],
      [
        'the same in two keys',
        'address: FE80::1, interface: eth0',
        { peerAddress: 'fe80::1', interface: 'eth0' },
      ],
      [
        'the same said twice',
        'address: fe80::1%eth0, interface: eth0',
        { peerAddress: 'fe80::1', interface: 'eth0' },
      ],
      ['of another AS, whichever', 'address: 10.0.0.2, asn: external', { peerAs: 'external' }],
      ['of our AS', 'interface: eth0, asn: internal', { peerAs: 'internal', interface: 'eth0' }],
      ['by its link alone', 'interface: eth0, asn: 65002', { interface: 'eth0', peerAsn: 65_002 }],
    ])('%s', (_name, text, expected) => {
      expect(neighborOf(text)).toMatchObject(expected);
    });

    test('without an address where it names none', () => {
      expect(neighborOf('interface: eth0')).not.toHaveProperty('peerAddress');
    });

    test('that has IPv4 by IPv6 next hops if it is link-local, unless that is unwanted', () => {
      expect(extended('address: fe80::1%eth0')).toEqual([true, true]);
      expect(extended('interface: eth0')).toEqual([true, true]);
      expect(extended('interface: eth0, extendedNextHop: false')).toEqual([false, false]);
      expect(extended('address: fd00::1, interface: eth0')).toEqual([false, false]);
      const { ranges } = parse(`${HEAD}ranges: [{name: r, prefix: 'fe80::/10', interface: eth0}]`);
      expect(ranges?.[0]?.session).toMatchObject({
        interface: 'eth0',
        families: [{ extendedNextHop: true }, {}],
      });
    });

    test('on each of several links, which may have one address', () => {
      const { speaker } = parse(
        `${HEAD}neighbors: [{name: a, address: fe80::1%eth0}, {name: b, address: fe80::1%eth1}, {name: c, interface: eth0}]`,
      );
      expect(speaker.neighbors).toHaveLength(3);
    });
  });

  test.each<[string, string]>([
    [
      'neighbors: [{name: a}]',
      'neighbors[0].address: is missing, and so is interface: one of them has to say where the neighbor is',
    ],
    [
      'neighbors: [{name: a, address: fe80::1}]',
      'neighbors[0].address: "fe80::1" is link-local, and means nothing without its link: "fe80::1%eth0", or interface',
    ],
    [
      'neighbors: [{name: a, address: fd00::1%eth0}]',
      'neighbors[0].address: must be an IP address, with its link behind % if it is link-local: fe80::1%eth0',
    ],
    [
      'neighbors: [{name: a, address: fe80::1%eth0, interface: eth1}]',
      'neighbors[0].interface: must be the link of the address, "eth0", not "eth1"',
    ],
    ['neighbors: [{name: a, interface: a/b}]', 'neighbors[0].interface: must be the name of a link'],
    [
      'neighbors: [{name: a, interface: eth0, localAddress: fd00::1}]',
      'neighbors[0].localAddress: must be link-local as the neighbor\'s address is, not "fd00::1"',
    ],
    [
      'neighbors: [{name: a, address: fd00::2, localAddress: fe80::1}]',
      'neighbors[0].localAddress: "fe80::1" is link-local, and the neighbor\'s "fd00::2" is not',
    ],
    [
      'neighbors: [{name: a, interface: eth0, linkLocalNextHop: fe80::1}]',
      'neighbors[0].linkLocalNextHop: is the address of the session',
    ],
    [
      'neighbors: [{name: a, address: fd00::2, linkLocalNextHop: fd00::1}]',
      'neighbors[0].linkLocalNextHop: must be a link-local address, not "fd00::1"',
    ],
    [
      'neighbors: [{name: a, interface: eth0, multihopTtl: 2}]',
      'neighbors[0].multihopTtl: does not go with a link-local neighbor',
    ],
    [
      'neighbors: [{name: a, interface: eth0}, {name: b, interface: eth0}]',
      'neighbors[1].interface: must not be that of another neighbor: "eth0"',
    ],
    [
      'neighbors: [{name: a, address: fe80::1%eth0}, {name: b, address: fe80::1, interface: eth0}]',
      'neighbors[1].address: must not be that of another neighbor: "fe80::1%eth0"',
    ],
    [
      'neighbors: [{name: a, address: fe80::1%eth0}, {name: b, address: fe80::1%eth1, passwordFile: /k}]',
      'neighbors[1].passwordFile: must be that of "a": the kernel knows keys by address alone, and both have fe80::1',
    ],
    [
      'ranges: [{name: a, prefix: 10.0.0.0/8, interface: eth0}]',
      'ranges[0].interface: goes with a link-local prefix alone, not "10.0.0.0/8"',
    ],
    ['neighbors: [{name: a, address: 10.0.0.2, asn: outside}]', 'neighbors[0].asn'],
    ['asn: 0', 'asn'],
    ['routes: [10.0.0.0]', 'routes[0]'],
    ['routrs: []', 'routrs'],
    ['neighbors: [{name: a, address: x}]', 'neighbors[0].address: must be an IP address'],
    [
      'neighbors: [{name: a, address: 10.0.0.2, import: f}]',
      'neighbors[0].import: must be the name of a filter, not "f"',
    ],
    [
      'neighbors: [{name: a, address: 10.0.0.2}, {name: a, address: 10.0.0.2}]',
      'neighbors[1].name: must not be that of another neighbor: "a"',
    ],
    [
      'neighbors: [{name: a, address: 10.0.0.2, holdTimeSec: 2}]',
      'neighbors[0].holdTimeSec: must be 0, or 3 and more',
    ],
  ])('with %s is told with its place', (text, expected) => {
    const found = problemsOf(text.startsWith('asn') ? `${text}\nrouterId: 10.0.0.1\n` : HEAD + text).join(
      '\n',
    );
    expect(found).toMatch(/^speaker.yaml:\d+:\d+: /);
    expect(found).toContain(expected);
  });

  test('explains each of its keys', () => {
    for (const [key, part] of Object.entries(SPEAKER_SCHEMA.shape))
      expect(part.description, key).toBeDefined();
    const neighbor = SPEAKER_SCHEMA.shape.neighbors.unwrap().element.shape;
    for (const [key, part] of Object.entries(neighbor)) expect(part.description, key).toBeDefined();
  });
});
