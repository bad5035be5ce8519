import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeAll, encodeAll } from '#core/codec/index.ts';
import type { ExpressionOp, NftExpression } from '#core/nft/index.ts';
import { arbitraryOf } from '#testing/codec-arbitrary.ts';
import { repeatableRuns } from '#testing/soak.ts';
import { expressionFromWire, expressionToWire } from './expression.ts';
import { expression as codec } from './expression-codecs.ts';

/** At least one of each; those with options once with none and once with all. */
const EXAMPLES: { readonly [O in ExpressionOp]: readonly Extract<NftExpression, { op: O }>[] } = {
  payload: [{ op: 'payload', base: 'transport', offset: 2, length: 2, register: 8 }],
  meta: [{ op: 'meta', key: 'l4proto', register: 9 }],
  'meta-set': [{ op: 'meta-set', key: 'mark', register: 8 }],
  ct: [
    { op: 'ct', key: 'state', register: 8 },
    { op: 'ct', key: 'destinationIp6', direction: 'original', register: 8 },
    { op: 'ct', key: 'protoSource', direction: 'reply', register: 8 },
  ],
  'ct-set': [{ op: 'ct-set', key: 'mark', register: 8 }],
  cmp: (['eq', 'neq', 'lt', 'lte', 'gt', 'gte'] as const).map((relation) => ({
    op: 'cmp',
    register: 8,
    relation,
    value: '0x0050',
  })),
  range: [
    { op: 'range', register: 8, from: '0x01', to: '0x02' },
    { op: 'range', register: 8, inverted: true, from: '0x01', to: '0x02' },
  ],
  bitwise: [{ op: 'bitwise', source: 8, register: 12, mask: '0xffffff00', xor: '0x00000000' }],
  byteorder: [
    { op: 'byteorder', source: 8, register: 8, to: 'network', length: 4, size: 4 },
    { op: 'byteorder', source: 8, register: 8, to: 'host', length: 2, size: 2 },
  ],
  lookup: [
    { op: 'lookup', set: 's', register: 8 },
    { op: 'lookup', set: 's', register: 8, inverted: true },
    { op: 'lookup', set: 's', register: 8, result: 'verdict' },
    { op: 'lookup', set: 's', register: 8, result: 16 },
  ],
  immediate: [{ op: 'immediate', register: 23, value: '0x0a000001' }],
  verdict: [
    ...(['accept', 'drop', 'continue', 'return', 'break'] as const).map(
      (verdict) => ({ op: 'verdict', verdict: { verdict } }) as const,
    ),
    { op: 'verdict', verdict: { verdict: 'jump', chain: 'c' } },
    { op: 'verdict', verdict: { verdict: 'goto', chain: 'c' } },
  ],
  counter: [{ op: 'counter', packets: 5, bytes: 6 }],
  limit: [
    { op: 'limit', rate: 10, per: 'second', unit: 'packets' },
    { op: 'limit', rate: 1024, per: 'week', unit: 'bytes', burst: 7, over: true },
  ],
  connlimit: [
    { op: 'connlimit', count: 5 },
    { op: 'connlimit', count: 5, over: true },
  ],
  log: [
    { op: 'log' },
    { op: 'log', prefix: 'p', group: 0, snapBytes: 64, queueThreshold: 2 },
    { op: 'log', level: 6, flags: ['tcp-sequence', 'tcp-options', 'ip-options', 'skuid', 'ether'] },
  ],
  nat: [
    { op: 'nat', type: 'snat', family: 4, address: 8 },
    {
      op: 'nat',
      type: 'dnat',
      family: 6,
      address: 8,
      addressEnd: 12,
      port: 16,
      portEnd: 17,
      flags: ['random', 'fully-random', 'persistent', 'netmap'],
    },
  ],
  masquerade: [{ op: 'masquerade' }, { op: 'masquerade', port: 8, portEnd: 9, flags: ['fully-random'] }],
  redirect: [{ op: 'redirect' }, { op: 'redirect', port: 8, portEnd: 9, flags: ['persistent'] }],
  reject: [
    { op: 'reject', rejection: { with: 'tcp-reset' } },
    { op: 'reject', rejection: { with: 'icmp', code: 13 } },
    { op: 'reject', rejection: { with: 'icmpx', code: 0 } },
  ],
  notrack: [{ op: 'notrack' }],
  fib: [
    { op: 'fib', input: ['daddr'], result: 'type', register: 8 },
    { op: 'fib', input: ['saddr', 'mark', 'iif', 'oif'], result: 'oif', present: true, register: 8 },
    { op: 'fib', input: ['daddr'], result: 'oifname', register: 8 },
  ],
  numgen: [
    { op: 'numgen', mode: 'inc', modulus: 2, register: 8 },
    { op: 'numgen', mode: 'random', modulus: 2, offset: 9, register: 8 },
  ],
  jhash: [
    { op: 'jhash', source: 9, length: 4, modulus: 2, register: 8 },
    { op: 'jhash', source: 9, length: 16, modulus: 2, seed: 0, offset: 3, register: 8 },
  ],
  symhash: [{ op: 'symhash', modulus: 4, offset: 1, register: 8 }],
  dynset: [
    { op: 'dynset', action: 'add', set: 's', register: 8 },
    { op: 'dynset', action: 'delete', set: 's', register: 8 },
    {
      op: 'dynset',
      action: 'update',
      set: 's',
      register: 8,
      dataRegister: 12,
      timeoutMs: 1000,
      expressions: [{ op: 'limit', rate: 1, per: 'second', unit: 'packets' }],
    },
    {
      op: 'dynset',
      action: 'update',
      set: 's',
      register: 8,
      expressions: [
        { op: 'counter', packets: 0, bytes: 0 },
        { op: 'connlimit', count: 2 },
      ],
    },
  ],
  rt: [{ op: 'rt', key: 'tcpmss', register: 8 }],
  'tcp-option-set': [{ op: 'tcp-option-set', option: 2, offset: 2, length: 2, register: 8 }],
  other: [{ op: 'other', name: 'osf', bytes: '0x0800010000000001' }],
};

