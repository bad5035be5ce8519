/** The embedded API server's discovery and its writing verbs, seen with plain HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiWorld, configMap, pod } from './apiserver-world.ts';

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
const create = (path: string, object: object) => world.create(path, object);

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
