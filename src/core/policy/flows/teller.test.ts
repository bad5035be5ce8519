import { describe, expect, test } from 'vitest';
import { PolicyGraph } from '../engine/graph.ts';
import { networkPolicy, node, pod, rule, select, TIERS, tcp } from '../engine/scene.fixture.ts';
import type { Direction, Policy, RuleAction } from '../model.ts';
import { ruleTag, type TagSubject } from '../rule-tag.ts';
import type { LineFilter } from './filter.ts';
import { FlowTeller } from './teller.ts';

const WEB: Policy = networkPolicy('shop/web', ['app=web'], {
  ingress: [
    rule(
      { selector: select('app=front') },
      {},
      { origin: { index: 0, path: 'ingress[0].from[0]', name: 'f' } },
    ),
  ],
});

function scene(...policies: readonly Policy[]): PolicyGraph {
  const graph = new PolicyGraph();
  for (const tier of TIERS) graph.upsertTier(tier);
  graph.upsertMember(pod('shop/web', 1, { app: 'web' }));
  graph.upsertMember(pod('shop/front', 2, { app: 'front' }));
  graph.upsertMember(pod('ops/prom', 3));
  graph.upsertMember(node('node-a', 1));
  graph.upsertMember({
    ...pod('shop/partners', 9),
    key: 'set shop/partners',
    kind: 'network-set',
    nets: ['192.0.2.0/24'],
  });
  for (const each of [WEB, ...policies]) graph.upsertPolicy(each);
  return graph;
}

const RULE: TagSubject = { by: 'rule', policy: WEB.ref, path: 'ingress[0].from[0]' };
const DEFAULT: TagSubject = { by: 'tier-default', tier: 'default' };
const prefix = (action: RuleAction, subject: TagSubject, direction: Direction = 'ingress') =>
  ruleTag(direction, action, subject);

describe.each([4, 6] as const)('in IPv%i', (family) => {
  const ends = tcp(2, 1, 80, family);

  test('an allowed flow has the names of both ends and the rule that allowed it', () => {
    const line = new FlowTeller(scene()).take({ prefix: prefix('allow', RULE), flow: ends, atMs: 7 });
    expect(line).toEqual({
      atMs: 7,
      verdict: 'allow',
      direction: 'ingress',
      source: { address: ends.source, port: 40_000, kind: 'pod', name: 'shop/front', namespace: 'shop' },
      destination: { address: ends.destination, port: 80, kind: 'pod', name: 'shop/web', namespace: 'shop' },
      protocol: 6,
      by: {
        by: 'rule',
        tier: 'default',
        policy: 'NetworkPolicy shop/web',
        rule: 'ingress[0].from[0]',
        name: 'f',
      },
      count: 1,
    });
  });

  test('where no rule matched, the policies whose rules did not are named', () => {
    const flow = tcp(3, 1, 80, family);
    expect(new FlowTeller(scene()).take({ prefix: prefix('deny', DEFAULT), flow, atMs: 0 })).toMatchObject({
      verdict: 'deny',
      source: { name: 'ops/prom' },
      by: { by: 'tier-default', tier: 'default', policies: ['NetworkPolicy shop/web'] },
    });
    // The policies that are known say something else than the kernel did: only the tag is sure.
    expect(
      new FlowTeller(scene()).take({ prefix: prefix('deny', DEFAULT), flow: ends, atMs: 0 })?.by,
    ).toEqual({ by: 'tier-default', tier: 'default', policies: [] });
  });

  test('what staged policies would have done is told, and by which rule', () => {
    const staged: Policy = {
      ...networkPolicy('shop/web', ['app=web'], { ingress: [] }),
      ref: { kind: 'StagedKubernetesNetworkPolicy', namespace: 'shop', name: 'web' },
      staged: 'set',
    };
    const take = (flow: typeof ends, action: RuleAction, subject: TagSubject) =>
      new FlowTeller(scene(staged)).take({ prefix: prefix(action, subject), flow, atMs: 0 })?.staged;
    expect(take(ends, 'allow', RULE)).toEqual({
      verdict: 'deny',
      by: {
        by: 'tier-default',
        tier: 'default',
        policies: ['StagedKubernetesNetworkPolicy shop/web'],
      },
    });
    expect(take(tcp(3, 1, 80, family), 'deny', DEFAULT)?.verdict).toBe('deny');
    expect(take(tcp(1, 3, 80, family), 'allow', RULE)).toEqual({ verdict: 'allow' });
  });
});

test('an address has the name of a node, or of a set that covers it, or none', () => {
  const names = ['172.16.0.1', '192.0.2.7', '198.51.100.1'].map((source) => {
    const { source: end } =
      new FlowTeller(scene()).take({
        prefix: prefix('allow', RULE),
        flow: { ...tcp(2, 1, 80), source },
        atMs: 0,
      }) ?? {};
    return [end?.kind, end?.name];
  });
  expect(names).toEqual([
    ['node', 'node-a'],
    ['network-set', 'shop/partners'],
    [undefined, undefined],
  ]);
});

