import { describe, expect, test } from 'vitest';
import type { FlowLine, LineEnd } from '#core/policy/flows/index.ts';
import { type EndedLine, jsonOf, LiveTable } from './flows-text.ts';

const WEB: LineEnd = { address: '10.1.1.2', port: 40_000, kind: 'pod', name: 'shop/web', namespace: 'shop' };
const OUTSIDE: LineEnd = { address: '2001:db8::7', port: 443 };
const LINE: FlowLine = {
  atMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6),
  verdict: 'deny',
  direction: 'egress',
  source: WEB,
  destination: OUTSIDE,
  protocol: 6,
  by: { by: 'rule', tier: 'ops', policy: 'GlobalNetworkPolicy shut', rule: 'egress[1]', name: 'all' },
  count: 3,
};

const cells = (line: FlowLine | EndedLine) =>
  new LiveTable(false).row(line).trimEnd().split(/ {2,}/).slice(1);

test('a row says verdict, whose policy it was, both ends and who decided', () => {
  expect(cells(LINE)).toEqual([
    'deny',
    'source',
    'shop/web (10.1.1.2)',
    '[2001:db8::7]:443/tcp',
    'GlobalNetworkPolicy shut egress[1] "all"; 3 times',
  ]);
});

describe('an end', () => {
  test.each<[string, LineEnd, Partial<FlowLine>, string]>([
    ['a pod', WEB, {}, 'shop/web:40000/tcp (10.1.1.2)'],
    ['a node', { address: '10.0.0.1', port: 22, kind: 'node', name: 'n1' }, {}, 'node n1:22/tcp (10.0.0.1)'],
    [
      'a host endpoint',
      { address: 'fd00::1', kind: 'host-endpoint', name: 'n1-eth0' },
      { protocol: 58, icmp: { type: 128, code: 0 } },
      'host n1-eth0 icmpv6 128/0 (fd00::1)',
    ],
    [
      'an address of a set',
      { address: '192.0.2.9', port: 53, kind: 'network-set', name: 'shop/dns', namespace: 'shop' },
      { protocol: 17 },
      'set shop/dns:53/udp (192.0.2.9)',
    ],
    ['an address', { address: '192.0.2.9', port: 53 }, { protocol: 17 }, '192.0.2.9:53/udp'],
    ['an address without port', { address: '2001:db8::7' }, { protocol: 47 }, '2001:db8::7 47'],
  ])('that is %s has its name', (_, destination, more, text) => {
    expect(cells({ ...LINE, ...more, destination })[3]).toBe(text);
  });
});

test.each<[string, Partial<FlowLine>, string]>([
  [
    'no rule matched',
    { by: { by: 'tier-default', tier: 'default', policies: ['NetworkPolicy a/b', 'NetworkPolicy a/c'] } },
    'tier default: no rule of NetworkPolicy a/b, NetworkPolicy a/c matched',
  ],
  [
    'no rule matched, of policies that are gone',
    { by: { by: 'tier-default', tier: 'default', policies: [] } },
    'tier default, where no rule matched',
  ],
  ['a pod is new', { by: { by: 'unknown-pod' } }, 'the pod’s policies were not known yet'],
  ['a policy is new', { by: { by: 'unknown', digest: '0a' } }, 'a policy that is not known (0a)'],
  [
    'staged policies differ',
    {
      by: { by: 'unknown-pod' },
      staged: { verdict: 'allow', by: { by: 'rule', tier: 't', policy: 'P x', rule: 'r' } },
    },
    'the pod’s policies were not known yet; staged: allow by P x r',
  ],
  [
    'staged policies do not decide, and so allow',
    { by: { by: 'unknown-pod' }, staged: { verdict: 'allow' } },
    'the pod’s policies were not known yet; staged: allow',
  ],
  [
    'staged policies agree',
    { by: { by: 'unknown-pod' }, staged: { verdict: 'deny' } },
    'the pod’s policies were not known yet',
  ],
])('who decided where %s', (_, more, text) => {
  expect(cells({ ...LINE, count: 1, ...more })[4]).toBe(text);
});

test('columns grow with what is in them, and stay so', () => {
  const table = new LiveTable(false);
  const header = table.header();
  const long = table.row({ ...LINE, source: { ...WEB, name: `shop/${'w'.repeat(40)}` } });
  expect(header.indexOf('DESTINATION')).toBeLessThan(long.indexOf('[2001:'));
  expect(table.row(LINE).indexOf('[2001:')).toBe(long.indexOf('[2001:'));
});

test('colours are around the verdict alone', () => {
  const [plain, coloured] = [false, true].map((isColoured) => new LiveTable(isColoured).row(LINE));
  expect(coloured).toBe(plain?.replace('deny', '\x1b[31mdeny\x1b[0m'));
});

test('JSON has the same, and only what there is', () => {
  expect(JSON.parse(JSON.stringify(jsonOf(LINE)))).toEqual({
    time: '2026-01-02T03:04:05.006Z',
    event: 'verdict',
    source: { address: '10.1.1.2', port: 40_000, pod: 'shop/web' },
    destination: { address: '2001:db8::7', port: 443 },
    protocol: 'tcp',
    verdict: 'deny',
    direction: 'egress',
    count: 3,
    reason: 'rule',
    tier: 'ops',
    policy: 'GlobalNetworkPolicy shut',
    rule: 'egress[1]',
    name: 'all',
  });
});

test('a flow that ended has what was counted of it', () => {
  const { atMs, source, destination, protocol } = LINE;
  const ended: EndedLine = {
    atMs,
    source,
    destination,
    protocol,
    packets: 7,
    bytes: 500,
    durationMs: 1234.5,
  };
  expect(cells(ended)).toEqual([
    'ended',
    'shop/web (10.1.1.2)',
    '[2001:db8::7]:443/tcp',
    '7 packets, 500 bytes, 1.2 s',
  ]);
  expect(jsonOf(ended)).toMatchObject({ event: 'ended', packets: 7, bytes: 500, durationMs: 1234.5 });
  expect(cells({ atMs, source, destination, protocol })).toHaveLength(3);
});
