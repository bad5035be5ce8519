import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { prefixContains } from '#base/ip/index.ts';
import { anyStep, applyStep, BEGINNING } from '#testing/policy-arbitrary.ts';
import { repeatableRuns } from '#testing/soak.ts';
import type { Member } from '../model.ts';
import { matchesSelector, type Selector } from '../selector/index.ts';
import { isAllowed, mayGoOn } from './evaluate.ts';
import { PolicyGraph } from './graph.ts';
import { Listener, networkPolicy, pod, policy, rule, select, TIERS } from './scene.fixture.ts';

function graphOf(...members: readonly Member[]): PolicyGraph {
  const graph = new PolicyGraph();
  for (const tier of TIERS) graph.upsertTier(tier);
  for (const member of members) graph.upsertMember(member);
  return graph;
}

const WEB = networkPolicy('shop/web', ['app=web'], {
  ingress: [rule({ selector: select('self:kind=pod', 'app=front') }, {}, { protocol: 6 })],
});

test('a local endpoint comes with its policies, and their sets with all their elements', () => {
  const graph = graphOf(pod('shop/web', 1, { app: 'web' }), pod('shop/front', 2, { app: 'front' }));
  graph.upsertPolicy(WEB);
  expect(graph.takeDelta().endpoints.size).toBe(0);
  graph.setLocal('pod shop/web');
  const { endpoints, sets, dropped } = graph.takeDelta();
  expect([...endpoints]).toEqual([
    [
      'pod shop/web',
      {
        endpoint: pod('shop/web', 1, { app: 'web' }),
        ingress: [{ tier: TIERS[1], policies: [WEB] }],
        egress: [],
      },
    ],
  ]);
  expect([...sets.values()].map(({ added, removed }) => ({ added, removed }))).toEqual([
    { added: [{ net: '10.0.0.2/32' }, { net: 'fd00::2/128' }], removed: [] },
  ]);
  expect(dropped.size).toBe(0);
});

test('a change of labels moves the member alone, and the endpoints stay as they are', () => {
  const graph = graphOf(pod('shop/web', 1, { app: 'web' }), pod('shop/front', 2, { app: 'front' }));
  graph.upsertPolicy(WEB);
  graph.setLocal('pod shop/web');
  graph.takeDelta();
  graph.upsertMember(pod('shop/front', 2, { app: 'front', color: 'red' }));
  expect(graph.takeDelta()).toEqual({ endpoints: new Map(), sets: new Map(), dropped: new Set() });
  graph.upsertMember(pod('shop/other', 3, { app: 'front' }));
  graph.upsertMember(pod('shop/front', 2, { app: 'back' }));
  const [change] = graph.takeDelta().sets.values();
  expect(change).toMatchObject({
    added: [{ net: '10.0.0.3/32' }, { net: 'fd00::3/128' }],
    removed: [{ net: '10.0.0.2/32' }, { net: 'fd00::2/128' }],
  });
});

test('a net that two members have is there until both are gone', () => {
  const graph = graphOf(
    pod('shop/web', 1, { app: 'web' }),
    pod('shop/old', 2, { app: 'front' }),
    pod('shop/new', 2, { app: 'front' }),
  );
  graph.upsertPolicy(WEB);
  graph.setLocal('pod shop/web');
  graph.takeDelta();
  graph.removeMember('pod shop/old');
  expect(graph.takeDelta().sets.size).toBe(0);
  graph.removeMember('pod shop/new');
  expect([...graph.takeDelta().sets.values()][0]?.removed).toHaveLength(2);
});

test('what comes and goes between two deltas is not told', () => {
  const graph = graphOf(pod('shop/web', 1, { app: 'web' }));
  graph.upsertPolicy(WEB);
  graph.setLocal('pod shop/web');
  graph.takeDelta();
  graph.upsertMember(pod('shop/front', 2, { app: 'front' }));
  graph.removeMember('pod shop/front');
  graph.removePolicy(WEB.ref);
  graph.upsertPolicy(WEB);
  expect(graph.takeDelta()).toEqual({ endpoints: new Map(), sets: new Map(), dropped: new Set() });
  graph.unsetLocal('pod shop/web');
  const { endpoints, dropped } = graph.takeDelta();
  expect([...endpoints]).toEqual([['pod shop/web', undefined]]);
  expect(dropped.size).toBe(1);
});

