import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { prefixContains } from '#base/ip/index.ts';
import { act, rule as nftRule, printRule } from '#core/nft/index.ts';
import { policy, rule, select } from '../engine/scene.fixture.ts';
import type { PolicyRule } from '../model.ts';
import { Names } from './names.ts';
import { Nets, outermost } from './nets.ts';
import { Output } from './output.ts';
import { ruleMatches } from './rule-match.ts';
import { RuleSets } from './rule-sets.ts';

/** A rule of ingress as nft shows what is made of it, in each family; names of sets without their digests. */
function shown(of: PolicyRule): readonly [ipv4: string[], ipv6: string[]] {
  const subject = policy({ kind: 'GlobalNetworkPolicy', name: 'p' }, select('app=web'), { ingress: [of] });
  const inFamily = (family: 4 | 6): string[] => {
    const sets = new RuleSets({ output: new Output(), places: ['inet'] });
    const context = { policy: subject, direction: 'ingress', family, sets, used: new Set<never>() } as const;
    return ruleMatches(of, context).map((parts) =>
      printRule('inet', nftRule('inet', [...parts, act.accept])).replaceAll(/-[0-9a-f]{16}/g, ''),
    );
  };
  return [inFamily(4), inFamily(6)];
}

const same = (...lines: string[]): readonly [string[], string[]] => [
  lines.map((line) => line.replaceAll('IP', 'ip').replaceAll('#', '4')),
  lines.map((line) => line.replaceAll('IP', 'ip6').replaceAll('#', '6')),
];
const front = select('app=front');

describe('a rule', () => {
  test.each<[string, PolicyRule, readonly [string[], string[]]]>([
    ['of nothing', rule({}), same('accept')],
    ['of one family', rule({}, {}, { family: 6 }), [[], ['accept']]],
    ['of a protocol', rule({}, {}, { protocol: 47 }), same('meta l4proto gre accept')],
    ['of any other protocol', rule({}, {}, { notProtocol: 6 }), same('meta l4proto != tcp accept')],
    ['that contradicts itself', rule({}, {}, { protocol: 6, notProtocol: 6 }), same()],
    [
      'of ICMP, with a type and a code',
      rule({}, {}, { protocol: 1, icmp: { type: 3, code: 1 } }),
      [['icmp type destination-unreachable icmp code host-unreachable accept'], []],
    ],
    [
      'of ICMPv6 but for a type',
      rule({}, {}, { protocol: 58, notIcmp: { type: 128 } }),
      [['meta l4proto ipv6-icmp accept'], ['icmpv6 type != echo-request accept']],
    ],
    [
      'of anything but a type and a code',
      rule({}, {}, { notIcmp: { type: 8, code: 0 } }),
      [
        [
          'meta l4proto != icmp accept',
          'icmp type != echo-request accept',
          'icmp type echo-request icmp code != net-unreachable accept',
        ],
        [
          'meta l4proto != ipv6-icmp accept',
          'icmpv6 type != 8 accept',
          'icmpv6 type 8 icmpv6 code != no-route accept',
        ],
      ],
    ],
    ['of a net', rule({ nets: ['10.0.0.0/8'] }), [['ip saddr 10.0.0.0/8 accept'], []]],
    ['of no net', rule({ nets: [] }), same()],
    ['of everything', rule({ nets: ['0.0.0.0/0'] }), [['accept'], []]],
    [
      'of nets in each other',
      rule({ nets: ['10.0.0.0/8', '10.1.0.0/16'] }),
      [['ip saddr 10.0.0.0/8 accept'], []],
    ],
    [
      'of several nets',
      rule({ nets: ['10.0.0.0/8', 'fd00::/8', '172.16.0.0/12'] }),
      [['ip saddr @nets4 accept'], ['ip6 saddr fd00::/8 accept']],
    ],
    ['of all but a net', rule({ notNets: ['10.0.0.0/8'] }), [['ip saddr != 10.0.0.0/8 accept'], ['accept']]],
    ['of all but everything', rule({ notNets: ['::/0'] }), [['accept'], []]],
    ['of members', rule({ selector: front }), same('IP saddr @members# accept')],
    ['of others', rule({ notSelector: front }), same('IP saddr != @members# accept')],
    ['of a port', rule({}, { ports: [{ from: 80, to: 80 }] }, { protocol: 6 }), same('tcp dport 80 accept')],
    [
      'of ports that touch',
      rule(
        {
          ports: [
            { from: 1, to: 2 },
            { from: 3, to: 5 },
          ],
        },
        {},
        { protocol: 17 },
      ),
      same('udp sport 1-5 accept'),
    ],
    [
      'of several ports, by number and by name',
      rule({}, { ports: [{ from: 80, to: 80 }, { from: 90, to: 99 }, { name: 'http' }] }, { protocol: 6 }),
      same('tcp dport @ports accept', 'IP daddr . meta l4proto . tcp dport @port# accept'),
    ],
    [
      'of all ports but some',
      rule({}, { notPorts: [{ from: 90, to: 99 }, { name: 'http' }] }, { protocol: 132 }),
      same('sctp dport != 90-99 IP daddr . meta l4proto . sctp dport != @port# accept'),
    ],
    ['of no port', rule({}, { ports: [] }, { protocol: 6 }), same()],
    [
      'of a port of any protocol that has ports',
      rule({}, { ports: [{ from: 53, to: 53 }] }, { notProtocol: 132 }),
      same('tcp dport 53 accept', 'udp dport 53 accept', 'udplite dport 53 accept'),
    ],
    [
      'of all but a port, of any protocol',
      rule({}, { notPorts: [{ from: 53, to: 53 }] }),
      same(
        'tcp dport != 53 accept',
        'udp dport != 53 accept',
        'sctp dport != 53 accept',
        'udplite dport != 53 accept',
        'meta l4proto != tcp meta l4proto != udp meta l4proto != sctp meta l4proto != udplite accept',
      ),
    ],
    [
      'of a port of a protocol without ports',
      rule({}, { ports: [{ from: 53, to: 53 }] }, { protocol: 47 }),
      same(),
    ],
    [
      'of all but a port of a protocol without ports',
      rule({}, { notPorts: [{ from: 53, to: 53 }] }, { protocol: 47 }),
      same('meta l4proto gre accept'),
    ],
    [
      'of a service as destination',
      rule({}, { service: { namespace: 'a', name: 's' } }),
      same('IP daddr . meta l4proto . th dport @service# accept'),
    ],
    [
      'of a service as source',
      rule({ service: { namespace: 'a', name: 's' } }),
      same('IP saddr @service-addresses# accept'),
    ],
    [
      'of a service, of a protocol without ports',
      rule({}, { service: { namespace: 'a', name: 's' } }, { protocol: 1 }),
      same(),
    ],
    ['of names', rule({}, { domains: ['a.example', '*.b.example'] }), same('IP daddr @domains# accept')],
    [
      'of much at once, ports first',
      rule({ selector: front, notNets: ['10.0.0.0/8'] }, { ports: [{ from: 1, to: 2 }] }, { protocol: 6 }),
      [
        ['tcp dport 1-2 ip saddr != 10.0.0.0/8 ip saddr @members4 accept'],
        ['tcp dport 1-2 ip6 saddr @members6 accept'],
      ],
    ],
  ])('%s', (_name, of, wanted) => {
    expect(shown(of)).toEqual(wanted);
  });
});

