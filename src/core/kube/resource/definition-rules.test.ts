import { describe, expect, it } from 'vitest';
import { thrownBy } from '#testing/thrown.ts';
import { prepareCreate, prepareUpdate, type WriteContext } from '../lifecycle/write.ts';
import { StatusError } from '../status.ts';
import { DEFINITIONS } from './built-in.ts';
import { compareVersions, customResources } from './custom.ts';
import { definitionWarnings } from './definition-rules.ts';

const complaints = (action: () => unknown) => thrownBy(StatusError, action)?.message ?? '';

const context = (): WriteContext => ({
  now: '2026-01-01T00:00:00Z',
  fieldValidation: 'Strict',
  warnings: [],
});

function create(body: object, name: string) {
  const made = prepareCreate(
    DEFINITIONS,
    { metadata: { name }, ...body },
    { uid: 'u', suffix: '' },
    context(),
  );
  return { ...made, metadata: { ...made.metadata, resourceVersion: '1' } };
}

const schema = { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object' } } } };
const names = { plural: 'pools', kind: 'Pool' };
const version = { name: 'v1', served: true, storage: true, schema };
const definition = (spec: object, name = 'pools.example.com') =>
  create({ spec: { group: 'example.com', scope: 'Cluster', names, versions: [version], ...spec } }, name);

describe('a definition of a custom resource', () => {
  it('is established at once, with the names it implies', () => {
    const made = definition({});
    expect(made).toMatchObject({
      spec: { names: { singular: 'pool', listKind: 'PoolList' }, conversion: { strategy: 'None' } },
      status: {
        storedVersions: ['v1'],
        acceptedNames: names,
        conditions: [
          { type: 'NamesAccepted', status: 'True' },
          { type: 'Established', status: 'True' },
        ],
      },
    });
    expect(customResources(made)).toMatchObject([
      {
        plural: 'pools',
        version: 'v1',
        namespaced: false,
        storageKey: 'pools.example.com',
        openApiName: 'com.example.v1.Pool',
      },
    ]);
  });

  it.each<[object, string]>([
    [{ group: 'example' }, 'at least one dot'],
    [{ names: { plural: 'others', kind: 'Other' } }, 'here "others.example.com"'],
    [{ names: { plural: 'Pools', kind: 'Pool' } }, 'spec.names.plural: Invalid value'],
    [{ names: { plural: 'pools', kind: 'a pool' } }, 'spec.names.kind: Invalid value'],
    [{ versions: [{ ...version, storage: false }] }, 'exactly one version marked as storage version'],
    [{ versions: [version, version] }, 'spec.versions[1].name: Duplicate value'],
    [{ versions: [{ name: 'v1', served: true, storage: true }] }, 'schemas are required'],
    [
      { versions: [{ ...version, schema: { openAPIV3Schema: { type: 'string' } } }] },
      'must be object at the root',
    ],
    [
      { versions: [{ ...version, schema: { openAPIV3Schema: { type: 'object', properties: { a: {} } } } }] },
      'properties[a].type: Required value',
    ],
    [
      {
        versions: [
          {
            ...version,
            schema: { openAPIV3Schema: { type: 'object', properties: { a: { type: 'array' } } } },
          },
        ],
      },
      'properties[a].items: Required value',
    ],
    [
      {
        versions: [
          {
            ...version,
            schema: {
              openAPIV3Schema: { type: 'object', properties: { a: { type: 'string', pattern: '(' } } },
            },
          },
        ],
      },
      'must be a valid regular expression',
    ],
    [
      { versions: [{ ...version, schema: { openAPIV3Schema: { type: 'object', $ref: '#/x' } } }] },
      '$ref is not supported',
    ],
    [
      { versions: [{ ...version, additionalPrinterColumns: [{ name: 'A', type: 'text', jsonPath: '.a' }] }] },
      'additionalPrinterColumns[0].type: Unsupported value',
    ],
    [
      {
        versions: [
          { ...version, additionalPrinterColumns: [{ name: 'A', type: 'string', jsonPath: '.a[' }] },
        ],
      },
      'is not a JSON path',
    ],
    [{ conversion: { strategy: 'Webhook' } }, 'spec.conversion.strategy: Unsupported value: "Webhook"'],
    [{ scope: 'Everywhere' }, 'spec.scope: Unsupported value'],
  ])('%j is refused: %s', (spec, message) => {
    expect(complaints(() => definition(spec))).toContain(message);
  });

  it.each<[object, string]>([
    [{ scope: 'Namespaced' }, 'spec.scope: Invalid value'],
    [{ names: { plural: 'pools', kind: 'Puddle' } }, 'spec.names.kind: Invalid value'],
    [
      { versions: [{ ...version, name: 'v2' }] },
      'must appear in spec.versions while objects may be stored in it',
    ],
    [
      {
        versions: [
          { ...version, storage: false },
          { ...version, name: 'v2' },
        ],
      },
      '',
    ],
  ])('may change to %j: %j', (spec, message) => {
    const current = definition({});
    const body = {
      metadata: { name: 'pools.example.com', resourceVersion: '1' },
      spec: { group: 'example.com', scope: 'Cluster', names, versions: [version], ...spec },
    };
    expect(
      complaints(() => prepareUpdate(DEFINITIONS, body, current, { fromPatch: false }, context())),
    ).toContain(message);
  });

  it('warns of parts that have no effect', () => {
    const rules = { openAPIV3Schema: { type: 'object', 'x-kubernetes-validations': [{ rule: 'true' }] } };
    const scale = { scale: { specReplicasPath: '.a', statusReplicasPath: '.b' } };
    expect(
      definitionWarnings(definition({ versions: [{ ...version, schema: rules, subresources: scale }] })),
    ).toHaveLength(2);
    expect(definitionWarnings(definition({}))).toEqual([]);
  });

  it('serves its versions in the order Kubernetes prefers', () => {
    const versions = ['v1alpha1', 'foo', 'v2', 'v1beta2', 'v10', 'bar', 'v1', 'v1beta10'];
    expect(versions.toSorted(compareVersions)).toEqual([
      'v10',
      'v2',
      'v1',
      'v1beta10',
      'v1beta2',
      'v1alpha1',
      'bar',
      'foo',
    ]);
  });
});
