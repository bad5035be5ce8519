import { expect, test } from 'vitest';
import { affectedBy } from './affected.ts';
import { isAllowed } from './evaluate.ts';
import { PolicyGraph } from './graph.ts';
import { networkPolicy, pod, rule, select, TIERS, tcp } from './scene.fixture.ts';

test('a delta says which flows to ask about again, and of these the verdict says which to cut', () => {
  const graph = new PolicyGraph();
  for (const tier of TIERS) graph.upsertTier(tier);
  for (const [number, app] of ['web', 'front', 'front', 'other'].entries())
    graph.upsertMember(pod(`shop/${app}-${number}`, number + 1, { app }));
  graph.setLocal('pod shop/web-0');
  graph.setLocal('pod shop/other-3');
  const flows = ([4, 6] as const).flatMap((family) => [
    tcp(2, 1, 80, family),
    tcp(3, 1, 80, family),
    tcp(2, 4, 80, family),
  ]);
  graph.takeDelta();

  const peers = { selector: select('self:kind=pod', 'app=front') };
  graph.upsertPolicy(networkPolicy('shop/web', ['app=web'], { ingress: [rule(peers)] }));
  let isAffected = affectedBy(graph.takeDelta());
  expect(flows.map(isAffected)).toEqual([true, true, true, true, true, true]); // both ends of the new set
  expect(flows.map((flow) => isAllowed(graph, flow))).toEqual(flows.map(() => true));

  graph.upsertMember(pod('shop/front-1', 2, { app: 'back' }));
  isAffected = affectedBy(graph.takeDelta());
  expect(flows.map(isAffected)).toEqual([true, false, true, true, false, true]);
  expect(flows.map((flow) => isAllowed(graph, flow))).toEqual([false, true, true, false, true, true]);

  const set = { key: 'set shop/s', kind: 'network-set', nets: ['10.0.0.2/31'] } as const;
  graph.upsertMember({ ...pod('shop/s', 9, { app: 'front' }), ...set });
  graph.upsertPolicy(
    networkPolicy('shop/web', ['app=web'], { ingress: [rule({ selector: select('app=front') })] }),
  );
  isAffected = affectedBy(graph.takeDelta());
  expect(isAffected(tcp(2, 9, 80))).toBe(true);
  expect(isAffected(tcp(8, 9, 80))).toBe(false);
  expect(isAllowed(graph, tcp(2, 1, 80))).toBe(true);
});

test('an address that a name has no more affects no flow, one that it has now does', () => {
  const graph = new PolicyGraph();
  for (const tier of TIERS) graph.upsertTier(tier);
  graph.upsertMember(pod('shop/web', 1, { app: 'web' }));
  graph.setLocal('pod shop/web');
  graph.upsertPolicy(networkPolicy('shop/web', [], { egress: [rule({}, { domains: ['a.example'] })] }));
  graph.upsertDomain('a.example', ['10.0.0.2', '10.0.0.3']);
  graph.takeDelta();
  graph.upsertDomain('a.example', ['10.0.0.3', '10.0.0.4']);
  const isAffected = affectedBy(graph.takeDelta());
  expect([2, 3, 4].map((number) => isAffected(tcp(8, number, 80)))).toEqual([false, false, true]);
});