describe('nets of which some lie in others', () => {
  const net = fc.constantFrom(
    '10.0.0.0/8',
    '10.1.0.0/16',
    '10.1.2.0/24',
    '10.128.0.0/9',
    '0.0.0.0/0',
    '192.0.2.0/24',
  );
  const change = fc.tuple(fc.uniqueArray(net), fc.uniqueArray(net));

  test('are told of so that what was told is always those that lie in no other', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const nets = new Nets();
        const all = new Set<string>();
        const told = new Set<string>();
        for (const [added, removed] of changes) {
          const gone = removed.filter((each) => !added.includes(each));
          const news = nets.change(added, gone);
          for (const each of gone) all.delete(each);
          for (const each of added) all.add(each);
          for (const each of news.removed) expect(told.delete(each)).toBe(true);
          for (const each of news.added) {
            expect(told.has(each)).toBe(false);
            told.add(each);
          }
          expect([...told].toSorted()).toEqual(outermost([...all]));
          for (const one of told)
            for (const other of told) if (one !== other) expect(prefixContains(one, other)).toBe(false);
          for (const each of all) expect([...told].some((one) => prefixContains(one, each))).toBe(true);
        }
      }),
    );
  });

  test('are one net, however they are written', () => {
    expect(outermost(['10.0.0.1/8', '10.0.0.0/8'])).toEqual(['10.0.0.0/8']);
  });
});

test('a name is that of its text alone, until it is given back', () => {
  const names = new Names();
  const name = names.take('set-', 'a');
  expect(names.take('set-', 'a')).toBe(name);
  expect(names.take('set-', 'b')).not.toBe(name);
  names.give(name);
  expect(names.take('set-', 'a')).toBe(name);
  expect(name).toMatch(/^set-[0-9a-f]{16}$/);
});
