import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { POLICY_RESOURCES } from '#core/policy/index.ts';
import { type KubeObject, RESOURCES, type ResourcePath, StoreError } from '#core/store/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { PolicyFeed } from './feed.ts';
import { PolicyReports } from './reports.ts';

const EVENTS: ResourcePath = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true };
const rowOf = (kind: string, group: string): ResourcePath => {
  const row = POLICY_RESOURCES.find((each) => each.kind === kind && each.group === group);
  if (row === undefined) throw new Error(`no row of ${kind} in ${group}`);
  return row;
};
const CLUSTER = rowOf('ClusterNetworkPolicy', 'policy.networking.k8s.io');
const POLICIES = rowOf('NetworkPolicy', 'networking.k8s.io');
const GLOBAL = rowOf('GlobalNetworkPolicy', 'projectcalico.org');

const global = (spec: object): KubeObject => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'GlobalNetworkPolicy',
  metadata: { name: 'g' },
  spec,
});
const cluster = (more: object): KubeObject => ({
  apiVersion: 'policy.networking.k8s.io/v1alpha2',
  kind: 'ClusterNetworkPolicy',
  metadata: { name: 'c' },
  spec: { tier: 'Admin', priority: 1, subject: { namespaces: {} }, ...more },
});

let store: FakeStore;
let clock: SimClock;
let ended: AbortController;
let lines: { readonly msg: string; readonly problem?: string }[];

beforeEach(() => {
  store = new FakeStore({ statusSubresources: ['pods', CLUSTER.plural] });
  clock = new SimClock();
  ended = new AbortController();
  lines = [];
});
afterEach(() => ended.abort());

/** Agents that begin to write after these parts of the time that they may wait. */
function startAgents(...parts: readonly number[]): void {
  for (const part of parts) {
    const base = {
      ...{ store, clock, random: () => part, signal: ended.signal },
      logger: pino({}, { write: (text: string) => lines.push(JSON.parse(text) as (typeof lines)[number]) }),
    };
    const ignored = { sync: () => undefined, upsert: () => undefined, remove: () => undefined };
    new PolicyFeed({ ...base, sink: new PolicyReports(base).beside(ignored) }).start();
  }
}
const written = (): string[] =>
  store.calls
    .filter(({ verb }) => verb === 'create' || verb === 'patch')
    .map(({ verb, plural }) => `${verb} ${plural}`);
const events = async () => (await store.list(EVENTS)).items;
const conditions = async () =>
  ((await store.get(CLUSTER, 'c'))['status'] as { conditions: object[] } | undefined)?.conditions;

async function run(seconds = 10): Promise<void> {
  await clock.advanceAsync(seconds * 1000);
  await settle();
}

/** Forgets the calls of the test itself. */
async function make(resource: ResourcePath, object: KubeObject): Promise<void> {
  await store.create(resource, object);
  store.calls.length = 0;
}

