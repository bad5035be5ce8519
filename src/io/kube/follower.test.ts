import { describe, expect, it } from 'vitest';
import { type KubeObject, RESOURCES, StoreError } from '#core/store/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { UnreachableError } from './errors.ts';
import { type FollowSource, followStore } from './follower.ts';

const { nodes } = RESOURCES;
const node = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } });

/** A follower on a fake store through a link that can be cut, on a simulated clock and without jitter. */
function world(store = new FakeStore()) {
  const clock = new SimClock(0);
  const log: string[] = [];
  const stopping = new AbortController();
  let down: Error | undefined;
  const source: FollowSource = {
    list: async (resource, options) => {
      log.push(`${clock.now()} list`);
      if (down) throw down;
      return store.list(resource, options);
    },
    watch: async function* (resource, options) {
      log.push(`${clock.now()} watch ${options.resourceVersion}`);
      if (down) throw down;
      yield* store.watch(resource, options);
    },
  };
  const done = followStore(
    source,
    { clock, random: () => 0 },
    nodes,
    { signal: stopping.signal },
    {
      sync: (items) => void log.push(['sync', ...items.map((item) => item.metadata.name)].join(' ')),
      upsert: (item) => {
        if (item.metadata.name === 'poison') throw new Error('the follower cannot take this');
        log.push(`upsert ${item.metadata.name}`);
      },
      remove: (item) => void log.push(`remove ${item.metadata.name}`),
      connection: (state, cause) => void log.push(`connection ${state}${cause ? `: ${cause.message}` : ''}`),
    },
  );
  done.catch(() => {});
  const cut = (error: Error = new UnreachableError('api:6443', 'GET /', new Error('reset'))) => {
    down = error;
    store.endWatches(error);
  };
  const mend = () => {
    down = undefined;
  };
  /** What was logged since the last call. */
  const news = async () => {
    await settle();
    return log.splice(0);
  };
  return { clock, store, done, stopping, cut, mend, news };
}

const DOWN = 'connection down: kubernetes api at api:6443: GET /: reset';

