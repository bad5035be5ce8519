/**
 * What every EtcdClient must do, as tests: run on the fake and on the client of a real etcd alike. Call it inside a test file; each
 * test gets a client and an etcd of its own, or at least keys of its own.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type EtcdClient,
  EtcdError,
  type EtcdEvent,
  type EtcdKeyValue,
  isOutOfHistory,
  listRange,
  type WatchBatch,
} from '#core/lease/etcd/index.ts';
import { rejectionOf } from './thrown.ts';

export interface EtcdUnderTest extends AsyncDisposable {
  readonly client: EtcdClient;
  /** Forgets all history. */
  compact(): Promise<void> | void;
  /** Lets at least so many seconds pass for etcd, or does nothing where they pass by themselves. */
  pass(seconds: number): Promise<void>;
}

/** Keys of a test lie here. */
const ALL = { key: 'contract/', end: 'contract0' };
const at = (name: string) => `contract/${name}`;

/** Registers the suite under `name`. */
export function describeEtcdClient(name: string, open: () => Promise<EtcdUnderTest>): void {
  describe(`${name} keeps the etcd client contract`, () => {
    const context: Context = { open };
    beforeEach(async () => {
      context.opened = await open();
    });
    afterEach(async () => {
      await context.opened?.[Symbol.asyncDispose]();
      delete context.opened;
    });
    describeRanges(context);
    describeTransactions(context);
    describeLeases(context);
    describeWatches(context);
  });
}

interface Context {
  readonly open: () => Promise<EtcdUnderTest>;
  opened?: EtcdUnderTest;
}

function under(context: Context): EtcdUnderTest {
  if (context.opened === undefined) throw new Error('no etcd is open');
  return context.opened;
}

async function put(client: EtcdClient, name: string, value: string, lease?: string): Promise<number> {
  const op = { type: 'put', key: at(name), value, ...(lease === undefined ? {} : { lease }) } as const;
  return (await client.txn({ compare: [], success: [op], failure: [] })).revision;
}

async function remove(client: EtcdClient, name: string): Promise<number> {
  const op = { type: 'delete', key: at(name) } as const;
  return (await client.txn({ compare: [], success: [op], failure: [] })).revision;
}

function namesOf(kvs: readonly EtcdKeyValue[]): string[] {
  return kvs.map(({ key }) => key.slice(ALL.key.length));
}

function describeRanges(context: Context): void {
  it('reads keys with their revisions, in the order of their names', async () => {
    const { client } = under(context);
    const first = await put(client, 'b', 'fd00::1 – ünïcode&<>');
    const second = await put(client, 'a', '');
    const third = await put(client, 'b', 'again');
    const { kvs, revision, more } = await client.range(ALL);
    expect(kvs).toEqual([
      { key: at('a'), value: '', createRevision: second, modRevision: second, lease: '0' },
      { key: at('b'), value: 'again', createRevision: first, modRevision: third, lease: '0' },
    ]);
    expect([first + 1, second + 1, revision, more]).toEqual([second, third, third, false]);
    expect((await client.range({ key: at('b') })).kvs).toHaveLength(1);
    expect((await client.range({ key: at('none') })).kvs).toEqual([]);
  });

  it('reads as things stood, in pages, and what was created since', async () => {
    const { client } = under(context);
    for (const name of ['c', 'a', 'e', 'b', 'd']) await put(client, name, name);
    const { revision } = await client.range(ALL);
    await put(client, 'a', 'later');
    await remove(client, 'c');
    await put(client, 'f', 'new');
    await put(client, 'aa', 'new');
    const page = await client.range({ ...ALL, limit: 2, revision });
    expect([namesOf(page.kvs), page.more]).toEqual([['a', 'b'], true]);
    expect(page.kvs[0]?.value).toBe('a');
    const then = await client.range({ ...ALL, revision });
    expect(namesOf(then.kvs)).toEqual(['a', 'b', 'c', 'd', 'e']);
    const news = await client.range({ ...ALL, minCreateRevision: revision + 1, sortBy: 'create', limit: 9 });
    expect(namesOf(news.kvs)).toEqual(['f', 'aa']);
    for (const pageKeys of [1, 2, 3, 100])
      expect(namesOf((await listRange(client, ALL, { pageKeys })).kvs)).toEqual([
        'a',
        'aa',
        'b',
        'd',
        'e',
        'f',
      ]);
  });

  it('says of compacted and of future revisions that they are out of its history', async () => {
    const { client, compact } = under(context);
    const old = await put(client, 'a', '1');
    await put(client, 'a', '2');
    await put(client, 'a', '3');
    await compact();
    const compacted = await rejectionOf(EtcdError, client.range({ ...ALL, revision: old }));
    const future = await rejectionOf(EtcdError, client.range({ ...ALL, revision: old + 1000 }));
    expect([compacted?.failure, future?.failure]).toEqual(['compacted', 'future']);
    expect([isOutOfHistory(compacted), isOutOfHistory(future)]).toEqual([true, true]);
  });
}

