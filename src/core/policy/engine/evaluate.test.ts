import { describe, expect, test } from 'vitest';
import type { Flow, Member, Policy, PolicyRule, Tier, VerdictStep } from '../model.ts';
import { evaluate, evaluateStaged, isAllowed } from './evaluate.ts';
import { PolicyGraph } from './graph.ts';
import { networkPolicy, node, pod, policy, rule, select, TIERS, tcp } from './scene.fixture.ts';

/** 1 db, 2 web and 3 batch in `shop`; 4 tool in `ops` (team=ops); all on node-a but tool. Nodes are 172.16.0.1 and .2. */
function scene(...policies: readonly Policy[]): PolicyGraph {
  const graph = new PolicyGraph();
  for (const tier of TIERS) graph.upsertTier(tier);
  graph.upsertNamespace('shop', { team: 'shop' });
  graph.upsertNamespace('ops', { team: 'ops' });
  const ports = (port: number): Partial<Member> => ({ ports: [{ name: 'sql', protocol: 6, port }] });
  graph.upsertMember(pod('shop/db', 1, { app: 'db' }, ports(5432)));
  graph.upsertMember(pod('shop/web', 2, { app: 'web' }));
  graph.upsertMember(pod('shop/batch', 3, { app: 'batch' }, ports(6432)));
  graph.upsertMember(pod('ops/tool', 4, { app: 'web' }, { node: 'node-b' }));
  graph.upsertMember(node('node-a', 1));
  graph.upsertMember(node('node-b', 2));
  for (const each of policies) graph.upsertPolicy(each);
  return graph;
}

/** The actions of flows in both families; they must agree. */
function action(graph: PolicyGraph, source: number, destination: number, port: number): string {
  const [four, six] = ([4, 6] as const).map((family) => tcp(source, destination, port, family));
  const verdict = evaluate(graph, four as Flow);
  expect(evaluate(graph, six as Flow).action).toBe(verdict.action);
  for (const flow of [four, six] as Flow[])
    expect(isAllowed(graph, flow)).toBe(evaluate(graph, flow).action === 'allow');
  return verdict.action;
}

const steps = (list: readonly VerdictStep[]): string[] =>
  list.map((step) => {
    if (step.by === 'rule') return `${step.tier} ${step.policy.name} ${step.rule.path} ${step.action}`;
    return step.by === 'default' ? `${step.action}: ${step.reason}` : `${step.tier} end ${step.action}`;
  });

const cluster = (name: string, tier: string, order: number, rules: Partial<Policy>): Policy =>
  policy({ kind: 'ClusterNetworkPolicy', name }, select('self:kind=pod'), { tier, order, ...rules });
const does = (action: PolicyRule['action'], path: string, more: Partial<PolicyRule> = {}): PolicyRule =>
  rule({}, {}, { action, origin: { index: 0, path }, ...more });

