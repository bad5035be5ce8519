/** The embedded API server's protocol, seen with plain HTTP: reading, writing, paging, watching and refusing. */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiWorld, summary, WatchReader } from './apiserver-world.ts';

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

const configMap = (name: string, extra: object = {}) => ({
  metadata: { name, ...extra },
  data: { key: 'value' },
});
const pod = (name: string, labels: Record<string, string> = {}) => ({
  metadata: { name, labels },
  spec: { containers: [{ name: 'c', image: 'web:1' }] },
});

async function create(path: string, object: object): Promise<string> {
  const { code, body } = await world.post(path, object);
  expect(code, body.message).toBe(201);
  return body.metadata.resourceVersion;
}

async function namespace(name: string): Promise<string> {
  await create('/api/v1/namespaces', { metadata: { name } });
  return `/api/v1/namespaces/${name}`;
}

describe('discovery', () => {
  it('lists groups, versions and resources in both forms', async () => {
    expect((await world.get('/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] });
    const groups = (await world.get('/apis')).body as unknown as { groups: { name: string }[] };
    expect(groups.groups.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['coordination.k8s.io', 'apiextensions.k8s.io']),
    );
    const list = (await world.get('/api/v1')).body as unknown as { resources: { name: string }[] };
    expect(list.resources.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['pods', 'pods/status', 'nodes']),
    );
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
    const aggregated = await world.get('/apis', { accept });
    expect(aggregated.headers.get('content-type')).toBe(
      'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
    );
    expect(aggregated.body.items.map((item) => item.metadata.name)).toContain('coordination.k8s.io');
    expect((await world.get('/apis/nothing.example.com')).code).toBe(404);
    expect((await world.get('/apis/coordination.k8s.io/v9')).code).toBe(404);
  });

  it('serves OpenAPI documents whose references all resolve', async () => {
    const index = (await world.get('/openapi/v3')).body as unknown as {
      paths: Record<string, { serverRelativeURL: string }>;
    };
    for (const { serverRelativeURL } of Object.values(index.paths)) {
      const document = (await world.get(serverRelativeURL)).body as unknown as {
        components: { schemas: Record<string, unknown> };
      };
      const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
      for (const [, name = ''] of references)
        expect(Object.keys(document.components.schemas)).toContain(name);
    }
    expect((await world.get('/openapi/v2')).body).toMatchObject({ swagger: '2.0' });
  });

  it('says how it is', async () => {
    for (const path of ['/healthz', '/livez', '/readyz'])
      expect((await world.get(path)).body.message).toBe('ok');
    expect((await world.get('/version')).body).toMatchObject({ major: '1' });
  });
});

describe('objects', () => {
  it('get identity from the server, and keep it', async () => {
    const created = (
      await world.post(
        CONFIG_MAPS,
        configMap('identity', { uid: 'mine', generation: 7, selfLink: 'x', managedFields: [{}] }),
      )
    ).body;
    expect(created.metadata).toMatchObject({
      name: 'identity',
      namespace: 'default',
      creationTimestamp: expect.stringMatching(/Z$/) as string,
    });
    expect(created.metadata['uid']).toMatch(/^[0-9a-f-]{36}$/);
    expect(Object.keys(created.metadata)).toEqual([
      'name',
      'namespace',
      'uid',
      'resourceVersion',
      'creationTimestamp',
    ]);
    const replaced = await world.put(`${CONFIG_MAPS}/identity`, {
      ...created,
      metadata: { ...created.metadata, creationTimestamp: '2001-01-01T00:00:00Z' },
      data: { a: 'b' },
    });
    expect(replaced.body.metadata).toMatchObject({
      uid: created.metadata['uid'],
      creationTimestamp: created.metadata['creationTimestamp'],
    });
    expect(Number(replaced.body.metadata.resourceVersion)).toBeGreaterThan(
      Number(created.metadata.resourceVersion),
    );
  });

  it('are refused when they are there already, or their namespace is not', async () => {
    await create(CONFIG_MAPS, configMap('twice'));
    expect((await world.post(CONFIG_MAPS, configMap('twice'))).body).toMatchObject({
      code: 409,
      reason: 'AlreadyExists',
      message: 'configmaps "twice" already exists',
    });
    expect((await world.post('/api/v1/namespaces/nowhere/configmaps', configMap('x'))).body).toMatchObject({
      code: 404,
      message: 'namespaces "nowhere" not found',
    });
  });

  it('get generated names', async () => {
    const { body } = await world.post(CONFIG_MAPS, { metadata: { generateName: 'made-' } });
    expect(body.metadata.name).toMatch(/^made-[a-z0-9]{5}$/);
  });

  it('are written as YAML too', async () => {
    const text = 'metadata:\n  name: yaml\ndata: {a: b}\n';
    expect((await world.post(CONFIG_MAPS, text, 'application/yaml')).body).toMatchObject({
      data: { a: 'b' },
    });
    expect((await world.post(CONFIG_MAPS, 'a: [', 'application/yaml')).code).toBe(400);
  });

  it('are replaced only by who knows their version', async () => {
    const version = await create(CONFIG_MAPS, configMap('race'));
    const update = { metadata: { name: 'race', resourceVersion: version }, data: { by: 'first' } };
    expect((await world.put(`${CONFIG_MAPS}/race`, update)).code).toBe(200);
    const refused = await world.put(`${CONFIG_MAPS}/race`, { ...update, data: { by: 'second' } });
    expect(refused.body).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message:
        'Operation cannot be fulfilled on configmaps "race": the object has been modified; please apply your changes to the latest version and try again',
    });
    expect(
      (await world.put(`${CONFIG_MAPS}/race`, { metadata: { name: 'race' }, data: { by: 'blind' } })).code,
    ).toBe(200);
    const lease = { metadata: { name: 'l' }, spec: { holderIdentity: 'a' } };
    await create(LEASES, lease);
    expect((await world.put(`${LEASES}/l`, lease)).body).toMatchObject({
      code: 422,
      details: { causes: [{ field: 'metadata.resourceVersion' }] },
    });
    const merge = { metadata: { resourceVersion: version }, data: { by: 'third' } };
    expect((await world.patch(`${CONFIG_MAPS}/race`, 'merge', merge)).code).toBe(409);
  });

  it('keep their version when a write changes nothing', async () => {
    const version = await create(CONFIG_MAPS, configMap('same'));
    const { body } = await world.patch(`${CONFIG_MAPS}/same`, 'merge', { data: { key: 'value' } });
    expect(body.metadata.resourceVersion).toBe(version);
  });

  it('count generations of their spec alone', async () => {
    await create(PODS, pod('counted'));
    const status = await world.patch(`${PODS}/counted/status`, 'merge', { status: { phase: 'Running' } });
    expect(status.body.metadata['generation']).toBe(1);
    const labelled = await world.patch(`${PODS}/counted`, 'merge', { metadata: { labels: { a: 'b' } } });
    expect(labelled.body.metadata['generation']).toBe(1);
    const changed = await world.patch(`${PODS}/counted`, 'strategic', {
      spec: { containers: [{ name: 'c', image: 'web:2' }] },
    });
    expect(changed.body.metadata['generation']).toBe(2);
  });

  it('keep spec and status apart', async () => {
    await create(PODS, { ...pod('split'), status: { phase: 'Running' } });
    expect((await world.get(`${PODS}/split`)).body['status']).toEqual({ phase: 'Pending' });
    const main = await world.patch(`${PODS}/split`, 'merge', { status: { phase: 'Failed' } });
    expect(main.body['status']).toEqual({ phase: 'Pending' });
    const status = await world.patch(`${PODS}/split/status`, 'merge', {
      spec: { nodeName: 'n' },
      status: { phase: 'Running' },
    });
    expect(status.body['status']).toEqual({ phase: 'Running' });
    expect((status.body['spec'] as { nodeName?: string }).nodeName).toBeUndefined();
    expect((await world.get(`${CONFIG_MAPS}/same/status`)).code).toBe(404);
    // as flannel does: annotations of a node through its status
    await create('/api/v1/nodes', { metadata: { name: 'split' }, status: { phase: 'Running' } });
    const node = await world.patch('/api/v1/nodes/split/status', 'strategic', {
      metadata: { annotations: { 'a/b': 'c' } },
    });
    expect(node.body.metadata['annotations']).toEqual({ 'a/b': 'c' });
  });

  it('are not written by a dry run', async () => {
    const before = (await world.get(CONFIG_MAPS)).body.metadata.resourceVersion;
    expect((await world.post(`${CONFIG_MAPS}?dryRun=All`, configMap('dry'))).code).toBe(201);
    expect(
      (await world.patch(`${CONFIG_MAPS}/same?dryRun=All`, 'merge', { data: { x: 'y' } })).body['data'],
    ).toEqual({ key: 'value', x: 'y' });
    expect((await world.delete(`${CONFIG_MAPS}/same?dryRun=All`)).code).toBe(200);
    expect((await world.delete(`${CONFIG_MAPS}/same`, { dryRun: ['All'] })).code).toBe(200);
    expect((await world.get(CONFIG_MAPS)).body.metadata.resourceVersion).toBe(before);
    expect((await world.post(`${CONFIG_MAPS}?dryRun=Some`, configMap('dry'))).code).toBe(400);
  });

  it('are deleted under preconditions', async () => {
    const version = await create(CONFIG_MAPS, configMap('guarded'));
    const path = `${CONFIG_MAPS}/guarded`;
    expect((await world.delete(path, { preconditions: { uid: 'other' } })).code).toBe(409);
    expect((await world.delete(path, { preconditions: { resourceVersion: '1' } })).code).toBe(409);
    expect((await world.delete(`${path}?propagationPolicy=Sideways`)).code).toBe(400);
    const done = await world.delete(path, {
      preconditions: { resourceVersion: version },
      propagationPolicy: 'Foreground',
    });
    expect(done.body).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'guarded', kind: 'configmaps' },
    });
    expect((await world.delete(path)).code).toBe(404);
  });
});

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
    const first = (await world.get(`${CONFIG_MAPS}?limit=1`)).body;
    await create(CONFIG_MAPS, configMap('filler'));
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