describe('following', () => {
  it('lists, then watches from the version of the list', async () => {
    const before = new FakeStore();
    await before.create(nodes, node('a'));
    const { store, news, stopping, done } = world(before);
    expect(await news()).toEqual(['0 list', 'sync a', '0 watch 2']);
    await store.create(nodes, node('b'));
    await store.patch(nodes, 'b', 'merge', { metadata: { labels: { x: 'y' } } });
    await store.delete(nodes, 'a');
    expect(await news()).toEqual(['upsert b', 'upsert b', 'remove a']);
    stopping.abort();
    await done;
    expect(store.openWatches).toBe(0);
  });

  it('watches again from the last version after a watch ends, bookmarks counted, and does not list', async () => {
    const { store, news, clock } = world();
    await store.create(nodes, node('a'));
    await news();
    await store.create(RESOURCES.namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'x' },
    });
    store.bookmark();
    await news();
    await clock.advanceAsync(300_000);
    store.endWatches();
    expect(await news()).toEqual(['300000 watch 3']);
  });

  it('slows down where watches end as soon as they begin', async () => {
    const { store, news, clock } = world();
    await news();
    store.endWatches();
    expect(await news()).toEqual([]);
    await clock.advanceAsync(800);
    expect(await news()).toEqual(['800 watch 1']);
    store.endWatches();
    await clock.advanceAsync(1599);
    expect(await news()).toEqual([]);
    await clock.advanceAsync(1);
    expect(await news()).toEqual(['2400 watch 1']);
  });

  it('lists anew, at once, when its version has expired', async () => {
    const { store, news, clock } = world();
    await store.create(nodes, node('a'));
    await news();
    const expired = new StoreError(410, 'Expired', 'too old');
    store.endWatches(expired);
    await store.delete(nodes, 'a');
    await store.create(nodes, node('b'));
    expect(await news()).toEqual(['0 list', 'sync b', '0 watch 4']);
    store.endWatches(expired);
    expect(await news(), 'a server that goes on so is asked less often').toEqual([]);
    await clock.advanceAsync(1600);
    expect(await news()).toEqual(['1600 list', 'sync b', '1600 watch 4']);
  });

  it('reports an outage once, backs off, and goes on from where it was', async () => {
    const { store, news, clock, cut, mend } = world();
    await store.create(nodes, node('a'));
    await news();
    cut();
    expect(await news()).toEqual([DOWN]);
    await clock.advanceAsync(800 + 1600 + 3200);
    expect(await news()).toEqual(['800 watch 2', '2400 watch 2', '5600 watch 2']);
    await store.delete(nodes, 'a');
    await store.create(nodes, node('b'));
    mend();
    await clock.advanceAsync(6400);
    expect(await news()).toEqual(['12000 watch 2', 'connection up', 'remove a', 'upsert b']);
  });

  it('lists as soon as it can where the server is down from the beginning', async () => {
    const store = new FakeStore();
    store.failNext(new UnreachableError('api:6443', 'GET /', new Error('reset')));
    const { news, clock } = world(store);
    expect(await news()).toEqual(['0 list', DOWN]);
    await clock.advanceAsync(800);
    expect(await news()).toEqual(['800 list', 'connection up', 'sync', '800 watch 1']);
  });

  it('never waits more than half a minute', async () => {
    const { news, clock, cut } = world();
    cut();
    await clock.advanceAsync(600_000);
    const lines = await news();
    const times = lines.filter((line) => /^\d+ watch/.test(line)).map((line) => Number.parseInt(line, 10));
    const waits = times.slice(1).map((time, i) => time - (times[i] as number));
    expect(Math.max(...waits)).toBe(30_000);
    expect(lines.filter((line) => line.startsWith('connection'))).toEqual([DOWN]);
  });

  it('shows deletions it missed through a new list, where the history is gone after an outage', async () => {
    const { store, news, clock, cut, mend } = world();
    await store.create(nodes, node('a'));
    await news();
    cut();
    await store.delete(nodes, 'a');
    await store.create(nodes, node('b'));
    store.compact();
    mend();
    await clock.advanceAsync(800);
    await clock.advanceAsync(10_000);
    const lines = await news();
    expect(lines.slice(0, 2)).toEqual([DOWN, '800 watch 2']);
    expect(lines).toContain('connection up');
    expect(lines).toContain('sync b');
  });

  it('lists anew after refusals other than "try later", and reports them as an outage', async () => {
    const { store, news, clock, cut, mend } = world();
    await news();
    cut(new StoreError(503, 'ServiceUnavailable', 'starting'));
    await clock.advanceAsync(800);
    expect(await news()).toEqual(['connection down: starting', '800 watch 1']);
    cut(new StoreError(403, 'Forbidden', 'no'));
    await clock.advanceAsync(1600);
    mend();
    await store.create(nodes, node('a'));
    await clock.advanceAsync(3200);
    expect(await news()).toEqual(['2400 watch 1', '5600 list', 'connection up', 'sync a', '5600 watch 2']);
  });

  it('ends with the error of a follower that throws, and with errors that are not the store’s', async () => {
    const first = world();
    await first.news();
    await first.store.create(nodes, node('poison'));
    await expect(first.done).rejects.toThrow('the follower cannot take this');
    const second = world();
    second.cut(new TypeError('a mistake in the program'));
    await expect(second.done).rejects.toThrow('a mistake in the program');
  });

  it('stops while it waits, lists or watches', async () => {
    const waiting = world();
    waiting.cut();
    await waiting.news();
    waiting.stopping.abort(new Error('over'));
    await waiting.done;
    expect(waiting.clock.pending).toBe(0);
    const unborn = world();
    unborn.stopping.abort();
    await unborn.done;
  });
});