describe('NetworkPolicy', () => {
  const dbFromWeb = networkPolicy('shop/db', ['app=db'], {
    ingress: [
      rule(
        { selector: select('self:kind=pod', 'self:namespace=shop', 'app=web') },
        { ports: [{ from: 5432, to: 5432 }] },
        { protocol: 6, origin: { index: 0, path: 'ingress[0].from[0]' } },
      ),
    ],
  });

  test('a pod that no policy selects is not isolated', () => {
    const graph = scene(dbFromWeb);
    expect(action(graph, 1, 2, 80)).toBe('allow');
    expect(evaluate(graph, tcp(1, 2, 80))).toEqual({
      action: 'allow',
      egress: {
        direction: 'egress',
        endpoint: 'pod shop/db',
        action: 'allow',
        steps: [{ by: 'default', action: 'allow', reason: 'not-isolated' }],
      },
      ingress: {
        direction: 'ingress',
        endpoint: 'pod shop/web',
        action: 'allow',
        steps: [{ by: 'default', action: 'allow', reason: 'not-isolated' }],
      },
    });
  });

  test('a pod that one selects gets what it allows, and nothing else', () => {
    const graph = scene(dbFromWeb);
    expect(action(graph, 2, 1, 5432)).toBe('allow');
    expect(action(graph, 2, 1, 80)).toBe('deny');
    expect(action(graph, 3, 1, 5432)).toBe('deny');
    expect(action(graph, 4, 1, 5432)).toBe('deny'); // app=web, but in another namespace
    expect(steps(evaluate(graph, tcp(2, 1, 5432)).ingress.steps)).toEqual([
      'default db ingress[0].from[0] allow',
    ]);
    expect(evaluate(graph, tcp(3, 1, 5432)).ingress.steps).toEqual([
      { by: 'tier-default', tier: 'default', policies: [dbFromWeb.ref], action: 'deny' },
    ]);
  });

  test('policies add up: any of them may allow', () => {
    const more = networkPolicy('shop/db-ops', ['app=db'], {
      ingress: [rule({ selector: select('self:kind=pod', 'ns:team=ops') })],
    });
    expect(action(scene(dbFromWeb, more), 4, 1, 22)).toBe('allow');
    expect(action(scene(dbFromWeb, more), 2, 1, 5432)).toBe('allow');
  });

  test('both ends have a say: egress of the one and ingress of the other', () => {
    const noEgress = networkPolicy('shop/closed', ['app=web'], { egress: [] });
    const graph = scene(dbFromWeb, noEgress);
    const verdict = evaluate(graph, tcp(2, 1, 5432));
    expect([verdict.action, verdict.egress.action, verdict.ingress.action]).toEqual([
      'deny',
      'deny',
      'allow',
    ]);
  });

  test('a node reaches the pods on it whatever policies say, and no others', () => {
    const graph = scene(
      networkPolicy('shop/none', [], { ingress: [] }),
      networkPolicy('ops/none', [], { ingress: [] }),
    );
    const from = (source: string, destination: string): Flow => ({ source, destination, protocol: 6 });
    for (const [probe, other, to] of [
      ['172.16.0.1', '172.16.0.2', '10.0.0.1'],
      ['fd16::1', 'fd16::2', 'fd00::1'],
    ] as const) {
      expect(steps(evaluate(graph, from(probe, to)).ingress.steps)).toEqual(['allow: own-node']);
      expect(evaluate(graph, from(other, to)).action).toBe('deny');
    }
    expect(steps(evaluate(graph, from('172.16.0.1', '10.0.0.1')).egress.steps)).toEqual([
      'allow: no-endpoint',
    ]);
  });

  test('a pod cannot be kept from itself', () => {
    const graph = scene(networkPolicy('shop/none', [], { ingress: [], egress: [] }));
    const verdict = evaluate(graph, tcp(1, 1, 80));
    expect(steps([...verdict.egress.steps, ...verdict.ingress.steps])).toEqual([
      'allow: itself',
      'allow: itself',
    ]);
  });

  test('blocks leave out their exceptions, and are of their family', () => {
    const graph = scene(
      networkPolicy('shop/out', ['app=web'], {
        egress: [rule({}, { nets: ['192.0.2.0/24'], notNets: ['192.0.2.128/25'] }, { family: 4 })],
      }),
    );
    const to = (destination: string): string =>
      evaluate(graph, {
        ...tcp(2, 2, 443),
        source: destination.includes(':') ? 'fd00::2' : '10.0.0.2',
        destination,
      }).action;
    expect(to('192.0.2.5')).toBe('allow');
    expect(to('192.0.2.200')).toBe('deny');
    expect(to('198.51.100.1')).toBe('deny');
    expect(to('2001:db8::1')).toBe('deny');
  });

  test('a port by name has the number that the pod at its end gives it', () => {
    const graph = scene(
      networkPolicy('shop/sql', [], { ingress: [rule({}, { ports: [{ name: 'sql' }] }, { protocol: 6 })] }),
    );
    expect(action(graph, 4, 1, 5432)).toBe('allow');
    expect(action(graph, 4, 1, 6432)).toBe('deny');
    expect(action(graph, 4, 3, 6432)).toBe('allow');
    expect(action(graph, 4, 2, 5432)).toBe('deny'); // has no such port
    expect(evaluate(graph, { ...tcp(4, 1, 5432), protocol: 17 }).action).toBe('deny');
  });

  test('protocols are told apart', () => {
    const graph = scene(networkPolicy('shop/sctp', [], { ingress: [rule({}, {}, { protocol: 132 })] }));
    const with_ = (protocol: number): string => evaluate(graph, { ...tcp(4, 1, 80), protocol }).action;
    expect([6, 17, 132, 1].map(with_)).toEqual(['deny', 'deny', 'allow', 'deny']);
  });
});

