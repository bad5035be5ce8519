import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredChange } from '#core/kube/index.ts';
import { runs } from '#testing/soak.ts';
import { DatabaseError, SqliteStore, type SqliteStoreOptions } from './index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-sqlite-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const open = (options: Partial<SqliteStoreOptions> = {}) =>
  new SqliteStore({ path: join(folder, 'objects.db'), ...options });

const put = (store: SqliteStore, name: string, value = name, namespace = 'ns') =>
  store.submit((unit) => unit.put('things', namespace, name, (version) => `${value}@${version}`));
const remove = (store: SqliteStore, name: string) =>
  store.submit((unit) => unit.remove('things', 'ns', name, (version) => `gone@${version}`));
const names = (objects: readonly { name: string }[]) => objects.map(({ name }) => name);

describe('the store', () => {
  it('gives each write the next version, and the text that version', async () => {
    const store = open();
    expect(await put(store, 'a')).toEqual({ version: 1, namespace: 'ns', name: 'a', json: 'a@1' });
    expect((await put(store, 'a', 'b')).json).toBe('b@2');
    expect(store.get('things', 'ns', 'a')?.json).toBe('b@2');
    expect(store.get('things', 'other', 'a')).toBeUndefined();
    expect(store.get('others', 'ns', 'a')).toBeUndefined();
    await store.close();
  });

  it('starts at the version asked for, in a new file alone', async () => {
    const first = open({ firstVersion: 1000 });
    expect(first.latestVersion).toBe(999);
    expect((await put(first, 'a')).version).toBe(1000);
    await first.close();
    const second = open({ firstVersion: 5000 });
    expect((await put(second, 'b')).version).toBe(1001);
    await second.close();
  });

  it('never gives out a version twice, even when the newest object is gone and forgotten', async () => {
    let store = open({ historyLimit: 10 });
    for (let i = 0; i < 50; i++) await put(store, 'a');
    await remove(store, 'a');
    const before = store.latestVersion;
    await store.close();
    store = open({ historyLimit: 0 });
    expect(store.latestVersion).toBe(before);
    await store.close();
  });

  it('lists in order of namespace and name, by ranges', async () => {
    const store = open();
    for (const [namespace, name] of [
      ['b', 'x'],
      ['a', 'z'],
      ['a', 'y'],
      ['c', 'w'],
    ])
      await put(store, name ?? '', 'v', namespace);
    expect(store.list('things').map(({ namespace, name }) => `${namespace}/${name}`)).toEqual([
      'a/y',
      'a/z',
      'b/x',
      'c/w',
    ]);
    expect(names(store.list('things', { namespace: 'a' }))).toEqual(['y', 'z']);
    expect(names(store.list('things', { limit: 2 }))).toEqual(['y', 'z']);
    expect(names(store.list('things', { after: { namespace: 'a', name: 'y' }, limit: 2 }))).toEqual([
      'z',
      'x',
    ]);
    expect(store.count('things')).toBe(4);
    expect(store.count('things', { namespace: 'a' })).toBe(2);
    expect(store.count('things', { after: { namespace: 'a', name: 'y' } })).toBe(3);
    await store.close();
  });

  it('undoes a work that fails, and keeps the others of its transaction', async () => {
    const published: number[] = [];
    const store = open({ onCommit: (changes) => published.push(...changes.map(({ version }) => version)) });
    const results = await Promise.allSettled([
      put(store, 'a'),
      store.submit((unit) => {
        unit.put('things', 'ns', 'b', () => 'b');
        unit.put('things', 'ns', 'c', () => 'c');
        throw new RangeError('no');
      }),
      put(store, 'd'),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(store.list('things').map(({ json }) => json)).toEqual(['a@1', 'd@2']);
    expect(published).toEqual([1, 2]);
    await store.close();
  });

  it('shows a work its own writes', async () => {
    const store = open();
    const seen = await store.submit((unit) => {
      unit.put('things', 'ns', 'a', () => 'first');
      const before = unit.get('things', 'ns', 'a')?.json;
      unit.remove('things', 'ns', 'a', () => 'gone');
      return [before, unit.get('things', 'ns', 'a'), unit.hasObjectsIn('ns'), unit.resourcesIn('ns')];
    });
    expect(seen).toEqual(['first', undefined, false, []]);
    await store.close();
  });

  it('tells of changes before it acknowledges them', async () => {
    const order: string[] = [];
    const store = open({ onCommit: () => order.push('told') });
    await put(store, 'a').then(() => order.push('acknowledged'));
    expect(order).toEqual(['told', 'acknowledged']);
    await store.close();
  });

  it('refuses works after its end, and finishes those before', async () => {
    const store = open();
    const late = put(store, 'a');
    await store.close();
    expect((await late).version).toBe(1);
    await expect(put(store, 'b')).rejects.toThrow(DatabaseError);
    const again = open();
    expect(names(again.list('things'))).toEqual(['a']);
    await again.close();
  });
});

describe('the history', () => {
  it('tells what happened after a version', async () => {
    const store = open();
    await put(store, 'a', 'one');
    await put(store, 'b');
    await put(store, 'a', 'two');
    await remove(store, 'a');
    await put(store, 'a', 'three');
    const told = store
      .changesAfter(1, 'things')
      .map(({ version, json, previous, removed }) => ({ version, json, previous, removed }));
    expect(told).toEqual([
      { version: 2, json: 'b@2', previous: undefined, removed: false },
      { version: 3, json: 'two@3', previous: 'one@1', removed: false },
      { version: 4, json: 'gone@4', previous: 'two@3', removed: true },
      { version: 5, json: 'three@5', previous: undefined, removed: false },
    ]);
    expect(store.changesAfter(0, 'others')).toEqual([]);
    await store.close();
  });

  it('is bounded, and keeps every object and every answer it promises', async () => {
    const store = open({ historyLimit: 20 });
    await put(store, 'old');
    for (let i = 0; i < 200; i++) await put(store, 'busy', String(i));
    await remove(store, 'busy');
    expect(store.oldestVersion).toBeGreaterThanOrEqual(store.latestVersion - 23);
    expect(store.oldestVersion).toBeLessThanOrEqual(store.latestVersion - 20);
    expect(names(store.list('things'))).toEqual(['old']);
    const changes = store.changesAfter(store.oldestVersion, 'things');
    expect(changes).toHaveLength(store.latestVersion - store.oldestVersion);
    expect(changes.every(({ previous }) => previous !== undefined)).toBe(true);
    const { oldestVersion } = store;
    await store.close();
    const again = open({ historyLimit: 20 });
    expect(again.oldestVersion).toBe(oldestVersion);
    await again.close();
  });
});

type Step = { readonly name: string; readonly kind: 'put' | 'remove' };

describe('any sequence of writes', () => {
  const step: fc.Arbitrary<Step> = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    kind: fc.constantFrom('put' as const, 'remove' as const),
  });

  it('can be read back as of every version, and replayed from every version', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const store = new SqliteStore({ path: ':memory:' });
        const states: Map<string, string>[] = [new Map()];
        for (const { name, kind } of steps) {
          const now = new Map(states.at(-1));
          if (kind === 'remove' && !now.has(name)) continue;
          if (kind === 'put') now.set(name, (await put(store, name)).json);
          else {
            await remove(store, name);
            now.delete(name);
          }
          states.push(now);
        }
        for (const [version, state] of states.entries()) {
          const listed = store.list('things', { version });
          expect(new Map(listed.map(({ name, json }) => [name, json]))).toEqual(state);
          expect(replay(state, store.changesAfter(version, 'things'))).toEqual(states.at(-1));
        }
        await store.close();
      }),
      runs(15, 300),
    );
  });

  function replay(state: ReadonlyMap<string, string>, changes: readonly StoredChange[]): Map<string, string> {
    const result = new Map(state);
    for (const { name, json, previous, removed } of changes) {
      expect(result.get(name)).toBe(previous);
      if (removed) result.delete(name);
      else result.set(name, json);
    }
    return result;
  }
});

describe('a file that cannot be used', () => {
  it('is named, with what to do', () => {
    expect(() => open({ path: join(folder, 'missing\0name') })).toThrow(DatabaseError);
    const path = folder;
    expect(() => open({ path })).toThrow(`cannot open database ${folder}`);
  });

  it('is refused while another store holds it', async () => {
    const store = open();
    expect(() => open()).toThrow('another process uses it');
    await store.close();
    await open().close();
  });
});