test('the labels of a namespace and of a service account reach their pods, before the pods and after', () => {
  const peers = select('self:kind=pod', 'ns:team=red', 'sa:role=reader');
  const graph = graphOf(pod('shop/web', 1, { app: 'web' }));
  graph.upsertPolicy(networkPolicy('shop/web', ['app=web'], { ingress: [rule({ selector: peers })] }));
  graph.setLocal('pod shop/web');
  graph.upsertNamespace('back', { team: 'red' });
  graph.upsertMember(pod('back/one', 5, {}, { serviceAccount: 'robot' }));
  expect([...graph.takeDelta().sets.values()][0]?.added).toEqual([]);
  graph.upsertServiceAccount('back', 'robot', { role: 'reader' });
  expect([...graph.takeDelta().sets.values()][0]?.added).toHaveLength(2);
  graph.upsertNamespace('back', { team: 'blue' });
  expect([...graph.takeDelta().sets.values()][0]?.removed).toHaveLength(2);
});

test('ports by name are addresses with the number each pod gives to the name', () => {
  const ports = (port: number): Partial<Member> => ({ ports: [{ name: 'http', protocol: 6, port }] });
  const graph = graphOf(
    pod('shop/web', 1, { app: 'web' }, ports(80)),
    pod('shop/web2', 2, { app: 'web' }, ports(8080)),
    pod('shop/else', 3, { app: 'else' }, ports(9090)),
  );
  const to = { ports: [{ name: 'http' }] };
  graph.upsertPolicy(networkPolicy('shop/web', ['app=web'], { ingress: [rule({}, to, { protocol: 6 })] }));
  graph.setLocal('pod shop/web');
  const [change] = graph.takeDelta().sets.values();
  expect(change?.added).toContainEqual({ address: '10.0.0.1', protocol: 6, port: 80 });
  expect(change?.added).toContainEqual({ address: 'fd00::2', protocol: 6, port: 8080 });
  expect(change?.added).toHaveLength(4); // nobody but the policy's subjects can be at its own end
});

test('endpoints of services and addresses of names are elements, too', () => {
  const graph = graphOf(pod('shop/web', 1, { app: 'web' }));
  graph.upsertPolicy(
    networkPolicy('shop/out', [], {
      egress: [
        rule({}, { service: { namespace: 'back', name: 'db' } }),
        rule({ service: { namespace: 'back', name: 'db' } }),
        rule({}, { domains: ['*.example.com'] }),
      ],
    }),
  );
  graph.upsertService('back', 'db', [
    { address: '10.0.0.9', protocol: 6, port: 5432 },
    { address: '10.0.0.9', protocol: 6, port: 5433 },
    { address: 'fd00::9' },
  ]);
  graph.setLocal('pod shop/web');
  // At a destination their ports count, at a source their addresses alone.
  expect([...graph.takeDelta().sets.values()].map(({ added }) => added)).toEqual([
    [
      { address: '10.0.0.9', protocol: 6, port: 5432 },
      { address: '10.0.0.9', protocol: 6, port: 5433 },
    ],
    [{ net: '10.0.0.9/32' }, { net: 'fd00::9/128' }],
    [],
  ]);
  graph.upsertDomain('www.example.com', ['192.0.2.1']);
  graph.upsertDomain('example.com', ['192.0.2.2']);
  graph.removeService('back', 'db');
  const changes = [...graph.takeDelta().sets.values()];
  expect(changes).toMatchObject([
    { added: [{ net: '192.0.2.1/32' }], removed: [] },
    { added: [], removed: [{ address: '10.0.0.9' }, { address: '10.0.0.9' }] },
    { added: [], removed: [{ net: '10.0.0.9/32' }, { net: 'fd00::9/128' }] },
  ]);
});

