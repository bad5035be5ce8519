import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#core/store/index.ts';
import { BUILT_IN_RESOURCES } from '../resource/built-in.ts';
import { customResources } from '../resource/custom.ts';
import type { ServedResource } from '../resource/served-resource.ts';
import { StatusError } from '../status.ts';
import { prepareCreate, prepareDelete, prepareUpdate, type WriteContext } from './write.ts';

const context = (fieldValidation: WriteContext['fieldValidation'] = 'Warn'): WriteContext => ({
  now: '2026-01-01T00:00:00Z',
  fieldValidation,
  warnings: [],
});
const byKind = (kind: string) =>
  BUILT_IN_RESOURCES.find((resource) => resource.kind === kind) as ServedResource;
const CONFIG_MAPS = byKind('ConfigMap');
const [POOLS] = customResources({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'pools.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'pools', kind: 'Pool' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: {
                  size: { type: 'integer', default: 26 },
                  mode: { type: 'string', nullable: true },
                },
              },
              status: { type: 'object', properties: { used: { type: 'integer' } } },
            },
          },
        },
      },
    ],
  },
}) as [ServedResource];

const CREATION = { namespace: 'ns', uid: 'u-1', suffix: 'abcde' };
const stored = (object: KubeObject, version = '7'): KubeObject => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion: version },
});
const create = (resource: ServedResource, body: object, with_ = context()) =>
  stored(prepareCreate(resource, body, CREATION, with_));
const update = (
  resource: ServedResource,
  body: object,
  current: KubeObject,
  subresource?: 'status',
  fromPatch = false,
) => prepareUpdate(resource, body, current, { fromPatch, ...(subresource && { subresource }) }, context());

describe('creating', () => {
  it('writes apiVersion, kind and metadata first, whatever the order of the body', () => {
    const made = create(CONFIG_MAPS, {
      data: { a: 'b' },
      metadata: { labels: { x: 'y' }, name: 'a', annotations: {} },
      kind: 'ConfigMap',
      apiVersion: 'v1',
    });
    expect(JSON.stringify(made)).toBe(
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","namespace":"ns","uid":"u-1","resourceVersion":"7","creationTimestamp":"2026-01-01T00:00:00Z","labels":{"x":"y"}},"data":{"a":"b"}}',
    );
  });

  it('makes names from a prefix, cut to fit', () => {
    expect(create(CONFIG_MAPS, { metadata: { generateName: 'a-' } }).metadata.name).toBe('a-abcde');
    expect(create(CONFIG_MAPS, { metadata: { generateName: 'a'.repeat(80) } }).metadata.name).toBe(
      `${'a'.repeat(58)}abcde`,
    );
  });

  it('treats unknown fields as asked', () => {
    const body = { metadata: { name: 'a', nam: 'b' }, daat: {} };
    const warned = context();
    create(CONFIG_MAPS, body, warned);
    expect(warned.warnings).toEqual(['unknown field "metadata.nam"', 'unknown field "daat"']);
    const silent = context('Ignore');
    expect(create(CONFIG_MAPS, body, silent)).not.toHaveProperty('daat');
    expect(silent.warnings).toEqual([]);
    expect(() => create(CONFIG_MAPS, body, context('Strict'))).toThrow(
      'strict decoding error: unknown field "metadata.nam", unknown field "daat"',
    );
  });

  it('fills defaults of custom resources in, drops their status, and starts at generation 1', () => {
    const made = create(POOLS, { metadata: { name: 'p' }, spec: {}, status: { used: 1 } });
    expect(made).toMatchObject({
      apiVersion: 'example.com/v1',
      kind: 'Pool',
      spec: { size: 26 },
      metadata: { generation: 1 },
    });
    expect(made).not.toHaveProperty('status');
  });

  it('keeps the status a node brings along', () => {
    const node = prepareCreate(
      byKind('Node'),
      { metadata: { name: 'n' }, status: { phase: 'Running' } },
      { uid: 'u', suffix: '' },
      context(),
    );
    expect(node['status']).toEqual({ phase: 'Running' });
  });

  it.each<[object, string]>([
    [{ metadata: { name: 'a', resourceVersion: '1' } }, 'resourceVersion should not be set'],
    [{ metadata: { name: 'a', namespace: 'other' } }, 'does not match the namespace'],
    [{ metadata: 'x' }, 'must be an object'],
    [{ metadata: { name: 5 } }, 'name or generateName is required'],
    [{ metadata: { name: 'a', labels: 'x' } }, 'metadata.labels in body must be of type object'],
    [{ metadata: { name: 'a', finalizers: [5] } }, 'must be of type string'],
  ])('refuses %j', (body, message) => {
    expect(() => create(CONFIG_MAPS, body)).toThrow(message);
  });
});