describe.each(Object.keys(EXAMPLES) as ExpressionOp[])('%s', (op) => {
  test.each(EXAMPLES[op].map((example) => [JSON.stringify(example), example] as const))(
    'comes back as it was sent: %s',
    (_text, example) => {
      const bytes = encodeAll(codec, expressionToWire(example));
      expect(expressionFromWire(decodeAll(codec, bytes))).toEqual(example);
    },
  );
});

test('every expression of the kernel becomes one of the vocabulary that encodes to the same meaning', () => {
  fc.assert(
    fc.property(arbitraryOf(codec), (wire) => {
      const expression = expressionFromWire(wire);
      const again = expressionFromWire(decodeAll(codec, encodeAll(codec, expressionToWire(expression))));
      expect(again).toEqual(expression);
    }),
    repeatableRuns(500, 20_000),
  );
});

test('attributes that nobody here knows make it `other`, and survive', () => {
  const wire = {
    name: 'counter',
    data: { packets: 1n, bytes: 2n, unknown: [{ type: 77, bytes: Uint8Array.of(1, 2, 3) }] },
  };
  const expression = expressionFromWire(wire);
  expect(expression.op).toBe('other');
  expect(expressionToWire(expression)).toEqual(wire);
});

test('the kernel’s old names of registers are the new ones', () => {
  const wire = { name: 'meta', data: { key: 3, destination: 1 } };
  expect(expressionFromWire(wire)).toEqual({ op: 'meta', key: 'mark', register: 8 });
  expect(expressionFromWire({ name: 'meta', data: { key: 3, destination: 4 } })).toMatchObject({
    register: 20,
  });
});

test('what the kernel adds to a translation is taken off', () => {
  const data = { type: 1, family: 2, addressMin: 1, addressMax: 1, portMin: 2, portMax: 2, flags: 3 };
  expect(expressionFromWire({ name: 'nat', data })).toEqual({
    op: 'nat',
    type: 'dnat',
    family: 4,
    address: 8,
    port: 12,
  });
});

test('an upper end without a lower one is none', () => {
  expect(expressionFromWire({ name: 'redir', data: { portMax: 8 } })).toEqual({ op: 'redirect' });
  const data = { type: 1, family: 2, addressMax: 8, portMax: 9 };
  expect(expressionFromWire({ name: 'nat', data })).toEqual({ op: 'nat', type: 'dnat', family: 4 });
});
