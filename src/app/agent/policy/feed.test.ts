import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { POLICY_RESOURCES } from '#core/policy/index.ts';
import { type KubeObject, RESOURCES, type ResourcePath, StoreError } from '#core/store/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { PolicyFeed } from './feed.ts';

const resource = (plural: string, group: string): ResourcePath =>
  POLICY_RESOURCES.find((each) => each.plural === plural && each.group === group) as ResourcePath;
const policies = resource('networkpolicies', 'networking.k8s.io');
const tiers = resource('tiers', 'projectcalico.org');
const storedTiers: ResourcePath = { ...tiers, group: 'crd.projectcalico.org', version: 'v1' };

/** A server that knows only some groups. */
class PartialStore extends FakeStore {
  readonly groups = new Set(['', 'discovery.k8s.io', 'networking.k8s.io']);

  override list: FakeStore['list'] = async (place, options) => {
    if (!this.groups.has(place.group)) throw new StoreError(404, 'NotFound', 'the server has no such kind');
    return super.list(place, options);
  };
}

const policy = (name: string): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace: 'shop' },
  spec: { podSelector: {} },
});

let store: PartialStore;
let clock: SimClock;
let stop: AbortController;
let log: string[];
let feed: PolicyFeed;

beforeEach(() => {
  store = new PartialStore();
  clock = new SimClock();
  stop = new AbortController();
  log = [];
  const text = ({ apiVersion, kind, metadata: { name } }: KubeObject): string =>
    `${apiVersion} ${kind} ${name}`;
  feed = new PolicyFeed({
    store,
    clock,
    random: () => 0,
    logger: pino({ level: 'silent' }),
    signal: stop.signal,
    sink: {
      sync: ({ plural }, objects) => {
        if (objects.length > 0) log.push(`sync ${plural}: ${objects.map(text).join(', ')}`);
      },
      upsert: (_, object) => log.push(`upsert ${text(object)}`),
      remove: (_, object) => log.push(`remove ${text(object)}`),
    },
  });
});
afterEach(() => stop.abort());

describe('the feed of policies', () => {
  test('is complete when each kind was told of or is none of the server', async () => {
    await store.create(policies, policy('a'), { namespace: 'shop' });
    feed.start();
    expect(feed.isComplete).toBe(false);
    await settle();
    expect(feed.isComplete).toBe(true);
    await store.create(policies, policy('b'), { namespace: 'shop' });
    await settle();
    expect(log).toEqual([
      'sync networkpolicies: networking.k8s.io/v1 NetworkPolicy a',
      'upsert networking.k8s.io/v1 NetworkPolicy b',
    ]);
    expect(feed.problemTexts()).toEqual([]);
  });

  test('asks for pods only once somebody says that there is a policy', async () => {
    feed.start();
    await settle();
    expect(store.calls.some(({ plural }) => plural === 'pods')).toBe(false);
    feed.followContext();
    expect(feed.isComplete).toBe(false);
    await settle();
    expect(feed.isComplete).toBe(true);
    expect(store.calls.some(({ plural }) => plural === RESOURCES.pods.plural)).toBe(true);
  });

  test('finds kinds that somebody brings later, and Calico’s where Calico keeps them', async () => {
    feed.start();
    await settle();
    store.groups.add('crd.projectcalico.org');
    await store.create(storedTiers, {
      apiVersion: 'crd.projectcalico.org/v1',
      kind: 'Tier',
      metadata: { name: 'security' },
    });
    await clock.advanceAsync(60_000);
    expect(log).toEqual(['sync tiers: crd.projectcalico.org/v1 Tier security']);
  });

  test('does not take a server that is away for one that has nothing', async () => {
    store.outage('down');
    feed.start();
    await settle();
    expect(feed.isComplete).toBe(false);
    expect(feed.problemTexts().length).toBeGreaterThan(0);
    store.outage('up');
    await clock.advanceAsync(60_000);
    expect(feed.isComplete).toBe(true);
    expect(feed.problemTexts()).toEqual([]);
  });

  test('names what it may not see, and asks again', async () => {
    const { list } = store;
    store.list = async (place, options) => {
      if (place.plural === 'tiers') throw new StoreError(403, 'Forbidden', 'tiers is forbidden');
      return list(place, options);
    };
    feed.start();
    await settle();
    expect(feed.isComplete).toBe(false);
    expect(feed.problemTexts()).toEqual([
      'policies are not followed: tiers.projectcalico.org: tiers is forbidden',
    ]);
    store.list = list;
    await clock.advanceAsync(10_000);
    expect(feed.isComplete).toBe(true);
  });
});