describe('tiers', () => {
  const isolated = networkPolicy('shop/none', [], { ingress: [] });

  test('an earlier tier decides before NetworkPolicy, or passes', () => {
    const allowed = scene(isolated, cluster('first', 'admin', 1, { ingress: [does('allow', 'a')] }));
    expect(action(allowed, 4, 1, 80)).toBe('allow');
    const passed = scene(
      isolated,
      cluster('first', 'admin', 1, { ingress: [does('pass', 'p'), does('allow', 'a')] }),
      cluster('second', 'admin', 2, { ingress: [does('allow', 'a')] }),
    );
    expect(steps(evaluate(passed, tcp(4, 1, 80)).ingress.steps)).toEqual([
      'admin first p pass',
      'default end deny',
    ]);
  });

  test('the lower order is asked first, then the name', () => {
    const b = cluster('b', 'admin', 1, { ingress: [does('deny', 'r')] });
    const a = cluster('a', 'admin', 1, { ingress: [does('allow', 'r')] });
    const c = cluster('c', 'admin', 0, { ingress: [does('log', 'l', { protocol: 17 })] });
    expect(steps(evaluate(scene(b, a, c), tcp(4, 1, 80)).ingress.steps)).toEqual(['admin a r allow']);
  });

  test('a tier whose policies say nothing leaves it to the next, by its default', () => {
    const graph = scene(cluster('udp', 'admin', 1, { ingress: [does('deny', 'r', { protocol: 17 })] }));
    expect(steps(evaluate(graph, tcp(4, 1, 80)).ingress.steps)).toEqual([
      'admin end pass',
      'allow: not-isolated',
    ]);
    graph.upsertTier({ ...(TIERS[0] as Tier), defaultAction: 'deny' });
    expect(action(graph, 4, 1, 80)).toBe('deny');
  });

  test('a baseline is asked only where no NetworkPolicy selects the pod', () => {
    const baseline = cluster('base', 'baseline', 1, { ingress: [does('deny', 'r')] });
    expect(action(scene(baseline), 2, 1, 80)).toBe('deny');
    const open = networkPolicy('shop/open', ['app=db'], { ingress: [rule({})] });
    expect(action(scene(baseline, open), 2, 1, 80)).toBe('allow');
  });

  test('a rule that logs goes on', () => {
    const graph = scene(cluster('l', 'admin', 1, { ingress: [does('log', 'l'), does('deny', 'd')] }));
    expect(steps(evaluate(graph, tcp(4, 1, 80)).ingress.steps)).toEqual(['admin l l log', 'admin l d deny']);
  });

  test('policies of a tier that is not there wait for it', () => {
    const graph = scene(cluster('x', 'later', 1, { ingress: [does('deny', 'd')] }));
    expect(action(graph, 2, 1, 80)).toBe('allow');
    graph.upsertTier({ name: 'later', order: 5, defaultAction: 'deny' });
    expect(action(graph, 2, 1, 80)).toBe('deny');
  });
});

