import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyStep, applyStep, BEGINNING, type Step } from '#testing/policy-arbitrary.ts';
import { repeatableRuns } from '#testing/soak.ts';
import { evaluateStaged, isAllowed } from '../evaluate.ts';
import { PolicyGraph } from '../graph.ts';
import { networkPolicy, pod, rule, select, TIERS, tcp } from '../scene.fixture.ts';
import { matrix } from './matrix.ts';
import { pointsOf } from './points.ts';
import { Prober } from './prober.ts';
import { type GraphChange, whatIf } from './what-if.ts';

const HTTP = { protocol: 6, port: 80 } as const;
const CLOSED = networkPolicy('shop/db', ['app=db'], {
  ingress: [rule({ selector: select('self:kind=pod', 'app=web') }, {}, { protocol: 6 })],
});

/** Three web and two db pods in `shop`, one web in `ops`. */
function scene(): PolicyGraph {
  const graph = new PolicyGraph();
  for (const tier of TIERS) graph.upsertTier(tier);
  for (const number of [1, 2, 3]) graph.upsertMember(pod(`shop/web-${number}`, number, { app: 'web' }));
  for (const number of [4, 5]) graph.upsertMember(pod(`shop/db-${number}`, number, { app: 'db' }));
  graph.upsertMember(pod('ops/tool', 6, { app: 'tool' }));
  graph.upsertPolicy(CLOSED);
  return graph;
}

test('pods in groups, with how many of their flows are allowed', () => {
  const { groups, cells } = matrix(scene(), { ports: [HTTP], groupBy: { labels: ['app'] } });
  expect(groups.map(({ name }) => name)).toEqual(['app=tool', 'app=db', 'app=web']);
  const cell = (source: number, destination: number): unknown =>
    cells.find((each) => each.source === source && each.destination === destination);
  expect(cell(2, 1)).toEqual({ source: 2, destination: 1, port: 0, allowed: 12, denied: 0 }); // 3 × 2 pods, 2 families
  expect(cell(0, 1)).toMatchObject({ allowed: 0, denied: 4 });
  expect(cell(1, 1)).toMatchObject({ allowed: 0, denied: 4 }); // each to the other, not to itself
  expect(cell(0, 0)).toMatchObject({ allowed: 0, denied: 0 });
});

test('addresses outside are rows, and pods can be chosen', () => {
  const { groups, cells } = matrix(scene(), {
    ports: [HTTP],
    outside: ['192.0.2.1'],
    pods: new Set(['pod shop/db-4']),
  });
  expect(groups.map(({ name }) => name)).toEqual(['pod shop/db-4', '192.0.2.1']);
  expect(cells.map(({ allowed, denied }) => `${allowed}/${denied}`)).toEqual(['0/0', '1/0', '0/1', '0/0']);
});

test('a table that nobody could look at is refused', () => {
  const graph = scene();
  const ports = Array.from({ length: 200_000 }, (_, port) => ({ protocol: 6, port }));
  expect(() => matrix(graph, { ports })).toThrow('a table of 6 rows and 200000 ports has 7200000 cells');
});

test('what a change would do is found without making it', () => {
  const graph = scene();
  const relabel: GraphChange = { change: 'upsert-member', member: pod('ops/tool', 6, { app: 'web' }) };
  expect(whatIf(graph, [relabel], { ports: [HTTP] })).toEqual([
    {
      sources: ['pod ops/tool'],
      destinations: ['pod shop/db-4', 'pod shop/db-5'],
      probe: HTTP,
      before: 'deny',
      after: 'allow',
    },
  ]);
  const remove: GraphChange = { change: 'remove-policy', ref: CLOSED.ref };
  const opened = whatIf(graph, [remove], { outside: ['2001:db8::1'] });
  expect(opened.map(({ sources }) => sources.length)).toContain(2); // from db to db
  expect(opened.flatMap(({ sources }) => sources)).toContain('2001:db8::1');
  expect(opened.every(({ before, after }) => before === 'deny' && after === 'allow')).toBe(true);
  expect(whatIf(graph, [])).toEqual([]);
});

