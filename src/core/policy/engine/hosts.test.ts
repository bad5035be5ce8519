import { describe, expect, test } from 'vitest';
import type { Flow, Member, Policy, PolicyRule, VerdictStep } from '../model.ts';
import { evaluate } from './evaluate.ts';
import { PolicyGraph } from './graph.ts';
import type { FlowOptions } from './hosts.ts';
import { node, pod, policy, rule, select, TIERS } from './scene.fixture.ts';

const HOST = select('self:kind=host-endpoint');
const OUTSIDE = '203.0.113.9';

const eth0: Member = {
  key: 'host node-a/eth0',
  kind: 'host-endpoint',
  name: 'eth0',
  labels: {},
  node: 'node-a',
  link: 'eth0',
  nets: ['172.16.0.1/32'],
  ports: [],
};
const all: Member = { ...eth0, key: 'host node-a/all', name: 'all', link: '*', nets: [] };

/** node-a (172.16.0.1) with the pods 1 and 2, node-b (172.16.0.2) with 3. */
function scene(members: readonly Member[], ...policies: readonly Policy[]): PolicyGraph {
  const graph = new PolicyGraph();
  for (const tier of TIERS) graph.upsertTier(tier);
  for (const each of [
    node('node-a', 1),
    node('node-b', 2),
    pod('shop/one', 1),
    pod('shop/two', 2),
    ...members,
  ])
    graph.upsertMember(each);
  graph.upsertMember(pod('shop/three', 3, {}, { node: 'node-b' }));
  for (const each of policies) graph.upsertPolicy(each);
  return graph;
}

const host = (
  name: string,
  rules: Partial<Policy>,
  more: Partial<NonNullable<Policy['host']>> = {},
): Policy =>
  policy({ kind: 'GlobalNetworkPolicy', name }, HOST, {
    host: { doNotTrack: false, preDnat: false, applyOnForward: false, ...more },
    ...rules,
  });
const does = (action: PolicyRule['action'], more: Partial<PolicyRule> = {}): PolicyRule =>
  rule({}, {}, { action, ...more });
const flow = (source: string, destination: string, destinationPort = 80, protocol = 6): Flow => ({
  source,
  destination,
  protocol,
  destinationPort,
});
const last = (steps: readonly VerdictStep[]): string => {
  const step = steps.at(-1) as VerdictStep;
  if (step.by === 'default') return `${step.action}: ${step.reason}`;
  return step.by === 'rule' ? `${step.action} by ${step.policy.name}` : `${step.tier} ${step.action}`;
};

describe('a host endpoint', () => {
  test('denies what no policy allows, either way, but for ports that are never closed', () => {
    const graph = scene([eth0]);
    const into = (port: number, protocol = 6): string =>
      last(evaluate(graph, flow(OUTSIDE, '172.16.0.1', port, protocol)).ingress.steps);
    const out = (port: number, protocol = 6): string =>
      last(evaluate(graph, flow('172.16.0.1', OUTSIDE, port, protocol)).egress.steps);
    expect([into(80), into(22), into(68, 17), into(22, 17), into(53, 17)]).toEqual([
      'deny: host-endpoint',
      'allow: failsafe',
      'allow: failsafe',
      'deny: host-endpoint',
      'deny: host-endpoint',
    ]);
    expect([out(80), out(22), out(53, 17), out(6443)]).toEqual([
      'deny: host-endpoint',
      'deny: host-endpoint',
      'allow: failsafe',
      'allow: failsafe',
    ]);
    expect(evaluate(scene([]), flow(OUTSIDE, '172.16.0.1')).action).toBe('allow');
  });

  test('of all links stands for all addresses of its node, where none of the link does', () => {
    const ofAll = policy({ kind: 'GlobalNetworkPolicy', name: 'all' }, select('self:name=all'), {
      ingress: [does('allow')],
    });
    expect(evaluate(scene([all], ofAll), flow(OUTSIDE, '172.16.0.1')).ingress.endpoint).toBe(all.key);
    expect(evaluate(scene([all], ofAll), flow('2001:db8::9', 'fd16::1')).ingress.endpoint).toBe(all.key);
    expect(evaluate(scene([eth0, all], ofAll), flow(OUTSIDE, '172.16.0.1')).ingress.endpoint).toBe(eth0.key);
  });

  test('without a link is about its addresses alone', () => {
    const { link: _, ...own } = eth0;
    const graph = scene([own, all]);
    expect(evaluate(graph, flow(OUTSIDE, '172.16.0.1')).ingress.endpoint).toBe(own.key);
    expect(evaluate(graph, flow('2001:db8::9', 'fd16::1')).ingress.endpoint).toBe(all.key);
    expect(evaluate(scene([own]), flow('2001:db8::9', 'fd16::1')).action).toBe('allow');
  });

  test('policies of a tier count, and a profile allows what they pass', () => {
    const passing = host('p', { ingress: [does('pass')] });
    expect(last(evaluate(scene([eth0], passing), flow(OUTSIDE, '172.16.0.1')).ingress.steps)).toBe(
      'deny: host-endpoint',
    );
    const profile = policy({ kind: 'Profile', name: 'open' }, HOST, {
      tier: 'baseline',
      ingress: [does('allow')],
    });
    expect(last(evaluate(scene([eth0], passing, profile), flow(OUTSIDE, '172.16.0.1')).ingress.steps)).toBe(
      'allow by open',
    );
  });

  test('is not between its host and the pods on it, nor between the host and itself', () => {
    const graph = scene([eth0]);
    const host = '172.16.0.1';
    expect(last(evaluate(graph, flow(host, '10.0.0.1')).egress.steps)).toBe('allow: own-node');
    expect(last(evaluate(graph, flow('10.0.0.1', host)).ingress.steps)).toBe('allow: own-node');
    expect(last(evaluate(graph, flow('10.0.0.3', host)).ingress.steps)).toBe('deny: host-endpoint');
    expect(last(evaluate(graph, flow(host, host)).ingress.steps)).toBe('allow: itself');
  });

  test('is asked untracked policies first, then those before addresses are translated', () => {
    const untracked = host(
      'raw',
      { ingress: [does('allow', { protocol: 17 })] },
      { doNotTrack: true, applyOnForward: true },
    );
    const early = host(
      'early',
      { ingress: [does('deny')], order: 1 },
      { preDnat: true, applyOnForward: true },
    );
    const normal = host('normal', { ingress: [does('allow')], order: 0 });
    const graph = scene([eth0], untracked, early, normal);
    expect(last(evaluate(graph, flow(OUTSIDE, '172.16.0.1')).ingress.steps)).toBe('deny by early');
    expect(last(evaluate(graph, flow(OUTSIDE, '172.16.0.1', 80, 17)).ingress.steps)).toBe('allow by raw');
    graph.removePolicy(early.ref);
    expect(last(evaluate(graph, flow(OUTSIDE, '172.16.0.1')).ingress.steps)).toBe('allow by normal');
  });
});