function describeTransactions(context: Context): void {
  it('writes what is compared true, and answers with what is asked where it is not', async () => {
    const { client } = under(context);
    const first = await put(client, 'a', '1');
    const attempt = (revision: number) =>
      client.txn({
        compare: [{ key: at('a'), target: 'mod', is: 'equal', revision }],
        success: [
          { type: 'put', key: at('a'), value: '2' },
          { type: 'delete', key: at('b') },
        ],
        failure: [{ type: 'range', ...ALL }],
      });
    const lost = await attempt(first - 1);
    expect(lost.succeeded).toBe(false);
    expect(lost.ranges.map(({ kvs }) => namesOf(kvs))).toEqual([['a']]);
    const won = await attempt(first);
    expect([won.succeeded, won.revision, won.ranges]).toEqual([true, first + 1, []]);
    expect((await client.range({ key: at('a') })).kvs[0]).toMatchObject({
      value: '2',
      modRevision: first + 1,
    });
  });

  it('compares every key of a range, and an empty range as a key of revision 0', async () => {
    const { client } = under(context);
    const createdBefore = async (revision: number) => {
      const compare = { ...ALL, target: 'create', is: 'less', revision } as const;
      return (await client.txn({ compare: [compare], success: [], failure: [] })).succeeded;
    };
    expect(await createdBefore(1)).toBe(true);
    const first = await put(client, 'a', '1');
    const second = await put(client, 'z', '1');
    expect(await createdBefore(second)).toBe(false);
    expect(await createdBefore(second + 1)).toBe(true);
    await put(client, 'a', 'renewed');
    expect(await createdBefore(second + 1)).toBe(true);
    await remove(client, 'z');
    expect(await createdBefore(first + 1)).toBe(true);
    const none = { key: at('none'), target: 'create', is: 'equal', revision: 0 } as const;
    expect((await client.txn({ compare: [none], success: [], failure: [] })).succeeded).toBe(true);
  });

  it('lets one of many that want the same win', async () => {
    const { client } = under(context);
    const { revision } = await client.range(ALL);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        client.txn({
          compare: [{ ...ALL, target: 'create', is: 'less', revision: revision + 1 }],
          success: [{ type: 'put', key: at(`node-${index}`), value: '' }],
          failure: [{ type: 'range', ...ALL, minCreateRevision: revision + 1, sortBy: 'create', limit: 5 }],
        }),
      ),
    );
    const { kvs } = await client.range(ALL);
    expect(kvs).toHaveLength(1);
    expect(answers.filter(({ succeeded }) => succeeded)).toHaveLength(1);
    for (const { succeeded, ranges } of answers)
      expect(ranges.map((range) => namesOf(range.kvs))).toEqual(succeeded ? [] : [namesOf(kvs)]);
  });

  it('refuses to write and delete one key at once', async () => {
    const { client } = under(context);
    const both = client.txn({
      compare: [],
      success: [
        { type: 'put', key: at('a'), value: '' },
        { type: 'delete', ...ALL },
      ],
      failure: [],
    });
    expect((await rejectionOf(EtcdError, both))?.failure).toBe('refused');
  });
}

function describeLeases(context: Context): void {
  it('ends keys with their lease, and not those that are off it', async () => {
    const { client } = under(context);
    const { lease, ttlSec } = await client.grant(100);
    expect(ttlSec).toBe(100);
    await put(client, 'kept', '1', lease);
    await put(client, 'kept', '1');
    await put(client, 'moved', '1', lease);
    await put(client, 'moved', '1', (await client.grant(100)).lease);
    await put(client, 'ended', '1', lease);
    expect((await client.range({ key: at('ended') })).kvs[0]?.lease).toBe(lease);
    await client.revoke(lease);
    expect(namesOf((await client.range(ALL)).kvs)).toEqual(['kept', 'moved']);
    const again = await rejectionOf(EtcdError, client.revoke(lease));
    const late = await rejectionOf(EtcdError, put(client, 'late', '1', lease));
    const dead = await rejectionOf(EtcdError, client.keepAlive(lease));
    expect([again?.failure, late?.failure, dead?.failure]).toEqual(Array(3).fill('lease-not-found'));
    expect(await client.timeToLive(lease)).toBeLessThanOrEqual(0);
  });

  it('ends a lease after its time, and begins its time anew when told', async () => {
    const { client, pass } = under(context);
    const [short, kept] = [await client.grant(2), await client.grant(100)];
    await put(client, 'short', '1', short.lease);
    await put(client, 'kept', '1', kept.lease);
    await using watch = watchAll(client, (await client.range(ALL)).revision + 1);
    await pass(8);
    await watch.until((events) => events.some(({ type }) => type === 'delete'));
    expect(watch.events).toMatchObject([{ type: 'delete', key: at('short') }]);
    expect(await client.timeToLive(short.lease)).toBeLessThanOrEqual(0);
    expect(await client.keepAlive(kept.lease)).toBe(100);
    expect(await client.timeToLive(kept.lease)).toBeGreaterThan(95);
  });
}