describe('replacing', () => {
  const current = create(POOLS, { metadata: { name: 'p', labels: { a: 'b' } }, spec: { size: 30 } });
  const withStatus = { ...current, status: { used: 1 } };
  const at = (metadata: object = {}) => ({ name: 'p', resourceVersion: '7', ...metadata });

  it('gives back the stored object itself when nothing changes', () => {
    expect(update(POOLS, { metadata: at({ labels: { a: 'b' } }), spec: { size: 30 } }, current)).toBe(
      current,
    );
  });

  it('counts a generation for a change of content, not of metadata or status', () => {
    expect(update(POOLS, { metadata: at(), spec: { size: 31 } }, current).metadata.generation).toBe(2);
    expect(
      update(POOLS, { metadata: at({ labels: {} }), spec: { size: 30 } }, current).metadata.generation,
    ).toBe(1);
    expect(
      update(POOLS, { metadata: at(), status: { used: 2 } }, withStatus, 'status').metadata.generation,
    ).toBe(1);
  });

  it('takes the status from the stored object, and through the subresource nothing else', () => {
    expect(
      update(POOLS, { metadata: at(), spec: { size: 31 }, status: { used: 9 } }, withStatus)['status'],
    ).toEqual({ used: 1 });
    const status = update(
      POOLS,
      { metadata: at({ labels: { c: 'd' } }), spec: { size: 40 }, status: { used: 9 } },
      withStatus,
      'status',
    );
    expect(status).toMatchObject({
      spec: { size: 30 },
      status: { used: 9 },
      metadata: { labels: { a: 'b' } },
    });
  });

  it('keeps the facts only the server knows', () => {
    const { metadata } = update(
      POOLS,
      {
        metadata: at({
          creationTimestamp: '2000-01-01T00:00:00Z',
          generation: 99,
          deletionTimestamp: '2000-01-01T00:00:00Z',
        }),
        spec: {},
      },
      current,
    );
    expect(metadata).toMatchObject({ uid: 'u-1', creationTimestamp: '2026-01-01T00:00:00Z', generation: 2 });
    expect(metadata.deletionTimestamp).toBeUndefined();
  });

  it.each<[object, number, string]>([
    [{ name: 'p', resourceVersion: '6' }, 409, 'the object has been modified'],
    [{ name: 'p' }, 422, 'must be specified for an update'],
    [{ name: 'q', resourceVersion: '7' }, 400, 'does not match the name on the URL'],
    [{ name: 'p', namespace: 'x', resourceVersion: '7' }, 400, 'does not match the namespace on the URL'],
    [
      { name: 'p', uid: 'u-2', resourceVersion: '7' },
      409,
      'UID in precondition: u-2, UID in object meta: u-1',
    ],
  ])('refuses %j with %d', (metadata, code, message) => {
    const action = () => update(POOLS, { metadata, spec: {} }, current);
    expect(action).toThrow(message);
    expect(action).toThrow(
      expect.objectContaining({ status: expect.objectContaining({ code }) as unknown }) as StatusError,
    );
  });

  it('lets finalizers only go while the object is being deleted', () => {
    const dying = {
      ...current,
      metadata: { ...current.metadata, finalizers: ['a/b'], deletionTimestamp: '2026-01-01T00:00:00Z' },
    };
    expect(() =>
      update(POOLS, { metadata: at({ finalizers: ['a/b', 'c/d'] }), spec: { size: 30 } }, dying),
    ).toThrow('found new finalizers ["c/d"]');
    expect(update(POOLS, { metadata: at(), spec: { size: 30 } }, dying).metadata.finalizers).toBeUndefined();
  });
});

describe('deleting', () => {
  const object = create(CONFIG_MAPS, { metadata: { name: 'a' } });
  const held = create(CONFIG_MAPS, { metadata: { name: 'a', finalizers: ['a/b'] } });
  const NOW = '2026-01-02T00:00:00Z';

  it('removes, marks, or finds the mark', () => {
    expect(prepareDelete(CONFIG_MAPS, object, {}, NOW)).toEqual({ kind: 'remove' });
    const marked = prepareDelete(CONFIG_MAPS, held, {}, NOW);
    expect(marked).toMatchObject({
      kind: 'mark',
      object: { metadata: { deletionTimestamp: NOW, deletionGracePeriodSeconds: 0 } },
    });
    if (marked.kind === 'mark')
      expect(prepareDelete(CONFIG_MAPS, marked.object, {}, NOW)).toEqual({ kind: 'already-marked' });
  });

  it('heeds preconditions', () => {
    expect(prepareDelete(CONFIG_MAPS, object, { uid: 'u-1', resourceVersion: '7' }, NOW)).toEqual({
      kind: 'remove',
    });
    expect(() => prepareDelete(CONFIG_MAPS, object, { uid: 'x' }, NOW)).toThrow(StatusError);
    expect(() => prepareDelete(CONFIG_MAPS, object, { resourceVersion: '6' }, NOW)).toThrow(
      'ResourceVersion in precondition: 6',
    );
  });
});