describe('requests that make no sense', () => {
  it.each<[string, string, string, object, number, string]>([
    ['an unknown resource', 'GET', '/api/v1/gizmos', {}, 404, 'could not find the requested resource'],
    ['an unknown path', 'GET', '/nothing', {}, 404, 'could not find the requested resource'],
    ['malformed JSON', 'POST', CONFIG_MAPS, { body: '{"a":' }, 400, 'not valid JSON'],
    ['bytes that are no UTF-8 text', 'POST', CONFIG_MAPS, { body: '\u{fffd}' }, 400, 'not valid JSON'],
    [
      'an unknown media type',
      'POST',
      CONFIG_MAPS,
      { body: 'x', type: 'text/plain' },
      415,
      'application/json, application/yaml',
    ],
    [
      'an unknown patch type',
      'PATCH',
      `${CONFIG_MAPS}/x`,
      { body: '{}', type: 'application/json' },
      415,
      'application/merge-patch+json',
    ],
    [
      'server-side apply',
      'PATCH',
      `${CONFIG_MAPS}/x`,
      { body: '{}', type: 'application/apply-patch+yaml' },
      415,
      '--server-side=false',
    ],
    [
      'the wrong kind',
      'POST',
      CONFIG_MAPS,
      { body: { kind: 'Pod', metadata: { name: 'x' } } },
      400,
      'does not match the expected kind',
    ],
    [
      'the wrong version',
      'POST',
      CONFIG_MAPS,
      { body: { apiVersion: 'v2', metadata: { name: 'x' } } },
      400,
      'does not match the expected API version',
    ],
    [
      'another namespace',
      'POST',
      CONFIG_MAPS,
      { body: { metadata: { name: 'x', namespace: 'other' } } },
      400,
      'does not match the namespace',
    ],
    ['no name', 'POST', CONFIG_MAPS, { body: {} }, 422, 'name or generateName is required'],
    ['a bad name', 'POST', CONFIG_MAPS, { body: { metadata: { name: 'A_b' } } }, 422, 'RFC 1123'],
    [
      'a bad label',
      'POST',
      CONFIG_MAPS,
      { body: { metadata: { name: 'x', labels: { a: '-' } } } },
      422,
      'metadata.labels',
    ],
    [
      'another name than the URL',
      'PUT',
      `${CONFIG_MAPS}/same`,
      { body: { metadata: { name: 'other' } } },
      400,
      'does not match the name on the URL',
    ],
    ['a name to create under', 'POST', `${CONFIG_MAPS}/x`, { body: {} }, 405, 'create is not supported'],
    ['a creation without namespace', 'POST', '/api/v1/pods', { body: pod('x') }, 400, 'an empty namespace'],
    ['a body that is no object', 'POST', CONFIG_MAPS, { body: '[]' }, 400, 'must be a ConfigMap object'],
    [
      'a prototype',
      'POST',
      CONFIG_MAPS,
      { body: '{"__proto__":{},"metadata":{"name":"x"}}' },
      400,
      '__proto__',
    ],
    [
      'a wrong type',
      'POST',
      CONFIG_MAPS,
      { body: { metadata: { name: 'x' }, data: { a: 1 } } },
      422,
      'data.a in body must be of type string',
    ],
    [
      'a form nobody makes',
      'GET',
      CONFIG_MAPS,
      { headers: { accept: 'text/html' } },
      406,
      'application/json',
    ],
    [
      'strict validation of a typo',
      'POST',
      `${CONFIG_MAPS}?fieldValidation=Strict`,
      { body: { metadata: { name: 'x' }, daat: {} } },
      400,
      'strict decoding error: unknown field "daat"',
    ],
  ])('are refused: %s', async (_, method, path, init, code, message) => {
    const { body } = await world.call(method, path, init);
    expect(body).toMatchObject({ kind: 'Status', status: 'Failure', code });
    expect(body.message).toContain(message);
  });

  it('are refused when nested too deeply or too large', async () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    expect((await world.post(CONFIG_MAPS, deep)).code).toBe(400);
    const large = JSON.stringify({ metadata: { name: 'x' }, data: { a: 'x'.repeat(3 * 1024 * 1024) } });
    expect((await world.post(CONFIG_MAPS, large)).body).toMatchObject({
      code: 413,
      reason: 'RequestEntityTooLarge',
    });
    expect(await sendChunked(large)).toBe(413);
  });

  it('warn of unknown fields unless told not to', async () => {
    const typo = { metadata: { name: 'typo' }, daat: {} };
    const warned = await world.post(CONFIG_MAPS, typo);
    expect(warned.headers.get('warning')).toBe('299 - "unknown field \\"daat\\""');
    expect(warned.body).not.toHaveProperty('daat');
    const silent = await world.post(`${CONFIG_MAPS}?fieldValidation=Ignore`, {
      ...typo,
      metadata: { name: 'typo2' },
    });
    expect(silent.headers.get('warning')).toBeNull();
  });
});

/** A body of unknown length, as HTTP/1.1 sends it in chunks. */
function sendChunked(text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(world.url);
    const call = request(
      {
        hostname,
        port,
        path: CONFIG_MAPS,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    call.on('error', reject);
    call.end(text);
  });
}