test('policies are known as soon as they are there, and still when they are gone', () => {
  const graph = scene();
  const teller = new FlowTeller(graph);
  const later = networkPolicy('shop/later', [], { ingress: [rule({})] });
  const tag = prefix('allow', { by: 'rule', policy: later.ref, path: 'rule' });
  const by = (port: number) => teller.take({ prefix: tag, flow: tcp(2, 1, port), atMs: 0 })?.by;
  expect(by(1)).toEqual({ by: 'unknown', digest: tag.slice(-16) });
  graph.upsertPolicy(later);
  expect(by(2)).toMatchObject({ policy: 'NetworkPolicy shop/later', tier: 'default' });
  graph.upsertTier({ name: 'late', order: 5, defaultAction: 'deny' });
  graph.upsertPolicy({ ...later, tier: 'late' });
  expect(by(3)).toMatchObject({ policy: 'NetworkPolicy shop/later', tier: 'late' });
  graph.removePolicy(later.ref);
  expect(by(4)).toMatchObject({ policy: 'NetworkPolicy shop/later', tier: 'late' });
  const ofTier = prefix('deny', { by: 'tier-default', tier: 'late' });
  expect(teller.take({ prefix: ofTier, flow: tcp(2, 1, 5), atMs: 0 })?.by).toEqual({
    by: 'tier-default',
    tier: 'late',
    policies: [],
  });
});

test('packets of others are no lines, and those of ours are counted whether wanted or not', () => {
  const teller = new FlowTeller(scene(), { verdict: 'deny' });
  const take = (text: string) => teller.take({ prefix: text, flow: tcp(2, 1, 80), atMs: 0 });
  expect(take('somebody else: ')).toBeUndefined();
  expect(take(prefix('allow', RULE))).toBeUndefined();
  expect(take(prefix('pass', RULE))).toBeUndefined();
  expect(take(prefix('log', RULE))).toBeUndefined();
  expect(take(prefix('deny', { by: 'unknown-pod' }))?.by).toEqual({ by: 'unknown-pod' });
  expect(teller.counts).toEqual({ allow: 1, deny: 1, other: 2 });
});

test('flows that are alike are one line at once, one with a number later, and none when they have ended', () => {
  const teller = new FlowTeller(scene());
  const take = (atMs: number, sourcePort: number, port = 80) =>
    teller.take({ prefix: prefix('allow', RULE), flow: { ...tcp(2, 1, port), sourcePort }, atMs });
  expect(take(0, 1000)).toMatchObject({ count: 1, source: { port: 1000 } });
  expect([take(1000, 1001), take(2000, 1002)]).toEqual([undefined, undefined]);
  expect(take(2000, 1003, 81)).toMatchObject({ count: 1 });
  expect(teller.takeDue(4999)).toEqual([]);
  expect(teller.takeDue(5000)).toMatchObject([{ count: 2, source: { port: 1002 }, atMs: 2000 }]);
  expect(take(6000, 1004)).toBeUndefined();
  expect(teller.takeDue(9000)).toEqual([]);
  expect(teller.takeDue(10_000)).toMatchObject([{ count: 1 }]);
  expect(teller.takeDue(15_000)).toEqual([]);
  expect(take(16_000, 1005)).toMatchObject({ count: 1 });
  expect(take(16_001, 1005)).toBeUndefined();
  expect(teller.takeAll()).toMatchObject([{ count: 1 }]);
});

describe('a filter', () => {
  const passes = (filter: LineFilter): string[] => {
    const teller = new FlowTeller(scene(), filter);
    const icmp = { source: '10.0.0.2', destination: '10.0.0.3', protocol: 1, icmp: { type: 8, code: 0 } };
    const flows = {
      'front to web': tcp(2, 1, 80),
      'prom to web': tcp(3, 1, 9090),
      'front pings prom': icmp,
      'outside to web': { ...tcp(1, 1, 80), source: '198.51.100.1', protocol: 17 },
    };
    return Object.entries(flows).flatMap(([name, flow]) =>
      teller.take({ prefix: prefix(name === 'prom to web' ? 'deny' : 'allow', RULE), flow, atMs: 0 })
        ? [name]
        : [],
    );
  };
  const all = ['front to web', 'prom to web', 'front pings prom', 'outside to web'];

  test.each<[string, LineFilter, string[]]>([
    ['of nothing', {}, all],
    ['of a pod', { pod: 'ops/prom' }, ['prom to web', 'front pings prom']],
    ['of a pod in any namespace', { pod: 'prom' }, ['prom to web', 'front pings prom']],
    ['of a pod that is not there', { pod: 'ops/web' }, []],
    ['of a namespace', { namespace: 'ops' }, ['prom to web', 'front pings prom']],
    ['of a verdict', { verdict: 'deny' }, ['prom to web']],
    ['of a port', { port: 80 }, ['front to web', 'outside to web']],
    ['of protocols', { protocols: [1, 58] }, ['front pings prom']],
    ['of several things', { namespace: 'shop', port: 80, protocols: [17] }, ['outside to web']],
  ])('%s lets through what it says', (_, filter, names) => {
    expect(passes(filter)).toEqual(names);
  });
});
