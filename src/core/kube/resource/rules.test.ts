import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#core/store/index.ts';
import { prepareCreate, prepareUpdate, type WriteContext } from '../lifecycle/write.ts';
import { StatusError } from '../status.ts';
import { BUILT_IN_RESOURCES } from './built-in.ts';
import { compareVersions, customResources } from './custom.ts';
import { definitionWarnings } from './definition-rules.ts';
import type { ServedResource } from './served-resource.ts';

const context = (): WriteContext => ({
  now: '2026-01-01T00:00:00Z',
  fieldValidation: 'Strict',
  warnings: [],
});

function resource(kind: string): ServedResource {
  const found = BUILT_IN_RESOURCES.find((candidate) => candidate.kind === kind);
  if (found === undefined) throw new Error(`no resource of kind ${kind}`);
  return found;
}

function create(kind: string, body: object, name = 'x'): KubeObject {
  const target = resource(kind);
  const creation = { ...(target.namespaced && { namespace: 'ns' }), uid: 'u', suffix: 'abcde' };
  const created = prepareCreate(target, { metadata: { name }, ...body }, creation, context());
  return { ...created, metadata: { ...created.metadata, resourceVersion: '1' } };
}

function complaints(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof StatusError) return error.message;
    throw error;
  }
  return '';
}

const container = { name: 'c', image: 'web:1' };