interface OpenWatch extends AsyncDisposable {
  readonly events: EtcdEvent[];
  readonly batches: WatchBatch[];
  /** Rejects with what ends the watch. */
  until(holds: (events: readonly EtcdEvent[], batches: readonly WatchBatch[]) => boolean): Promise<void>;
}

function watchAll(client: EtcdClient, startRevision: number): OpenWatch {
  const stopping = new AbortController();
  const watch = client.watch({ ...ALL, startRevision }, { signal: stopping.signal });
  const iterator = watch[Symbol.asyncIterator]();
  const events: EtcdEvent[] = [];
  const batches: WatchBatch[] = [];
  return {
    events,
    batches,
    async until(holds) {
      while (!holds(events, batches)) {
        const { value, done } = await iterator.next();
        if (done === true) throw new Error('the watch ended without an error');
        batches.push(value);
        events.push(...value.events);
      }
    },
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('enough'));
      await iterator.return?.();
    },
  };
}

function describeWatches(context: Context): void {
  it('tells what happened since a revision, and what happens, each once and in order', async () => {
    const { client } = under(context);
    const first = await put(client, 'a', '1');
    await remove(client, 'a');
    await using watch = watchAll(client, first);
    await watch.until((events) => events.length === 2);
    await put(client, 'b', '2');
    await client.txn({
      compare: [],
      success: [
        { type: 'put', key: at('c'), value: '3' },
        { type: 'delete', key: at('b') },
      ],
      failure: [],
    });
    await watch.until((events) => events.length === 5);
    const told = watch.events.map((event) =>
      event.type === 'put'
        ? `${event.kv.key} ${event.kv.value}`
        : `-${event.key} ${event.modRevision - first}`,
    );
    expect(told.slice(0, 3)).toEqual([`${at('a')} 1`, `-${at('a')} 1`, `${at('b')} 2`]);
    expect(told.slice(3).toSorted()).toEqual([`-${at('b')} 3`, `${at('c')} 3`]);
    expect(watch.batches.at(-1)?.nextRevision).toBe(first + 4);
  });

  it('begins again where it is told to', async () => {
    const { client } = under(context);
    const first = await put(client, 'a', '1');
    for (let index = 2; index <= 6; index++) await put(client, 'a', String(index));
    let next = first;
    const seen: string[] = [];
    for (const count of [1, 2, 3]) {
      await using watch = watchAll(client, next);
      await watch.until((events) => events.length >= count);
      const batch = watch.batches.find((_, index) => {
        const told = watch.batches.slice(0, index + 1).flatMap(({ events }) => events);
        return told.length >= count;
      });
      const upTo = watch.batches.indexOf(batch as WatchBatch) + 1;
      for (const event of watch.batches.slice(0, upTo).flatMap(({ events }) => events))
        if (event.type === 'put') seen.push(event.kv.value);
      next = batch?.nextRevision ?? 0;
      if (seen.length === 6) break;
    }
    expect(seen).toEqual(['1', '2', '3', '4', '5', '6']);
  });

  it('refuses revisions that are compacted or yet to come', async () => {
    const { client, compact } = under(context);
    const first = await put(client, 'a', '1');
    await put(client, 'a', '2');
    const last = await put(client, 'a', '3');
    await compact();
    await using old = watchAll(client, first);
    const compacted = await rejectionOf(
      EtcdError,
      old.until(() => false),
    );
    expect([compacted?.failure, compacted?.compactRevision]).toEqual(['compacted', last]);
    await using early = watchAll(client, last + 1000);
    const future = await rejectionOf(
      EtcdError,
      early.until(() => false),
    );
    expect(future?.failure).toBe('future');
    await using next = watchAll(client, last + 1);
    await put(client, 'a', '4');
    await next.until((events) => events.length === 1);
  });

  it('ends with the reason its signal aborts with', async () => {
    const { client } = under(context);
    const stopping = new AbortController();
    const reason = new Error('enough');
    const { revision } = await client.range(ALL);
    const watch = client.watch({ ...ALL, startRevision: revision + 1 }, { signal: stopping.signal });
    const reading = (async () => {
      for await (const _ of watch) stopping.abort(reason);
    })();
    await expect(reading).rejects.toBe(reason);
    await expect(client.range(ALL, { signal: stopping.signal })).rejects.toBe(reason);
  });
}
