import { describe, expect, test } from 'vitest';
import { act } from './act.ts';
import { field } from './field.ts';
import { match } from './match.ts';
import type { NftFamily } from './objects.ts';
import { printRule } from './print-rule.ts';
import { type RulePart, rule } from './rule.ts';

const { saddr, daddr, dport } = field;

test('a rule is expressions of the kernel: load, compare, verdict', () => {
  expect(rule('ip', [match.is(saddr(4), '10.1.2.3'), act.drop])).toEqual({
    expressions: [
      { op: 'payload', base: 'network', offset: 12, length: 4, register: 8 },
      { op: 'cmp', register: 8, relation: 'eq', value: '0x0a010203' },
      { op: 'verdict', verdict: { verdict: 'drop' } },
    ],
  });
});

test('a prefix of whole bytes loads only these', () => {
  expect(rule('ip6', [match.is(saddr(6), 'fd00::/16')]).expressions).toEqual([
    { op: 'payload', base: 'network', offset: 8, length: 2, register: 8 },
    { op: 'cmp', register: 8, relation: 'eq', value: '0xfd00' },
  ]);
});

test('a prefix within a byte is compared under a mask', () => {
  expect(rule('ip', [match.is(saddr(4), '10.128.0.0/9')]).expressions.slice(1)).toEqual([
    { op: 'bitwise', source: 8, register: 8, mask: '0xff800000', xor: '0x00000000' },
    { op: 'cmp', register: 8, relation: 'eq', value: '0x0a800000' },
  ]);
});

test('what a field depends on is compared once, and before it', () => {
  const parts = [match.is(saddr(4), '10.0.0.1'), match.is(dport('tcp'), 80), match.is(daddr(4), '10.0.0.2')];
  const keys = rule('inet', parts).expressions.map((e) => (e.op === 'meta' ? e.key : e.op));
  expect(keys).toEqual([
    'nfproto',
    'cmp',
    'payload',
    'cmp',
    'l4proto',
    'cmp',
    'payload',
    'cmp',
    'payload',
    'cmp',
  ]);
});

test('what the author compared himself is not compared again', () => {
  const parts = [match.is(field.l4proto, 'tcp'), match.is(dport('tcp'), 80)];
  expect(rule('inet', parts).expressions).toHaveLength(4);
});

test.each<[NftFamily, string[]]>([
  ['ip', []],
  ['inet', ['nfproto']],
  ['bridge', ['protocol']],
  ['netdev', ['protocol']],
])('in %s tables an IPv4 address depends on %j', (family, keys) => {
  const { expressions } = rule(family, [match.is(saddr(4), '10.0.0.1')]);
  expect(expressions.flatMap((e) => (e.op === 'meta' ? [e.key] : []))).toEqual(keys);
});

test('the fields of a concatenation lie in consecutive registers from 8 up, each in whole ones', () => {
  const set = { name: 's', keyType: ['ipv6_addr', 'inet_proto', 'inet_service'] } as const;
  const parts = [match.inSet([daddr(6), field.l4proto, field.thDport], set)];
  const { expressions } = rule('ip6', parts);
  expect(expressions.map((e) => ('register' in e ? e.register : undefined))).toEqual([8, 12, 13, 8]);
  expect(printRule('ip6', { expressions })).toBe('ip6 daddr . meta l4proto . th dport @s');
});

describe('mistakes are refused where they are written', () => {
  test.each<[string, NftFamily, RulePart[], string]>([
    ['an IPv6 address in an ip table', 'ip', [match.is(saddr(6), 'fd00::1')], 'no ip6 header'],
    [
      'both families in a rule',
      'inet',
      [match.is(saddr(4), '10.0.0.1'), match.is(daddr(6), 'fd00::1')],
      'no ip6 header',
    ],
    ['two protocols', 'inet', [match.is(dport('tcp'), 1), match.is(dport('udp'), 1)], 'no udp header'],
    [
      'a set of other keys',
      'ip',
      [match.inSet(saddr(4), { name: 'ports', keyType: ['inet_service'] })],
      'set ports has keys of type inet_service, not ipv4_addr',
    ],
    ['arp in an inet table', 'inet', [match.is(field.arpSenderIp, '10.0.0.1')], 'no arp'],
  ])('%s', (_name, family, parts, message) => {
    expect(() => rule(family, parts)).toThrow(message);
  });

  test('a map without addresses', () => {
    const map = { name: 'm', keyType: ['inet_service'], dataType: ['mark'] } as const;
    expect(() => act.dnatMap(dport('tcp'), map)).toThrow('map m holds mark, no address');
  });

  test('an address of the other family', () => {
    expect(() => match.is(saddr(4), 'fd00::1')).toThrow('not a value of type ipv4_addr: "fd00::1"');
  });
});