describe('an object of a built-in kind', () => {
  it.each<[string, object, string]>([
    ['Pod', {}, 'spec: Required value'],
    ['Pod', { spec: { containers: [] } }, 'spec.containers: Required value'],
    ['Pod', { spec: {} }, 'spec.containers: Required value'],
    ['Pod', { spec: { containers: [{ name: 'C', image: 'x' }] } }, 'spec.containers[0].name: Invalid value'],
    ['Pod', { spec: { containers: [{ name: 'c' }] } }, 'spec.containers[0].image: Required value'],
    ['Pod', { spec: { containers: [container, container] } }, 'spec.containers[1].name: Duplicate value'],
    [
      'Pod',
      { spec: { containers: [container], initContainers: [container] } },
      'spec.initContainers[0].name: Duplicate value',
    ],
    [
      'Pod',
      { spec: { containers: [{ ...container, ports: [{ containerPort: 0 }] }] } },
      'ports[0].containerPort: Invalid value: 0',
    ],
    [
      'Pod',
      { spec: { containers: [container], restartPolicy: 'Sometimes' } },
      'spec.restartPolicy: Unsupported value',
    ],
    [
      'Pod',
      { spec: { containers: [container], volumes: [{ name: 'v' }, { name: 'v' }] } },
      'spec.volumes[1].name: Duplicate value',
    ],
    ['Node', { spec: { podCIDR: '10.0.0.0' } }, 'spec.podCIDRs[0]: Invalid value: "10.0.0.0"'],
    ['Node', { spec: { podCIDR: '10.0.0.0/24', podCIDRs: ['10.0.1.0/24'] } }, 'must match `podCIDR`'],
    [
      'Node',
      {
        spec: {
          taints: [
            { key: 'a', effect: 'NoSchedule' },
            { key: 'a', effect: 'NoSchedule' },
          ],
        },
      },
      'spec.taints[1]: Duplicate value',
    ],
    ['ConfigMap', { data: { 'a/b': 'x' } }, 'a valid config key'],
    ['ConfigMap', { data: { a: 'x' }, binaryData: { a: 'eA==' } }, 'duplicate of key present in binaryData'],
    ['Secret', { data: { a: 'not base64' } }, 'must be base64'],
    [
      'Lease',
      { spec: { leaseDurationSeconds: 0 } },
      'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
    ],
    ['Lease', { spec: { renewTime: 'now' } }, 'spec.renewTime: Invalid value'],
    ['Service', { spec: {} }, 'spec.ports: Required value'],
    ['Service', { spec: { clusterIP: 'x', ports: [{ port: 80 }] } }, 'spec.clusterIP: Invalid value'],
    ['Service', { spec: { ports: [{ port: 80 }, { port: 81 }] } }, 'spec.ports[0].name: Required value'],
    ['Service', { metadata: { name: '1x' }, spec: { ports: [{ port: 80 }] } }, 'DNS-1035'],
    [
      'EndpointSlice',
      { addressType: 'IPv4', endpoints: [{ addresses: ['fd00::1'] }] },
      'must be a valid IPv4 address',
    ],
    [
      'EndpointSlice',
      { addressType: 'IPv6', endpoints: [{ addresses: ['10.0.0.1'] }] },
      'must be a valid IPv6 address',
    ],
    ['NetworkPolicy', { spec: { ingress: [{ from: [{}] }] } }, 'must specify a peer'],
    [
      'NetworkPolicy',
      { spec: { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/33' } }] }] } },
      'must be a valid CIDR',
    ],
    [
      'NetworkPolicy',
      { spec: { egress: [{ to: [{ ipBlock: { cidr: 'fd00::/64', except: ['fd01::/80'] } }] }] } },
      'must be a strict subset of fd00::/64',
    ],
    [
      'NetworkPolicy',
      { spec: { egress: [{ to: [{ podSelector: {}, ipBlock: { cidr: '10.0.0.0/8' } }] }] } },
      'may not specify both',
    ],
    [
      'NetworkPolicy',
      { spec: { podSelector: { matchExpressions: [{ key: 'a', operator: 'In' }] } } },
      'podSelector.matchExpressions[0].values: Required value',
    ],
    [
      'NetworkPolicy',
      { spec: { ingress: [{ ports: [{ port: 'http', endPort: 90 }] }] } },
      'numeric port only',
    ],
    ['NetworkPolicy', { spec: { policyTypes: ['Both'] } }, 'spec.policyTypes[0]: Unsupported value'],
    ['Namespace', { metadata: { name: 'a.b' } }, 'RFC 1123 label'],
    ['Event', {}, 'involvedObject: Required value'],
    [
      'ConfigMap',
      { metadata: { name: 'x', ownerReferences: [{ kind: 'Pod', name: 'p', apiVersion: 'v1', uid: '' }] } },
      'metadata.ownerReferences[0].uid: Required value',
    ],
    ['ConfigMap', { metadata: { name: 'x', finalizers: ['a b'] } }, 'metadata.finalizers[0]: Invalid value'],
    [
      'ConfigMap',
      { metadata: { name: 'x', annotations: { a: 'x'.repeat(300_000) } } },
      'may not be more than 262144 bytes',
    ],
  ])('%s %j is refused: %s', (kind, body, message) => {
    expect(complaints(() => create(kind, body))).toContain(message);
  });

  it.each<[string, object, object]>([
    [
      'Pod',
      { spec: { containers: [{ ...container, ports: [{ containerPort: 80 }] }] } },
      {
        spec: {
          restartPolicy: 'Always',
          containers: [{ imagePullPolicy: 'IfNotPresent', ports: [{ protocol: 'TCP' }] }],
        },
        status: { phase: 'Pending' },
      },
    ],
    [
      'Pod',
      { spec: { containers: [{ name: 'c', image: 'r:5000/web' }] } },
      { spec: { containers: [{ imagePullPolicy: 'Always' }] } },
    ],
    ['Node', { spec: { podCIDR: '10.0.0.0/24' } }, { spec: { podCIDRs: ['10.0.0.0/24'] } }],
    ['Node', { spec: { podCIDRs: ['fd00::/64', '10.0.0.0/24'] } }, { spec: { podCIDR: 'fd00::/64' } }],
    [
      'Namespace',
      {},
      { metadata: { labels: { 'kubernetes.io/metadata.name': 'x' } }, status: { phase: 'Active' } },
    ],
    ['Secret', { stringData: { a: 'ü' } }, { type: 'Opaque', data: { a: 'w7w=' } }],
    [
      'Service',
      { spec: { ports: [{ port: 80 }] } },
      { spec: { type: 'ClusterIP', ports: [{ protocol: 'TCP', targetPort: 80 }] } },
    ],
    [
      'NetworkPolicy',
      { spec: { egress: [{ ports: [{ port: 53 }] }] } },
      {
        spec: {
          podSelector: {},
          policyTypes: ['Ingress', 'Egress'],
          egress: [{ ports: [{ protocol: 'TCP' }] }],
        },
      },
    ],
    ['NetworkPolicy', { spec: {} }, { spec: { policyTypes: ['Ingress'] } }],
    [
      'EndpointSlice',
      { addressType: 'IPv6', endpoints: [{ addresses: ['fd00::1'] }], ports: [{ port: 80 }] },
      { ports: [{ name: '', protocol: 'TCP' }] },
    ],
  ])('%s %j is filled in', (kind, body, expected) => {
    expect(create(kind, body)).toMatchObject(expected);
  });

  it.each<[string, object, object, string]>([
    [
      'Pod',
      { spec: { containers: [container] } },
      { spec: { containers: [container], hostNetwork: true } },
      'spec.hostNetwork: Forbidden: pod updates may not change',
    ],
    [
      'Pod',
      { spec: { containers: [container], nodeName: 'a' } },
      { spec: { containers: [container], nodeName: 'b' } },
      'spec.nodeName: Forbidden',
    ],
    [
      'Pod',
      { spec: { containers: [container] } },
      { spec: { containers: [{ ...container, image: 'web:2' }], nodeName: 'b' } },
      '',
    ],
    [
      'Node',
      { spec: { podCIDR: '10.0.0.0/24' } },
      { spec: { podCIDR: '10.0.1.0/24' } },
      'spec.podCIDRs: Forbidden',
    ],
    ['Node', {}, { spec: { podCIDR: '10.0.1.0/24' } }, ''],
    [
      'ConfigMap',
      { immutable: true, data: { a: 'b' } },
      { immutable: true, data: { a: 'c' } },
      'data: Forbidden: field is immutable',
    ],
    ['ConfigMap', { immutable: true }, { immutable: false }, 'immutable: Forbidden'],
    ['Secret', { type: 'a' }, { type: 'b' }, 'type: Invalid value: "b": field is immutable'],
    [
      'EndpointSlice',
      { addressType: 'IPv4', endpoints: [] },
      { addressType: 'FQDN', endpoints: [] },
      'addressType: Invalid value',
    ],
  ])('%s %j updated to %j: %j', (kind, before, after, message) => {
    const current = create(kind, before);
    const update = () =>
      prepareUpdate(
        resource(kind),
        { metadata: { name: 'x', resourceVersion: '1' }, ...after },
        current,
        { fromPatch: false },
        context(),
      );
    expect(complaints(update)).toContain(message);
    if (message === '') expect(complaints(update)).toBe('');
  });
});

const schema = { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object' } } } };
const names = { plural: 'pools', kind: 'Pool' };
const version = { name: 'v1', served: true, storage: true, schema };
const definition = (spec: object, name = 'pools.example.com') =>
  create(
    'CustomResourceDefinition',
    { spec: { group: 'example.com', scope: 'Cluster', names, versions: [version], ...spec } },
    name,
  );

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
      complaints(() =>
        prepareUpdate(resource('CustomResourceDefinition'), body, current, { fromPatch: false }, context()),
      ),
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
