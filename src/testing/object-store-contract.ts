/**
 * What every ObjectStore must do, as tests: run on the fake and on the client of a real server alike. Call it inside a
 * test file; each test gets a store of its own from the harness.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type Follower,
  isAlreadyExists,
  isConflict,
  isGone,
  isNotFound,
  type KubeObject,
  type ListOptions,
  type ObjectStore,
  RESOURCES,
  type ResourcePath,
  StoreError,
  type WatchEvent,
} from '#core/store/index.ts';
import { rejectionOf } from './thrown.ts';

/** A store under test, and what can be done to the server behind it. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: ObjectStore;
  /** Forgets the history of changes so far. */
  compact?(): Promise<void> | void;
  /** Makes the server unreachable, and reachable again. Objects stay. */
  outage?(state: 'down' | 'up'): Promise<void> | void;
  /** Another client, which writes while `store` is cut off. The store itself if absent. */
  readonly other?: ObjectStore;
}

const { configMaps, nodes, pods, namespaces, leases } = RESOURCES;
const inDefault = { namespace: 'default' };

/** Registers the suite under `name`; `open` makes an empty store, in which namespaces must exist before they are used. */
export function describeObjectStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps the object store contract`, () => {
    const context: Context = { open };
    beforeEach(async () => {
      context.opened = await open();
      for (const namespace of ['default', 'other']) await createNamespace(context.opened.store, namespace);
    });
    afterEach(async () => {
      await context.opened?.[Symbol.asyncDispose]();
      delete context.opened;
    });
    describeObjects(context);
    describeLists(context);
    describeWrites(context);
    describePatches(context);
    describeWatches(context);
    describeFollowing(context);
  });
}

interface Context {
  readonly open: () => Promise<StoreUnderTest>;
  opened?: StoreUnderTest;
}

function under(context: Context): StoreUnderTest {
  if (context.opened === undefined) throw new Error('no store is open');
  return context.opened;
}

function describeObjects(context: Context): void {
  it('gives a new object uid, version and creation time, and returns the same object afterwards', async () => {
    const { store } = under(context);
    const created = await store.create(configMaps, configMap('first', { text: 'fd00::1 – ünïcode' }));
    expect(created).toMatchObject({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      data: { text: 'fd00::1 – ünïcode' },
    });
    expect(created.metadata).toMatchObject({ name: 'first', namespace: 'default' });
    expect(created.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(created.metadata.resourceVersion).toMatch(/^\d+$/);
    expect(created.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(await store.get(configMaps, 'first', inDefault)).toEqual(created);
  });

  it('keeps objects of one name in different namespaces and resources apart', async () => {
    const { store } = under(context);
    await store.create(configMaps, configMap('same', { in: 'default' }));
    await store.create(configMaps, configMap('same', { in: 'other' }, 'other'));
    await store.create(nodes, node('same'));
    await store.create(leases, object('coordination.k8s.io/v1', 'Lease', 'same', 'default', { spec: {} }));
    await store.delete(configMaps, 'same', inDefault);
    expect(await store.get(configMaps, 'same', { namespace: 'other' })).toMatchObject({
      data: { in: 'other' },
    });
    expect((await store.get(nodes, 'same')).kind).toBe('Node');
    expect((await store.get(leases, 'same', inDefault)).apiVersion).toBe('coordination.k8s.io/v1');
  });

  it('refuses to create an object twice', async () => {
    const { store } = under(context);
    await store.create(nodes, node('twice'));
    const error = await rejectionOf(Error, store.create(nodes, node('twice')));
    expect(isAlreadyExists(error)).toBe(true);
    expect((error as StoreError).code).toBe(409);
  });

  it('says NotFound for what is not there, whatever the call', async () => {
    const { store } = under(context);
    const calls = {
      get: store.get(configMaps, 'none', inDefault),
      replace: store.replace(configMaps, configMap('none', {})),
      patch: store.patch(configMaps, 'none', 'merge', { data: {} }, inDefault),
      delete: store.delete(configMaps, 'none', inDefault),
    };
    for (const [call, result] of Object.entries(calls)) {
      const error = await rejectionOf(Error, result);
      expect(isNotFound(error), `${call}: ${String(error)}`).toBe(true);
      expect((error as StoreError).code).toBe(404);
    }
  });

  it('does nothing on a signal that has aborted', async () => {
    const { store } = under(context);
    const signal = AbortSignal.abort(new Error('not any more'));
    await expect(store.list(nodes, { signal })).rejects.toThrow('not any more');
    await expect(store.create(nodes, node('late'), { signal })).rejects.toThrow('not any more');
    expect(isNotFound(await rejectionOf(Error, store.get(nodes, 'late')))).toBe(true);
  });

  it('demands a namespace where the resource has one', async () => {
    const { store } = under(context);
    await expect(store.get(configMaps, 'x')).rejects.toThrow(/no namespace given/);
    await expect(store.delete(configMaps, 'x')).rejects.toThrow(/no namespace given/);
  });
}

function describeLists(context: Context): void {
  it('lists one namespace or all, each object with its type', async () => {
    const { store } = under(context);
    await store.create(configMaps, configMap('a', {}));
    await store.create(configMaps, configMap('b', {}, 'other'));
    const all = await store.list(configMaps);
    expect(namesOf(all.items)).toEqual(['default/a', 'other/b']);
    expect(all.resourceVersion).toMatch(/^\d+$/);
    for (const item of all.items) expect(item).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    expect(namesOf((await store.list(configMaps, { namespace: 'other' })).items)).toEqual(['other/b']);
    expect((await store.list(leases)).items).toEqual([]);
  });

  it('selects by labels and by fields', async () => {
    const { store } = under(context);
    await store.create(nodes, node('n1', { zone: 'a', gpu: 'yes' }));
    await store.create(nodes, node('n2', { zone: 'b' }));
    await store.create(nodes, node('n3'));
    const byLabel: Record<string, string[]> = {
      'zone=a': ['n1'],
      'zone==b': ['n2'],
      'zone!=a': ['n2', 'n3'],
      'zone in (a,b)': ['n1', 'n2'],
      'zone notin (a)': ['n2', 'n3'],
      zone: ['n1', 'n2'],
      '!zone': ['n3'],
      'zone in (a,b),!gpu': ['n2'],
    };
    for (const [labelSelector, expected] of Object.entries(byLabel))
      expect(namesOf((await store.list(nodes, { labelSelector })).items), labelSelector).toEqual(expected);
    const fieldSelector = 'metadata.name=n2';
    expect(namesOf((await store.list(nodes, { fieldSelector })).items)).toEqual(['n2']);
    expect(await rejectionOf(Error, store.list(nodes, { labelSelector: 'a in b' }))).toMatchObject({
      code: 400,
    });
  });

  it('lists more objects than fit one page', async () => {
    const { store } = under(context);
    const names = Array.from({ length: 1003 }, (_, i) => `node-${String(i).padStart(4, '0')}`);
    for (let i = 0; i < names.length; i += 50)
      await Promise.all(names.slice(i, i + 50).map((each) => store.create(nodes, node(each))));
    const { items } = await store.list(nodes);
    expect(namesOf(items)).toEqual(names);
    expect(items.every((item) => item.kind === 'Node')).toBe(true);
  });
}

function describeWrites(context: Context): void {
  it('replaces an object, and refuses a stale version without changing anything', async () => {
    const { store } = under(context);
    const first = await store.create(configMaps, configMap('c', { n: '1' }));
    const second = await store.replace(configMaps, { ...first, data: { n: '2' } });
    expect(second).toMatchObject({ data: { n: '2' }, metadata: { uid: first.metadata.uid } });
    expect(Number(second.metadata.resourceVersion)).toBeGreaterThan(Number(first.metadata.resourceVersion));
    const error = await rejectionOf(Error, store.replace(configMaps, { ...first, data: { n: '3' } }));
    expect(isConflict(error), String(error)).toBe(true);
    expect(await store.get(configMaps, 'c', inDefault)).toEqual(second);
  });

  it('replaces without a version whatever is there', async () => {
    const { store } = under(context);
    await store.create(configMaps, configMap('c', { n: '1' }));
    await store.replace(configMaps, configMap('c', { n: '2' }));
    expect(await store.get(configMaps, 'c', inDefault)).toMatchObject({ data: { n: '2' } });
  });

  it('gives no new version to a write that changes nothing', async () => {
    const { store } = under(context);
    const first = await store.create(configMaps, configMap('c', { n: '1' }));
    const again = await store.replace(configMaps, configMap('c', { n: '1' }));
    expect(again.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    const patched = await store.patch(configMaps, 'c', 'merge', { data: { n: '1' } }, inDefault);
    expect(patched.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  });

  it('writes status through its subresource alone', async () => {
    const { store } = under(context);
    await store.create(nodes, node('n'));
    const status = { nodeInfo: { machineID: 'x' } };
    await store.patch(nodes, 'n', 'merge', { spec: { podCIDR: '10.0.0.0/24' }, status });
    expect((await store.get(nodes, 'n'))['status'] ?? {}).not.toMatchObject(status);
    const ignored = { spec: { podCIDR: '10.9.9.0/24' }, status };
    await store.patch(nodes, 'n', 'merge', ignored, { subresource: 'status' });
    const both = await store.get(nodes, 'n');
    expect(both).toMatchObject({ spec: { podCIDR: '10.0.0.0/24' }, status });
    await store.replace(
      nodes,
      { ...both, status: { nodeInfo: { machineID: 'y' } } },
      { subresource: 'status' },
    );
    expect(await store.get(nodes, 'n')).toMatchObject({ status: { nodeInfo: { machineID: 'y' } } });
  });

  it('deletes an object, but not one that has changed since the version named', async () => {
    const { store } = under(context);
    const first = await store.create(configMaps, configMap('c', { n: '1' }));
    const second = await store.replace(configMaps, { ...first, data: { n: '2' } });
    const { resourceVersion: stale } = first.metadata;
    const { resourceVersion: fresh } = second.metadata;
    const error = await rejectionOf(
      Error,
      store.delete(configMaps, 'c', { ...inDefault, resourceVersion: stale as string }),
    );
    expect(isConflict(error), String(error)).toBe(true);
    await store.delete(configMaps, 'c', { ...inDefault, resourceVersion: fresh as string });
    expect(isNotFound(await rejectionOf(Error, store.get(configMaps, 'c', inDefault)))).toBe(true);
  });

  it('keeps a deleted object until its last finalizer is gone', async () => {
    const { store } = under(context);
    const held = configMap('held', {});
    held.metadata.finalizers = ['poplin.example/hold'];
    await store.create(configMaps, held);
    await store.delete(configMaps, 'held', inDefault);
    const dying = await store.get(configMaps, 'held', inDefault);
    expect(dying.metadata.deletionTimestamp).toBeTypeOf('string');
    await store.patch(configMaps, 'held', 'merge', { metadata: { finalizers: null } }, inDefault);
    expect(isNotFound(await rejectionOf(Error, store.get(configMaps, 'held', inDefault)))).toBe(true);
  });
}

function describePatches(context: Context): void {
  it('merges a merge patch: null removes, lists are replaced', async () => {
    const { store } = under(context);
    await store.create(nodes, node('n', { keep: '1', drop: '2' }));
    const taint = (key: string) => ({ key, effect: 'NoSchedule' });
    const labels = { drop: null, add: '3' };
    await store.patch(nodes, 'n', 'merge', {
      metadata: { labels },
      spec: { taints: [taint('a'), taint('b')] },
    });
    await store.patch(nodes, 'n', 'merge', { spec: { taints: [taint('b')] } });
    const patched = await store.get(nodes, 'n');
    expect(patched.metadata.labels).toEqual({ keep: '1', add: '3' });
    expect(patched['spec']).toMatchObject({ taints: [taint('b')] });
  });

  it('applies a JSON patch whole or not at all', async () => {
    const { store } = under(context);
    const before = configMap('c', { kept: '1', gone: 'x' });
    before.metadata.annotations = { 'poplin.example/step': '1' };
    const first = await store.create(configMaps, before);
    const step = '/metadata/annotations/poplin.example~1step';
    const operations = [
      { op: 'add', path: '/data/new', value: '2' },
      { op: 'test', path: step, value: '1' },
      { op: 'replace', path: step, value: '2' },
      { op: 'remove', path: '/data/gone' },
      { op: 'add', path: '/metadata/labels', value: { new: 'label' } },
    ];
    const second = await store.patch(configMaps, 'c', 'json', operations, inDefault);
    expect(second['data']).toEqual({ kept: '1', new: '2' });
    expect(second.metadata).toMatchObject({
      labels: { new: 'label' },
      annotations: { 'poplin.example/step': '2' },
    });
    const error = await rejectionOf(Error, store.patch(configMaps, 'c', 'json', operations, inDefault));
    expect(error).toBeInstanceOf(StoreError);
    expect((error as StoreError).code).toBe(422);
    expect(await store.get(configMaps, 'c', inDefault)).toEqual(second);
    expect(second.metadata.uid).toBe(first.metadata.uid);
  });

  it('merges conditions by type in a strategic patch of a status', async () => {
    const { store } = under(context);
    await store.create(nodes, node('n'));
    const condition = (type: string, status: string) => ({ status: { conditions: [{ type, status }] } });
    const options = { subresource: 'status' } as const;
    await store.patch(nodes, 'n', 'strategic', condition('Ready', 'True'), options);
    await store.patch(nodes, 'n', 'strategic', condition('NetworkUnavailable', 'True'), options);
    await store.patch(nodes, 'n', 'strategic', condition('NetworkUnavailable', 'False'), options);
    const { conditions } = (await store.get(nodes, 'n'))['status'] as { conditions: object[] };
    expect(conditions).toHaveLength(2);
    expect(conditions).toContainEqual({ type: 'Ready', status: 'True' });
    expect(conditions).toContainEqual({ type: 'NetworkUnavailable', status: 'False' });
  });

  it('refuses a patch that names a stale version', async () => {
    const { store } = under(context);
    const first = await store.create(nodes, node('n'));
    await store.patch(nodes, 'n', 'merge', { metadata: { labels: { a: '1' } } });
    const { resourceVersion } = first.metadata;
    const late = { metadata: { resourceVersion, labels: { a: '2' } } };
    expect(isConflict(await rejectionOf(Error, store.patch(nodes, 'n', 'merge', late)))).toBe(true);
  });

  it('annotates a node through its status subresource, as flannel does', async () => {
    const { store } = under(context);
    await store.create(nodes, node('n'));
    const patch = { metadata: { annotations: { 'flannel.alpha.coreos.com/public-ip': '192.0.2.1' } } };
    await store.patch(nodes, 'n', 'strategic', patch, { subresource: 'status' });
    expect((await store.get(nodes, 'n')).metadata.annotations).toEqual(patch.metadata.annotations);
  });
}

function describeWatches(context: Context): void {
  it('watches every change after the version named, in order', async () => {
    const { store } = under(context);
    await store.create(nodes, node('before'));
    const { resourceVersion } = await store.list(nodes);
    await store.create(nodes, node('n'));
    using watching = startWatch(store, nodes, { resourceVersion });
    await watching.until(1);
    await store.patch(nodes, 'n', 'merge', { metadata: { labels: { a: '1' } } });
    await store.delete(nodes, 'n');
    await watching.until(3);
    expect(watching.seen()).toEqual(['ADDED n', 'MODIFIED n', 'DELETED n']);
    const versions = watching.versions();
    expect(versions).toEqual([...versions].sort((a, b) => a - b));
    expect(versions[0]).toBeGreaterThan(Number(resourceVersion));
    expect(watching.last()).toMatchObject({ kind: 'Node', metadata: { labels: { a: '1' } } });
  });

  it('shows a watch with selector what enters and leaves its selection', async () => {
    const { store } = under(context);
    const { resourceVersion } = await store.list(pods);
    using watching = startWatch(store, pods, { resourceVersion, labelSelector: 'app=web', ...inDefault });
    await store.create(pods, pod('outside', 'default', { app: 'db' }));
    await store.create(pods, pod('elsewhere', 'other', { app: 'web' }));
    await store.create(pods, pod('p', 'default', { app: 'web' }));
    const label = (app: string) =>
      store.patch(pods, 'p', 'merge', { metadata: { labels: { app } } }, inDefault);
    await label('db');
    await label('web');
    await store.delete(pods, 'p', inDefault);
    await watching.until(4);
    expect(watching.seen()).toEqual(['ADDED p', 'DELETED p', 'ADDED p', 'DELETED p']);
  });

  it('ends a watch with the reason its signal aborts with', async () => {
    const { store } = under(context);
    const { resourceVersion } = await store.list(nodes);
    const watching = startWatch(store, nodes, { resourceVersion });
    await store.create(nodes, node('n'));
    await watching.until(1);
    watching.abort(new Error('enough'));
    await expect(watching.done).rejects.toThrow('enough');
  });

  it('refuses a watch from a version whose history is gone', async ({ skip }) => {
    const { store, compact } = under(context);
    if (compact === undefined) skip('this server cannot be told to forget its history');
    const { resourceVersion } = await store.list(nodes);
    await store.create(nodes, node('n'));
    await compact?.();
    await store.create(nodes, node('m'));
    const watching = startWatch(store, nodes, { resourceVersion });
    expect(isGone(await rejectionOf(Error, watching.done))).toBe(true);
  });
}

function describeFollowing(context: Context): void {
  it('follows: the whole list first, then single changes, until the signal aborts', async () => {
    const { store } = under(context);
    await store.create(nodes, node('a'));
    const following = startFollow(store, nodes);
    await vi.waitFor(() => expect(following.state()).toEqual(['a']));
    await store.create(nodes, node('b'));
    await vi.waitFor(() => expect(following.state()).toEqual(['a', 'b']));
    await store.delete(nodes, 'a');
    await vi.waitFor(() => expect(following.state()).toEqual(['b']));
    expect(following.log.slice(0, 3)).toEqual(['sync a', 'upsert b', 'remove a']);
    await following.stop();
  });

  it('follows what a selector selects', async () => {
    const { store } = under(context);
    await store.create(nodes, node('a', { role: 'x' }));
    await store.create(nodes, node('b', { role: 'y' }));
    const following = startFollow(store, nodes, { labelSelector: 'role=x' });
    await vi.waitFor(() => expect(following.state()).toEqual(['a']));
    await store.patch(nodes, 'b', 'merge', { metadata: { labels: { role: 'x' } } });
    await vi.waitFor(() => expect(following.state()).toEqual(['a', 'b']));
    await store.patch(nodes, 'a', 'merge', { metadata: { labels: { role: 'y' } } });
    await vi.waitFor(() => expect(following.state()).toEqual(['b']));
    await following.stop();
  });

  it('reports an outage once and catches up after it, deletions too', async ({ skip }) => {
    const { store, outage, other = store } = under(context);
    if (outage === undefined) skip('this server cannot be taken down');
    await store.create(nodes, node('gone'));
    await store.create(nodes, node('stays'));
    const following = startFollow(store, nodes);
    await vi.waitFor(() => expect(following.state()).toEqual(['gone', 'stays']));
    await outage?.('down');
    await vi.waitFor(() => expect(following.connections()).toEqual(['down']), LONG);
    if (other !== store) await other.delete(nodes, 'gone');
    await outage?.('up');
    if (other === store) await store.delete(nodes, 'gone');
    await store.create(nodes, node('new'));
    await vi.waitFor(() => expect(following.state()).toEqual(['new', 'stays']), LONG);
    expect(following.connections()).toEqual(['down', 'up']);
    await following.stop();
  });
}

const LONG = { timeout: 10_000 };

interface Watching extends Disposable {
  readonly done: Promise<void>;
  seen(): string[];
  versions(): number[];
  last(): KubeObject | undefined;
  until(count: number): Promise<void>;
  abort(reason: Error): void;
}

function startWatch(
  store: ObjectStore,
  resource: ResourcePath,
  options: ListOptions & { resourceVersion: string },
): Watching {
  const stop = new AbortController();
  const objects: Array<{ type: string; object: KubeObject }> = [];
  const done = (async () => {
    for await (const event of store.watch(resource, { ...options, signal: stop.signal }))
      if (isChange(event)) objects.push(event);
  })();
  done.catch(() => {});
  return {
    done,
    seen: () => objects.map(({ type, object: each }) => `${type} ${each.metadata.name}`),
    versions: () => objects.map(({ object: each }) => Number(each.metadata.resourceVersion)),
    last: () => objects.at(-1)?.object,
    until: (count) => vi.waitFor(() => expect(objects.length).toBeGreaterThanOrEqual(count), LONG),
    abort: (reason) => stop.abort(reason),
    [Symbol.dispose]: () => stop.abort(new Error('the test is over')),
  };
}

function isChange(event: WatchEvent): event is Exclude<WatchEvent, { type: 'BOOKMARK' }> {
  return event.type !== 'BOOKMARK';
}

/** Follows into a map of names and a log of calls. */
export function startFollow(store: ObjectStore, resource: ResourcePath, options: ListOptions = {}) {
  const stopping = new AbortController();
  const log: string[] = [];
  let state = new Map<string, KubeObject>();
  const follower: Follower = {
    sync(items) {
      state = new Map(items.map((item) => [nameOf(item), item]));
      log.push(`sync ${[...state.keys()].sort().join(' ')}`.trim());
    },
    upsert(item) {
      state.set(nameOf(item), item);
      log.push(`upsert ${nameOf(item)}`);
    },
    remove(item) {
      state.delete(nameOf(item));
      log.push(`remove ${nameOf(item)}`);
    },
    connection: (to) => log.push(`connection ${to}`),
  };
  const done = store.follow(resource, { ...options, signal: stopping.signal }, follower);
  done.catch(() => {});
  return {
    log,
    done,
    state: () => [...state.keys()].sort(),
    get: (name: string) => state.get(name),
    connections: () =>
      log.filter((line) => line.startsWith('connection')).map((line) => line.slice('connection '.length)),
    stop: async () => {
      stopping.abort(new Error('the test is over'));
      await done;
    },
  };
}

async function createNamespace(store: ObjectStore, name: string): Promise<void> {
  try {
    await store.create(namespaces, object('v1', 'Namespace', name));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

function nameOf({ metadata }: KubeObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

function namesOf(items: readonly KubeObject[]): string[] {
  return items.map(nameOf).sort();
}

function object(
  apiVersion: string,
  kind: string,
  name: string,
  namespace?: string,
  rest: object = {},
): KubeObject {
  return { apiVersion, kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) }, ...rest };
}

function configMap(name: string, data: Record<string, string>, namespace = 'default'): KubeObject {
  return object('v1', 'ConfigMap', name, namespace, { data });
}

function node(name: string, labels?: Record<string, string>): KubeObject {
  const made = object('v1', 'Node', name, undefined, { spec: {} });
  if (labels) made.metadata.labels = labels;
  return made;
}

function pod(name: string, namespace: string, labels: Record<string, string>): KubeObject {
  const made = object('v1', 'Pod', name, namespace, { spec: { containers: [{ name: 'c', image: 'none' }] } });
  made.metadata.labels = labels;
  return made;
}