describe('forwarded traffic', () => {
  const forwarded = (graph: PolicyGraph, what: Flow, options?: FlowOptions): string[] =>
    (evaluate(graph, what, options).forward ?? []).map(
      ({ endpoint, direction, steps }) => `${endpoint} ${direction} ${last(steps)}`,
    );

  test('meets only policies that say so; without any it passes', () => {
    expect(
      forwarded(scene([all], host('h', { ingress: [does('deny')] })), flow(OUTSIDE, '10.0.0.1')),
    ).toEqual(['host node-a/all ingress allow: not-isolated', 'host node-a/all egress allow: not-isolated']);
    const on = host('on', { ingress: [does('allow', { protocol: 17 })] }, { applyOnForward: true });
    const graph = scene([all], on);
    expect(forwarded(graph, flow(OUTSIDE, '10.0.0.1'))[0]).toBe('host node-a/all ingress default deny');
    expect(evaluate(graph, flow(OUTSIDE, '10.0.0.1')).action).toBe('deny');
    expect(evaluate(graph, flow(OUTSIDE, '10.0.0.1', 80, 17)).action).toBe('allow');
    expect(evaluate(graph, flow(OUTSIDE, '10.0.0.3')).action).toBe('allow'); // on another node
  });

  test('has no ports that are never closed', () => {
    const on = host('on', { ingress: [does('deny')] }, { applyOnForward: true });
    expect(evaluate(scene([all], on), flow(OUTSIDE, '10.0.0.1', 22)).action).toBe('deny');
  });

  test('of a pod is met by nobody before translation; that from outside is', () => {
    const early = host('early', { ingress: [does('deny')] }, { preDnat: true, applyOnForward: true });
    const graph = scene([all], early);
    expect(evaluate(graph, flow('10.0.0.1', '10.0.0.2')).action).toBe('allow');
    expect(evaluate(graph, flow('10.0.0.1', OUTSIDE)).action).toBe('allow');
    expect(evaluate(graph, flow('10.0.0.3', '10.0.0.1')).action).toBe('deny');
  });

  test('meets a host endpoint of one link where it is known to pass there', () => {
    const on = host('on', { egress: [does('deny')] }, { applyOnForward: true });
    const graph = scene([eth0], on);
    expect(forwarded(graph, flow('10.0.0.1', '10.0.0.3'))).toEqual([]);
    expect(forwarded(graph, flow('10.0.0.1', '10.0.0.3'), { links: { source: 'eth0' } })).toEqual([
      'host node-a/eth0 egress deny by on',
    ]);
  });
});
