import { describe, expect, it } from 'vitest';
import { RESOURCES, StoreError } from '#core/store/index.ts';
import { describeObjectStore, startFollow } from '../object-store-contract.ts';
import { settle } from '../sim-clock.ts';
import { FakeStore } from './fake-store.ts';

const { nodes } = RESOURCES;
const node = (name: string) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name } });

describeObjectStore('the fake store', async () => {
  const store = new FakeStore();
  return {
    store,
    compact: () => store.compact(),
    outage: (state) => store.outage(state),
    [Symbol.asyncDispose]: async () => store.endWatches(),
  };
});

describe('the fake store', () => {
  it('hands out copies, so that changing one changes nothing stored', async () => {
    const store = new FakeStore();
    const created = await store.create(nodes, node('n'));
    created.metadata.name = 'changed';
    (await store.list(nodes)).items[0]!.metadata.name = 'changed too';
    expect((await store.get(nodes, 'n')).metadata.name).toBe('n');
  });

  it('fails calls on command and records all that came', async () => {
    const store = new FakeStore();
    store.failNext(new StoreError(500, 'InternalError', 'as told'));
    await expect(store.create(nodes, node('n'))).rejects.toThrow('as told');
    await store.create(nodes, node('n'));
    expect(store.calls).toEqual([
      { verb: 'create', plural: 'nodes', name: 'n' },
      { verb: 'create', plural: 'nodes', name: 'n' },
    ]);
  });

  it('lists again for a follower whose version has expired', async () => {
    const store = new FakeStore();
    const following = startFollow(store, nodes);
    await settle();
    store.endWatches(new StoreError(410, 'Expired', 'too old'));
    await store.create(nodes, node('n'));
    await settle();
    expect(following.log).toEqual(['sync', 'sync n']);
    await following.stop();
  });

  it('leaves no watch behind when its reader goes', async () => {
    const store = new FakeStore();
    const following = startFollow(store, nodes);
    await settle();
    expect(store.openWatches).toBe(1);
    await following.stop();
    expect(store.openWatches).toBe(0);
  });
});
