import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../json.ts';
import { BUILT_IN_TYPES } from '../schema/library.ts';
import { PatchError } from './patch-error.ts';
import { applyStrategicMergePatch } from './strategic-merge.ts';

const apply = (kind: string, original: JsonObject, patch: unknown) =>
  applyStrategicMergePatch(original, patch, BUILT_IN_TYPES.type(kind), BUILT_IN_TYPES);

const podWith = (spec: JsonObject): JsonObject => ({ spec });
const A = { name: 'a', image: 'a:1' };
const B = { name: 'b', image: 'b:1' };

describe('a strategic merge patch', () => {
  it.each<[string, string, JsonObject, unknown, JsonObject]>([
    [
      'merges containers by name',
      'Pod',
      podWith({ containers: [A, B] }),
      { spec: { containers: [{ name: 'b', image: 'b:2' }] } },
      podWith({ containers: [A, { name: 'b', image: 'b:2' }] }),
    ],
    [
      'adds a container',
      'Pod',
      podWith({ containers: [A] }),
      { spec: { containers: [B] } },
      podWith({ containers: [A, B] }),
    ],
    [
      'deletes a container with $patch: delete',
      'Pod',
      podWith({ containers: [A, B] }),
      { spec: { containers: [{ name: 'a', $patch: 'delete' }] } },
      podWith({ containers: [B] }),
    ],
    [
      'replaces a list with $patch: replace',
      'Pod',
      podWith({ containers: [A, B] }),
      { spec: { containers: [{ name: 'c', image: 'c:1' }, { $patch: 'replace' }] } },
      podWith({ containers: [{ name: 'c', image: 'c:1' }] }),
    ],
    [
      'replaces a map with $patch: replace',
      'Pod',
      podWith({ nodeSelector: { a: '1', b: '2' } }),
      { spec: { nodeSelector: { $patch: 'replace', c: '3' } } },
      podWith({ nodeSelector: { c: '3' } }),
    ],
    [
      'empties a map with $patch: delete',
      'Pod',
      podWith({ nodeSelector: { a: '1' } }),
      { spec: { nodeSelector: { $patch: 'delete' } } },
      podWith({ nodeSelector: {} }),
    ],
    [
      'merges maps and deletes with null',
      'Pod',
      podWith({ nodeSelector: { a: '1', b: '2' } }),
      { spec: { nodeSelector: { a: null, c: '3' } } },
      podWith({ nodeSelector: { b: '2', c: '3' } }),
    ],
    [
      'replaces an atomic list',
      'Pod',
      podWith({ tolerations: [{ key: 'a' }] }),
      { spec: { tolerations: [{ key: 'b' }] } },
      podWith({ tolerations: [{ key: 'b' }] }),
    ],
    [
      'merges env, ports and mounts by their own keys',
      'Pod',
      podWith({
        containers: [
          {
            name: 'a',
            env: [{ name: 'X', value: '1' }],
            ports: [{ containerPort: 80 }],
            volumeMounts: [{ mountPath: '/a', name: 'v' }],
          },
        ],
      }),
      {
        spec: {
          containers: [
            {
              name: 'a',
              env: [
                { name: 'X', value: '2' },
                { name: 'Y', value: '3' },
              ],
              ports: [{ containerPort: 80, name: 'http' }, { containerPort: 81 }],
              volumeMounts: [{ mountPath: '/a', readOnly: true }],
            },
          ],
        },
      },
      podWith({
        containers: [
          {
            name: 'a',
            env: [
              { name: 'X', value: '2' },
              { name: 'Y', value: '3' },
            ],
            ports: [{ containerPort: 80, name: 'http' }, { containerPort: 81 }],
            volumeMounts: [{ mountPath: '/a', name: 'v', readOnly: true }],
          },
        ],
      }),
    ],
    [
      'keeps only the members of $retainKeys',
      'Pod',
      podWith({ volumes: [{ name: 'v', emptyDir: {} }] }),
      { spec: { volumes: [{ name: 'v', hostPath: { path: '/x' }, $retainKeys: ['name', 'hostPath'] }] } },
      podWith({ volumes: [{ name: 'v', hostPath: { path: '/x' } }] }),
    ],
    [
      'merges conditions by type',
      'Node',
      {
        status: {
          conditions: [
            { type: 'Ready', status: 'True' },
            { type: 'Disk', status: 'False' },
          ],
        },
      },
      { status: { conditions: [{ type: 'Ready', status: 'False' }] } },
      {
        status: {
          conditions: [
            { type: 'Ready', status: 'False' },
            { type: 'Disk', status: 'False' },
          ],
        },
      },
    ],
    [
      'merges owners by uid',
      'Pod',
      { metadata: { ownerReferences: [{ uid: '1', name: 'x' }] } },
      {
        metadata: {
          ownerReferences: [
            { uid: '1', controller: true },
            { uid: '2', name: 'y' },
          ],
        },
      },
      {
        metadata: {
          ownerReferences: [
            { uid: '1', name: 'x', controller: true },
            { uid: '2', name: 'y' },
          ],
        },
      },
    ],
    [
      'adds to finalizers as to a set',
      'ConfigMap',
      { metadata: { finalizers: ['a/x'] } },
      { metadata: { finalizers: ['b/y', 'a/x'] } },
      { metadata: { finalizers: ['a/x', 'b/y'] } },
    ],
    [
      'removes from finalizers with $deleteFromPrimitiveList',
      'ConfigMap',
      { metadata: { finalizers: ['a/x', 'b/y'] } },
      { metadata: { '$deleteFromPrimitiveList/finalizers': ['a/x'] } },
      { metadata: { finalizers: ['b/y'] } },
    ],
    [
      'orders a set with $setElementOrder',
      'ConfigMap',
      { metadata: { finalizers: ['a/x', 'b/y'] } },
      { metadata: { '$setElementOrder/finalizers': ['c/z', 'b/y', 'a/x'], finalizers: ['c/z'] } },
      { metadata: { finalizers: ['c/z', 'b/y', 'a/x'] } },
    ],
    [
      'orders containers with $setElementOrder',
      'Pod',
      podWith({ containers: [A, B] }),
      { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] } },
      podWith({ containers: [B, A] }),
    ],
    [
      'keeps containers the patch does not order before what they preceded',
      'Pod',
      podWith({ containers: [{ name: 'mine' }, A, B] }),
      {
        spec: {
          '$setElementOrder/containers': [{ name: 'a' }, { name: 'c' }, { name: 'b' }],
          containers: [{ name: 'c' }],
        },
      },
      podWith({ containers: [{ name: 'mine' }, A, { name: 'c' }, B] }),
    ],
    [
      'drops directives and nulls from what is new',
      'Pod',
      {},
      { spec: { containers: [{ name: 'a', image: null, env: [{ name: 'X', $patch: 'delete' }] }] } },
      podWith({ containers: [{ name: 'a', env: [] }] }),
    ],
  ])('%s', (_, kind, original, patch, expected) => {
    const before = JSON.stringify(original);
    expect(apply(kind, original, patch)).toEqual(expected);
    expect(JSON.stringify(original)).toBe(before);
  });

  it.each<[string, unknown, string]>([
    [
      'a list without the merge key',
      { spec: { containers: [{ image: 'x' }] } },
      'spec.containers[0]: the element does not contain the merge key "name"',
    ],
    [
      'an element that is no object',
      { spec: { containers: ['x'] } },
      'spec.containers[0]: expected an object',
    ],
    ['an unknown directive', { spec: { $patch: 'merge-all' } }, '$patch must be replace, delete or merge'],
    ['a $retainKeys that is no list', { spec: { $retainKeys: 'x' } }, '$retainKeys must be a list'],
    ['a patch that is no object', [], 'must be an object'],
  ])('is refused for %s', (_, patch, message) => {
    expect(() => apply('Pod', podWith({ containers: [A] }), patch)).toThrow(PatchError);
    expect(() => apply('Pod', podWith({ containers: [A] }), patch)).toThrow(message);
  });

  it('does the same when applied twice', () => {
    const container = fc.record(
      { name: fc.constantFrom('a', 'b', 'c'), image: fc.constantFrom('x', 'y'), stdin: fc.boolean() },
      { requiredKeys: ['name'] },
    );
    const pod = fc.record({
      spec: fc.record({
        containers: fc.uniqueArray(container, { selector: ({ name }) => name }),
        nodeSelector: fc.dictionary(fc.constantFrom('k', 'l'), fc.constantFrom('1', '2')),
      }),
    });
    fc.assert(
      fc.property(pod, pod, (original, patch) => {
        const once = apply('Pod', original, patch);
        expect(apply('Pod', once, patch)).toEqual(once);
      }),
    );
  });
});