describe('names', () => {
  const graph = () => {
    const made = graphOf(pod('shop/web', 1, { app: 'web' }));
    made.upsertPolicy(
      networkPolicy('shop/out', [], {
        egress: [rule({}, { domains: ['*.Example.com', 'db.example.net'] })],
      }),
    );
    made.setLocal('pod shop/web');
    return made;
  };
  const added = (from: PolicyGraph) => [...from.takeDelta().sets.values()].flatMap((set) => set.added);

  test.each([
    ['a.b.example.com', true],
    ['A.B.EXAMPLE.com', true],
    ['www.example.com', true],
    ['db.example.net', true],
    ['example.com', false],
    ['badexample.com', false],
    ['a.db.example.net', false],
    ['www.example.com.evil.example', false],
  ])('%s is one of *.example.com and db.example.net: %s', (name, isOne) => {
    // Found before the rules are there, between, and after.
    const before = graph();
    before.upsertDomain(name, ['192.0.2.1', '2001:db8::1']);
    const nets = isOne ? [{ net: '192.0.2.1/32' }, { net: '2001:db8::1/128' }] : [];
    expect(added(before)).toEqual(nets);
    const after = graph();
    expect(added(after)).toEqual([]);
    expect([after.hasDomains, after.wantsDomain(name)]).toEqual([true, isOne]);
    after.upsertDomain(name, ['192.0.2.1', '2001:db8::1']);
    expect(added(after)).toEqual(nets);
  });

  test('are wanted as long as a policy of a local endpoint speaks of them', () => {
    const one = graph();
    expect([one.hasDomains, one.wantsDomain('a.example.com')]).toEqual([false, false]);
    one.takeDelta();
    one.removePolicy({ kind: 'NetworkPolicy', namespace: 'shop', name: 'out' });
    one.takeDelta();
    expect([one.hasDomains, one.wantsDomain('a.example.com')]).toEqual([false, false]);
  });

  test('that share an address have it until the last one has others', () => {
    const one = graph();
    one.upsertDomain('a.example.com', ['192.0.2.1']);
    one.upsertDomain('b.example.com', ['192.0.2.1']);
    one.takeDelta();
    one.removeDomain('a.example.com');
    expect([...one.takeDelta().sets.values()]).toEqual([]);
    one.upsertDomain('b.example.com', ['192.0.2.2']);
    expect([...one.takeDelta().sets.values()]).toMatchObject([
      { added: [{ net: '192.0.2.2/32' }], removed: [{ net: '192.0.2.1/32' }] },
    ]);
  });

  test('let flows go on to addresses that were theirs, and no others, as long as a rule speaks of them', () => {
    const one = graph();
    one.upsertDomain('a.example.com', ['192.0.2.2'], ['192.0.2.1']);
    const flow = (destination: string) => ({
      source: '10.0.0.1',
      destination,
      protocol: 6,
      sourcePort: 1,
      destinationPort: 443,
    });
    const verdicts = (from: PolicyGraph) =>
      ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((each) => [
        isAllowed(from, flow(each)),
        mayGoOn(from, flow(each)),
      ]);
    const wanted = [
      [false, true],
      [true, true],
      [false, false],
    ];
    expect(verdicts(one)).toEqual(wanted);
    expect(verdicts(one.copy())).toEqual(wanted);
    one.upsertDomain('a.example.com', ['192.0.2.1']);
    expect(verdicts(one)[1]).toEqual([false, false]);
    one.upsertPolicy(networkPolicy('shop/out', [], { egress: [] }));
    expect(verdicts(one)[0]).toEqual([false, false]);
  });
});

test('staged policies are not told of', () => {
  const graph = graphOf(pod('shop/web', 1, { app: 'web' }));
  const ref = { kind: 'StagedGlobalNetworkPolicy', name: 'all' } as const;
  graph.upsertPolicy(policy(ref, { op: 'all' }, { staged: 'set', ingress: [] }));
  graph.setLocal('pod shop/web');
  expect([...graph.takeDelta().endpoints.values()][0]).toMatchObject({ ingress: [], egress: [] });
});

// Whatever is done in whatever order, and whenever somebody asks: who heard all deltas knows what a new graph says of what is there.

/** Who is asked about flows must agree with the sets that the kernel looks up. */
function expectSameMembers(graph: PolicyGraph, selector: Selector, elements: ReadonlySet<string>): void {
  for (const address of ['10.0.0.1', '10.0.0.2', '10.1.2.3', '10.2.0.1']) {
    const isSelected = graph.members.covering(address).some((entry) => matchesSelector(selector, entry));
    expect([...elements].some((net) => prefixContains(net, address))).toBe(isSelected);
  }
}

test('deltas add up to what a new graph says of the same content, whatever the way there', () => {
  let told = 0;
  fc.assert(
    fc.property(
      fc.array(anyStep, { maxLength: 60, size: 'max' }),
      fc.infiniteStream(fc.nat()),
      (some, dice) => {
        const steps = [...BEGINNING, ...some];
        const graph = new PolicyGraph();
        const listener = new Listener();
        for (const each of steps) {
          if (each[0] === 'take') listener.hear(graph.takeDelta());
          else applyStep(graph, each);
        }
        listener.hear(graph.takeDelta());
        expect(graph.takeDelta()).toEqual({ endpoints: new Map(), sets: new Map(), dropped: new Set() });

        const last = new Map(steps.map((each) => [`${each[0]} ${each[1]}`, each]));
        last.delete('take ');
        const anyOrder = [...last.values()].map((each) => [dice.next().value ?? 0, each] as const);
        anyOrder.sort(([a], [b]) => a - b);
        const fresh = new PolicyGraph();
        for (const [, each] of anyOrder) applyStep(fresh, each);
        const wanted = new Listener();
        wanted.hear(fresh.takeDelta());
        expect(listener.state).toEqual(wanted.state);
        for (const { set, elements } of wanted.sets.values())
          if (set.kind === 'members') expectSameMembers(fresh, set.selector, elements);
        told += wanted.sets.size;
      },
    ),
    repeatableRuns(300, 20_000),
  );
  expect(told).toBeGreaterThan(30); // or else nothing was compared
});