test('a staged policy that comes into force does what its verdicts said', () => {
  const graph = scene();
  const ref = { kind: 'StagedKubernetesNetworkPolicy', namespace: 'shop', name: 'db' } as const;
  const enforce: GraphChange = { change: 'enforce-policy', ref };
  expect(whatIf(graph, [enforce])).toEqual([]);
  graph.upsertPolicy({ ...CLOSED, ref, staged: 'set', ingress: [] });
  const closed = whatIf(graph, [enforce], { ports: [HTTP] });
  expect(closed).toMatchObject([{ sources: { length: 3 }, destinations: { length: 2 }, after: 'deny' }]);
  expect(evaluateStaged(graph, tcp(1, 4, 80)).action).toBe('deny');
  graph.upsertPolicy({ ...CLOSED, ref, staged: 'delete' });
  const opened = whatIf(graph, [enforce], { ports: [HTTP] });
  expect(opened.map(({ before, after }) => `${before} ${after}`)).toEqual(['deny allow', 'deny allow']);
});

/** Two pods, and a policy that keeps them apart if nothing random comes between. */
const MORE: readonly Step[] = [
  ...['p1', 'p2'].map((name, index): Step => {
    const more = {
      namespace: 'a',
      labels: {},
      ports: [],
      nets: [`10.0.0.${index + 1}/32`, `fd00::${index + 1}/128`],
    };
    return ['member', name, more];
  }),
  ['policy', 'r1', { tier: 't2', order: 1, subject: { op: 'all' }, ingress: [] }],
];

const changesOf: fc.Arbitrary<GraphChange[]> = fc.array(
  fc.oneof(
    fc
      .constantFrom('r1', 'r2', 'r3')
      .map((name): GraphChange => ({ change: 'remove-policy', ref: { kind: 'GlobalNetworkPolicy', name } })),
    fc.constantFrom('t1', 't2').map((name): GraphChange => ({ change: 'remove-tier', name })),
    fc
      .constantFrom('a', 'b')
      .map((name): GraphChange => ({ change: 'upsert-namespace', name, labels: { app: 'x' } })),
  ),
  { minLength: 1, maxLength: 3 },
);

test('a table says of each pair what the verdict does, and a change what the tables before and after do', () => {
  let denied = 0;
  let changed = 0;
  const steps = fc.array(
    anyStep.filter(([kind]) => kind !== 'take'),
    { maxLength: 40, size: 'max' },
  );
  fc.assert(
    fc.property(steps, changesOf, (some, changes) => {
      const graph = new PolicyGraph();
      for (const each of [...BEGINNING, ...MORE, ...some]) applyStep(graph, each);
      const options = { ports: [HTTP, { protocol: 17, port: 2 }], outside: ['10.0.0.9', 'fd01::9'] };
      const points = pointsOf(graph, options.outside);
      const one = (from: number, to: number, port: number, which = graph): boolean[] =>
        from === to
          ? []
          : new Prober(which)
              .flows(points[from]!, points[to]!, options.ports[port]!)
              .map(({ flow }) => isAllowed(which, flow));
      for (const { source, destination, port, ...counts } of matrix(graph, options).cells) {
        const flows = one(source, destination, port);
        expect(counts.allowed).toBe(flows.filter(Boolean).length);
        expect(counts.denied).toBe(flows.length - counts.allowed);
        denied += counts.denied;
      }

      const after = graph.copy();
      for (const each of changes) {
        if (each.change === 'remove-policy') after.removePolicy(each.ref);
        else if (each.change === 'remove-tier') after.removeTier(each.name);
        else if (each.change === 'upsert-namespace') after.upsertNamespace(each.name, each.labels);
      }
      const found = new Set(
        whatIf(graph, changes, options).flatMap(({ sources, destinations, probe }) =>
          sources.flatMap((from) => destinations.map((to) => `${from} ${to} ${probe.protocol}`)),
        ),
      );
      for (const from of points.keys())
        for (const to of points.keys())
          for (const port of options.ports.keys()) {
            const isChanged = one(from, to, port).join() !== one(from, to, port, after).join();
            const name = `${points[from]!.name} ${points[to]!.name} ${options.ports[port]!.protocol}`;
            if (from !== to) expect(found.has(name)).toBe(isChanged);
            changed += Number(isChanged);
          }
    }),
    repeatableRuns(100, 5000),
  );
  expect(Math.min(denied, changed)).toBeGreaterThan(20); // or else nothing was compared
});