describe('what rules compare', () => {
  const only = (match: Partial<PolicyRule>, flow: Partial<Flow> = {}): string => {
    const graph = scene(cluster('x', 'default', 1, { ingress: [does('allow', 'r', match)] }));
    graph.upsertMember({
      ...pod('shop/set', 200),
      key: 'set shop/set',
      kind: 'network-set',
      nets: ['10.0.0.4/30'],
    });
    graph.upsertService('shop', 'db', [{ address: '10.0.0.1', protocol: 6, port: 5432 }]);
    graph.upsertService('shop', 'clients', [{ address: '10.0.0.4', protocol: 6, port: 80 }]);
    graph.upsertService('shop', 'portless', [{ address: '10.0.0.4' }]);
    graph.upsertDomain('db.example.com', ['10.0.0.1']);
    return evaluate(graph, { ...tcp(4, 1, 5432), ...flow }).action;
  };
  const echo = { protocol: 1, icmp: { type: 8, code: 0 } };

  test.each([
    ['notProtocol', { notProtocol: 17 }, {}, 'allow'],
    ['notProtocol, the same', { notProtocol: 6 }, {}, 'deny'],
    ['a range of ports', { protocol: 6, destination: { ports: [{ from: 5000, to: 5432 }] } }, {}, 'allow'],
    ['beyond the range', { protocol: 6, destination: { ports: [{ from: 5000, to: 5431 }] } }, {}, 'deny'],
    ['notPorts', { protocol: 6, destination: { notPorts: [{ from: 80, to: 80 }] } }, {}, 'allow'],
    ['notPorts by name', { protocol: 6, destination: { notPorts: [{ name: 'sql' }] } }, {}, 'deny'],
    ['no ports at all', { protocol: 6, destination: { ports: [] } }, {}, 'deny'],
    ['no nets at all', { source: { nets: [] } }, {}, 'deny'],
    ['the source port', { protocol: 6, source: { ports: [{ from: 40_000, to: 40_000 }] } }, {}, 'allow'],
    ['icmp of a type', { protocol: 1, icmp: { type: 8 } }, echo, 'allow'],
    ['icmp of another code', { protocol: 1, icmp: { type: 8, code: 1 } }, echo, 'deny'],
    ['notIcmp', { protocol: 1, notIcmp: { type: 8, code: 0 } }, echo, 'deny'],
    ['icmp is nothing of tcp', { icmp: { type: 8 } }, {}, 'deny'],
    [
      'a network set that covers the address',
      { source: { selector: select('self:kind=network-set') } },
      {},
      'allow',
    ],
    ['notSelector', { source: { notSelector: select('self:kind=network-set') } }, {}, 'deny'],
    ['a node', { source: { selector: select('self:kind=node') } }, { source: '172.16.0.2' }, 'allow'],
    ['a service', { destination: { service: { namespace: 'shop', name: 'db' } } }, {}, 'allow'],
    [
      'another port of it',
      { destination: { service: { namespace: 'shop', name: 'db' } } },
      { destinationPort: 1 },
      'deny',
    ],
    [
      'endpoints of a service, by whatever port',
      { source: { service: { namespace: 'shop', name: 'clients' } } },
      {},
      'allow',
    ],
    [
      'endpoints without ports',
      { source: { service: { namespace: 'shop', name: 'portless' } } },
      {},
      'allow',
    ],
    ['no endpoint of a service', { source: { service: { namespace: 'shop', name: 'db' } } }, {}, 'deny'],
    [
      'endpoints without ports as destination',
      { destination: { service: { namespace: 'shop', name: 'portless' } } },
      { destination: '10.0.0.4', source: '10.0.0.1' },
      'deny',
    ],
    ['a name', { destination: { domains: ['db.example.com'] } }, {}, 'allow'],
    ['names below', { destination: { domains: ['*.Example.com'] } }, {}, 'allow'],
    ['names below that name', { destination: { domains: ['*.db.example.com'] } }, {}, 'deny'],
  ] as const)('%s', (_, match, flow, expected) => {
    expect(only(match as Partial<PolicyRule>, flow)).toBe(expected);
  });
});

describe('staged policies', () => {
  const ref = { namespace: 'shop', name: 'db' } as const;
  const enforced = networkPolicy('shop/db', ['app=db'], { ingress: [] });
  const staged = (
    kind: 'StagedKubernetesNetworkPolicy',
    action: Policy['staged'],
    rules: Partial<Policy> = {},
  ): Policy => ({
    ...networkPolicy('shop/db', ['app=db'], rules),
    ref: { ...ref, kind },
    ...(action && { staged: action }),
  });
  const both = (graph: PolicyGraph): string[] =>
    [evaluate, evaluateStaged].map((ask) => ask(graph, tcp(2, 1, 80)).action);

  test('set replaces the one of its name, and decides nothing before', () => {
    const set = staged('StagedKubernetesNetworkPolicy', 'set', { ingress: [rule({})] });
    expect(both(scene(enforced, set))).toEqual(['deny', 'allow']);
    expect(evaluateStaged(scene(enforced, set), tcp(2, 1, 80)).ingress.steps).toMatchObject([
      { by: 'rule', policy: { kind: 'StagedKubernetesNetworkPolicy' }, action: 'allow' },
    ]);
    expect(both(scene({ ...set, ingress: [] }))).toEqual(['allow', 'deny']);
  });

  test('delete takes it away; learn and ignore do nothing', () => {
    expect(both(scene(enforced, staged('StagedKubernetesNetworkPolicy', 'delete')))).toEqual([
      'deny',
      'allow',
    ]);
    for (const action of ['learn', 'ignore'] as const)
      expect(both(scene(enforced, staged('StagedKubernetesNetworkPolicy', action)))).toEqual([
        'deny',
        'deny',
      ]);
  });

  test('a set that selects others leaves the old subjects free', () => {
    const set = {
      ...staged('StagedKubernetesNetworkPolicy', 'set', { ingress: [] }),
      subject: select('app=web'),
    };
    expect(both(scene(enforced, set))).toEqual(['deny', 'allow']);
  });
});