describe('PolicyReports', () => {
  it('writes one Event of a mistake, whichever node is the first, in words that are of no node', async () => {
    await make(GLOBAL, global({ selector: 'app ==' }));
    startAgents(0.9, 0.1, 0.5);
    await run(0.9);
    expect(written()).toEqual([]);
    await run();
    expect(await events()).toMatchObject([
      {
        metadata: { name: expect.stringMatching(/^g\.[0-9a-f]{20}$/), namespace: 'default' },
        involvedObject: {
          apiVersion: 'projectcalico.org/v3',
          kind: 'GlobalNetworkPolicy',
          name: 'g',
          uid: '00000000-0000-4000-8000-000000000001',
        },
        type: 'Warning',
        reason: 'InvalidPolicy',
        message: expect.stringMatching(
          /^spec\.selector: .*; the policy is not used, and what it said before/,
        ),
        firstTimestamp: '2024-01-01T00:00:01Z',
      },
    ]);
    expect(lines.map(({ msg }) => msg)).toEqual(Array.from({ length: 3 }, () => 'policy is not used'));
  });

  it('writes nothing of what it wrote already, and again of another mistake', async () => {
    await make(GLOBAL, global({ selector: 'app ==' }));
    startAgents(0.1);
    await run();
    await store.patch(GLOBAL, 'g', 'merge', { spec: { order: 5 } });
    await run();
    expect(written()).toEqual(['create events', 'patch globalnetworkpolicies']);
    await store.patch(GLOBAL, 'g', 'merge', { spec: { order: 'five' } });
    await run();
    expect((await events()).map(({ reason, message }) => `${String(reason)} ${String(message)}`)).toEqual(
      expect.arrayContaining([expect.stringContaining('InvalidPolicy spec.order: "five" is not a number')]),
    );
    expect(await events()).toHaveLength(2);
    expect(lines).toHaveLength(2);
  });

  it('warns of what has no effect as of something else, in the namespace of the policy', async () => {
    await make(POLICIES, {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { podSelector: {}, policyTypes: ['Ingress'], egress: [{}] },
    });
    startAgents(0);
    await run();
    expect(await events()).toMatchObject([
      {
        metadata: { namespace: 'shop' },
        involvedObject: { namespace: 'shop', name: 'web' },
        reason: 'PolicyWarning',
        message: 'spec.egress: has no effect, as policyTypes does not name its direction',
      },
    ]);
  });

  it('says of a kind with conditions whether the policy is used, once, and beside conditions of others', async () => {
    await make(CLUSTER, cluster({}));
    const other = { type: 'Programmed', status: 'True' };
    await store.patch(CLUSTER, 'c', 'merge', { status: { conditions: [other] } }, { subresource: 'status' });
    store.calls.length = 0;
    startAgents(0.1, 0.2);
    await run();
    const accepted = {
      ...{ type: 'Accepted', status: 'True', reason: 'Valid', observedGeneration: 1 },
      lastTransitionTime: '2024-01-01T00:00:01Z',
    };
    expect(await conditions()).toEqual([other, { ...accepted, message: 'every part of the policy is used' }]);
    expect(written()).toEqual(['patch clusternetworkpolicies']);

    await store.patch(CLUSTER, 'c', 'merge', { spec: { priority: 2 } });
    await run();
    expect(await conditions()).toMatchObject([other, { ...accepted, observedGeneration: 2 }]);

    await store.patch(CLUSTER, 'c', 'merge', { spec: { priority: 2000 } });
    await run();
    expect(await conditions()).toMatchObject([
      other,
      {
        ...{ type: 'Accepted', status: 'False', reason: 'Invalid', observedGeneration: 3 },
        message: 'spec.priority: 2000 is not a whole number from 0 to 1000',
        lastTransitionTime: '2024-01-01T00:00:21Z',
      },
    ]);
    expect(await events()).toHaveLength(1);
  });

  it('does not write against somebody who says something else of the same generation', async () => {
    await make(CLUSTER, cluster({}));
    startAgents(0);
    await run();
    const other = { type: 'Accepted', status: 'False', reason: 'Elsewhere' };
    await store.patch(CLUSTER, 'c', 'merge', { status: { conditions: [other] } }, { subresource: 'status' });
    await run();
    expect(await conditions()).toEqual([other]);
  });

  it('has nothing to say of a policy that has gone meanwhile, nor after the end of the agent', async () => {
    await make(GLOBAL, global({ selector: 'app ==' }));
    startAgents(0.5);
    await run(1);
    await store.delete(GLOBAL, 'g');
    await run();
    await store.create(GLOBAL, global({ order: 'x' }));
    await run(1);
    ended.abort();
    await run();
    expect(await events()).toEqual([]);
  });

  it('says so once if it may not write, goes on with others, and tries again when the policy is told anew', async () => {
    await make(CLUSTER, cluster({}));
    await store.create(GLOBAL, global({ selector: 'app ==' }));
    startAgents(0.5);
    await run(1);
    store.failNext(new StoreError(403, 'Forbidden', 'may not be patched'));
    await run();
    expect(await conditions()).toBeUndefined();
    expect(await events()).toHaveLength(1);
    expect(lines.map(({ msg }) => msg)).toEqual(['policy is not used', 'policy not reported on']);
    await store.patch(CLUSTER, 'c', 'merge', { metadata: { labels: { a: 'b' } } });
    await run();
    expect(await conditions()).toMatchObject([{ type: 'Accepted', status: 'True' }]);
  });

  it('looks at nothing but policies', async () => {
    await make(RESOURCES.pods, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'd' } });
    const heard: string[] = [];
    const base = { store, clock, random: () => 0, signal: ended.signal, logger: pino({ level: 'silent' }) };
    const sink = new PolicyReports(base).beside({
      sync: ({ plural }) => heard.push(`sync ${plural}`),
      upsert: ({ plural }) => heard.push(`upsert ${plural}`),
      remove: ({ plural }) => heard.push(`remove ${plural}`),
    });
    const feed = new PolicyFeed({ ...base, sink });
    feed.start();
    feed.followContext();
    await settle();
    expect(heard).toContain('sync pods');
    await store.delete(RESOURCES.pods, 'p', { namespace: 'd' });
    await run();
    expect(heard).toContain('remove pods');
    expect(written()).toEqual([]);
  });
});
