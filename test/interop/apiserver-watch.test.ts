/** The embedded API server's lists and watches, seen with plain HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiWorld, configMap, pod, summary, WatchReader } from './apiserver-world.ts';

let world: ApiWorld;
beforeAll(async () => {
  world = await ApiWorld.open({ historyLimit: 200 });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps';
const PODS = '/api/v1/namespaces/default/pods';
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases';
const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' };
const create = (path: string, object: object) => world.create(path, object);
const namespace = (name: string) => world.namespace(name);

describe('lists', () => {
  it('page through one snapshot, whatever is written meanwhile', async () => {
    const ns = await namespace('paging');
    for (const name of ['a', 'b', 'c', 'd', 'e']) await create(`${ns}/configmaps`, configMap(name));
    const first = (await world.get(`${ns}/configmaps?limit=2`)).body;
    expect(first.items.map((item) => item.metadata.name)).toEqual(['a', 'b']);
    expect(first.metadata['remainingItemCount']).toBe(3);
    await create(`${ns}/configmaps`, configMap('bb'));
    await world.delete(`${ns}/configmaps/d`);
    await world.patch(`${ns}/configmaps/e`, 'merge', { data: { key: 'later' } });
    const token = encodeURIComponent(String(first.metadata['continue']));
    const rest = (await world.get(`${ns}/configmaps?limit=5&continue=${token}`)).body;
    expect(rest.items.map((item) => item.metadata.name)).toEqual(['c', 'd', 'e']);
    expect(rest.items[2]).toMatchObject({ data: { key: 'value' } });
    expect(rest.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    expect(rest.metadata['continue']).toBeUndefined();
    expect((await world.get(`${ns}/configmaps?limit=1&continue=nonsense`)).code).toBe(400);
  });

  it('page through what a selector selects', async () => {
    const ns = await namespace('selected-paging');
    for (const [name, color] of [
      ['a', 'red'],
      ['b', 'blue'],
      ['c', 'red'],
      ['d', 'red'],
    ]) {
      await create(`${ns}/configmaps`, configMap(name ?? '', { labels: { color } }));
    }
    const first = (await world.get(`${ns}/configmaps?limit=2&labelSelector=color%3Dred`)).body;
    expect(first.items.map((item) => item.metadata.name)).toEqual(['a', 'c']);
    const token = encodeURIComponent(String(first.metadata['continue']));
    const rest = (await world.get(`${ns}/configmaps?limit=2&labelSelector=color%3Dred&continue=${token}`))
      .body;
    expect(rest.items.map((item) => item.metadata.name)).toEqual(['d']);
  });

  it('answer 410 for a token whose snapshot is compacted, and 504 for the future', async () => {
    await create(CONFIG_MAPS, configMap('first'));
    await create(CONFIG_MAPS, configMap('filler'));
    const first = (await world.get(`${CONFIG_MAPS}?limit=1`)).body;
    for (let i = 0; i < 450; i += 50) {
      const writes = Array.from({ length: 50 }, (_, j) =>
        world.patch(`${CONFIG_MAPS}/filler`, 'merge', { data: { i: `${i + j}` } }),
      );
      await Promise.all(writes);
    }
    const token = encodeURIComponent(String(first.metadata['continue']));
    expect((await world.get(`${CONFIG_MAPS}?limit=1&continue=${token}`)).body).toMatchObject({
      code: 410,
      reason: 'Expired',
    });
    expect((await world.get(`${CONFIG_MAPS}?resourceVersion=9007199254740000`)).code).toBe(400);
    expect((await world.get(`${CONFIG_MAPS}?resourceVersion=900719925474000`)).code).toBe(504);
    expect(
      (
        await world.get(
          `${CONFIG_MAPS}?resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`,
        )
      ).code,
    ).toBe(410);
  });

  it('come as Tables and as metadata alone', async () => {
    await create(PODS, pod('shown'));
    const table = (await world.get(PODS, TABLE)).body as unknown as {
      kind: string;
      columnDefinitions: { name: string; priority: number }[];
      rows: { cells: unknown[]; object: { kind: string } }[];
    };
    expect(table.kind).toBe('Table');
    expect(table.columnDefinitions.filter(({ priority }) => priority === 0).map(({ name }) => name)).toEqual([
      'Name',
      'Ready',
      'Status',
      'Restarts',
      'Age',
    ]);
    expect(table.rows[0]?.object.kind).toBe('PartialObjectMetadata');
    const whole = (await world.get(`${PODS}?includeObject=Object`, TABLE)).body as unknown as {
      rows: { object: { kind: string } }[];
    };
    expect(whole.rows[0]?.object.kind).toBe('Pod');
    const none = (await world.get(`${PODS}?includeObject=None`, TABLE)).body as unknown as { rows: object[] };
    expect(none.rows[0]).not.toHaveProperty('object');
    const partial = await world.get(PODS, {
      accept: 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
    });
    expect(partial.body.kind).toBe('PartialObjectMetadataList');
    expect(partial.body.items[0]).not.toHaveProperty('spec');
  });

  it('select by labels and fields, across namespaces too', async () => {
    const ns = await namespace('selecting');
    await create(`${ns}/pods`, pod('one', { app: 'x' }));
    await create(PODS, pod('two', { app: 'x' }));
    const names = async (query: string) =>
      (await world.get(`/api/v1/pods?${query}`)).body.items.map((item) => item.metadata.name);
    expect(await names('labelSelector=app%3Dx')).toEqual(['two', 'one']);
    expect(await names('labelSelector=app%3Dx&fieldSelector=metadata.namespace%3Dselecting')).toEqual([
      'one',
    ]);
    expect((await world.get('/api/v1/pods?labelSelector=a%20b')).body).toMatchObject({
      code: 400,
      reason: 'BadRequest',
    });
    expect((await world.get('/api/v1/pods?limit=x')).code).toBe(400);
  });

  it('are deleted as collections', async () => {
    const ns = await namespace('collection');
    await create(`${ns}/configmaps`, configMap('a', { labels: { x: 'y' } }));
    await create(`${ns}/configmaps`, configMap('b'));
    expect(
      (await world.delete(`${ns}/configmaps?labelSelector=x`)).body.items.map((item) => item.metadata.name),
    ).toEqual(['a']);
    expect((await world.get(`${ns}/configmaps`)).body.items.map((item) => item.metadata.name)).toEqual(['b']);
  });
});

describe('watches', () => {
  it('tell of changes after a version, in order', async () => {
    const ns = await namespace('watching');
    const { resourceVersion } = (await world.get(`${ns}/configmaps`)).body.metadata;
    await create(`${ns}/configmaps`, configMap('before'));
    await using watch = new WatchReader(
      `${world.url}${ns}/configmaps?watch=true&resourceVersion=${resourceVersion}`,
    );
    await watch.take(1);
    await world.patch(`${ns}/configmaps/before`, 'merge', { data: { a: 'b' } });
    await create(CONFIG_MAPS, configMap('elsewhere'));
    await world.delete(`${ns}/configmaps/before`);
    const lines = await watch.take(3);
    expect(lines.map(summary)).toEqual(['ADDED before', 'MODIFIED before', 'DELETED before']);
    const versions = lines.map(({ object }) => Number(object.metadata.resourceVersion));
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
    expect(lines[2]?.object['data']).toEqual({ a: 'b', key: 'value' });
  });

  it('start with what is there when no version is named', async () => {
    const ns = await namespace('present');
    await create(`${ns}/configmaps`, configMap('a'));
    await using watch = new WatchReader(`${world.url}${ns}/configmaps?watch=true`);
    expect((await watch.take(1)).map(summary)).toEqual(['ADDED a']);
    await using single = new WatchReader(`${world.url}${ns}/configmaps/a?watch=1`);
    expect((await single.take(1)).map(summary)).toEqual(['ADDED a']);
  });

  it('mark the end of the initial state on request', async () => {
    const ns = await namespace('streaming');
    await create(`${ns}/configmaps`, configMap('a'));
    const query =
      'watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
    await using watch = new WatchReader(`${world.url}${ns}/configmaps?${query}`);
    const [added, bookmark] = await watch.take(2);
    expect(added?.type).toBe('ADDED');
    expect(bookmark).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    });
    expect((await world.get(`${ns}/configmaps?watch=true&sendInitialEvents=true`)).code).toBe(400);
  });

  it('synthesize additions and deletions where a selector begins or ends to match', async () => {
    const ns = await namespace('synthesis');
    await create(`${ns}/configmaps`, configMap('x'));
    const { resourceVersion } = (await world.get(`${ns}/configmaps`)).body.metadata;
    const query = `watch=true&labelSelector=on%3Dyes&resourceVersion=${resourceVersion}`;
    await using live = new WatchReader(`${world.url}${ns}/configmaps?${query}`);
    const label = (on: string | null) =>
      world.patch(`${ns}/configmaps/x`, 'merge', { metadata: { labels: { on } } });
    await label('yes');
    await world.patch(`${ns}/configmaps/x`, 'merge', { data: { n: '1' } });
    const off = await label('no');
    await world.patch(`${ns}/configmaps/x`, 'merge', { data: { n: '2' } });
    await label('yes');
    await world.delete(`${ns}/configmaps/x`);
    const expected = ['ADDED x', 'MODIFIED x', 'DELETED x', 'ADDED x', 'DELETED x'];
    const lines = await live.take(5);
    expect(lines.map(summary)).toEqual(expected);
    // the deletion shows the last state that matched, at the version of the change
    expect(lines[2]?.object.metadata).toMatchObject({
      labels: { on: 'yes' },
      resourceVersion: off.body.metadata.resourceVersion,
    });
    await using late = new WatchReader(`${world.url}${ns}/configmaps?${query}`);
    expect(await late.take(5)).toEqual(lines);
  });

  it('come as Tables', async () => {
    const ns = await namespace('table-watch');
    await using watch = new WatchReader(`${world.url}${ns}/pods?watch=true`, TABLE);
    await create(`${ns}/pods`, pod('t'));
    const [line] = await watch.take(1);
    expect(line).toMatchObject({
      type: 'ADDED',
      object: {
        kind: 'Table',
        rows: [
          {
            cells: [
              't',
              '0/1',
              'Pending',
              '0',
              expect.any(String) as string,
              '<none>',
              '<none>',
              '<none>',
              '<none>',
            ],
          },
        ],
      },
    });
  });

  it('end with 410 when their version is too old, or from another database', async () => {
    await using old = new WatchReader(`${world.url}${CONFIG_MAPS}?watch=true&resourceVersion=1`);
    expect((await old.take(1))[0]).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired' },
    });
    await old.ended();
    await using future = new WatchReader(
      `${world.url}${CONFIG_MAPS}?watch=true&resourceVersion=900719925474000`,
    );
    expect((await future.take(1))[0]).toMatchObject({ type: 'ERROR', object: { code: 410 } });
  });

  it('end by themselves after their timeout, with a last bookmark', async () => {
    await using watch = new WatchReader(
      `${world.url}${LEASES}?watch=true&timeoutSeconds=1&allowWatchBookmarks=true&resourceVersion=${(await world.get(LEASES)).body.metadata.resourceVersion}`,
    );
    await watch.ended();
    expect(watch.lines.map(({ type }) => type)).toEqual(['BOOKMARK']);
  });
});

describe('namespaces', () => {
  it('take their contents along, and wait for finalizers', async () => {
    const ns = await namespace('doomed');
    await create(`${ns}/configmaps`, configMap('plain'));
    await create(`${ns}/configmaps`, configMap('held', { finalizers: ['example.com/hold'] }));
    await using watch = new WatchReader(
      `${world.url}/api/v1/namespaces?watch=true&fieldSelector=metadata.name%3Ddoomed`,
    );
    const gone = await world.delete(ns);
    expect(gone.body['status']).toEqual({ phase: 'Terminating' });
    expect((await world.get(`${ns}/configmaps/plain`)).code).toBe(404);
    expect((await world.post(`${ns}/configmaps`, configMap('late'))).body).toMatchObject({
      code: 403,
      details: { causes: [{ reason: 'NamespaceTerminating' }] },
    });
    const added = await world.patch(`${ns}/configmaps/held`, 'merge', {
      metadata: { finalizers: ['example.com/hold', 'example.com/more'] },
    });
    expect(added.body.message).toContain('no new finalizers can be added');
    await world.patch(`${ns}/configmaps/held`, 'merge', { metadata: { finalizers: null } });
    expect((await world.get(ns)).code).toBe(404);
    expect((await watch.take(3)).map(({ type }) => type)).toEqual(['ADDED', 'MODIFIED', 'DELETED']);
  });
});
