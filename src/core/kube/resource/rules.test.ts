import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#core/store/index.ts';
import { thrownBy } from '#testing/thrown.ts';
import { prepareCreate, prepareUpdate, type WriteContext } from '../lifecycle/write.ts';
import { StatusError } from '../status.ts';
import { BUILT_IN_RESOURCES } from './built-in.ts';
import type { ServedResource } from './served-resource.ts';

const complaints = (action: () => unknown) => thrownBy(StatusError, action)?.message ?? '';

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

const container = { name: 'c', image: 'web:1' };

const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [container] } };
const selector = { matchLabels: { app: 'x' } };
const account = { kind: 'ServiceAccount', name: 'a', namespace: 'b' };
const rule = { apiGroups: [''], resources: ['nodes'], verbs: ['get'] };

const REFUSED_WORKLOADS: [string, object, string][] = [
  ['DaemonSet', {}, 'spec: Required value'],
  ['DaemonSet', { spec: { template } }, 'spec.selector: Required value'],
  ['DaemonSet', { spec: { template, selector: {} } }, 'spec.selector: Invalid value: {}'],
  [
    'DaemonSet',
    { spec: { template, selector: { matchLabels: { app: 'y' } } } },
    'spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match',
  ],
  [
    'DaemonSet',
    { spec: { template, selector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] } } },
    '`selector` does not match',
  ],
  [
    'DaemonSet',
    { spec: { selector, template: { ...template, spec: { containers: [{ name: 'c' }] } } } },
    'spec.template.spec.containers[0].image: Required value',
  ],
  [
    'DaemonSet',
    {
      spec: {
        selector,
        template: { ...template, spec: { containers: [container], restartPolicy: 'Never' } },
      },
    },
    'spec.template.spec.restartPolicy: Unsupported value: "Never"',
  ],
  [
    'DaemonSet',
    { spec: { selector, template, updateStrategy: { rollingUpdate: { maxUnavailable: 0 } } } },
    'spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0',
  ],
  [
    'DaemonSet',
    { spec: { selector, template, updateStrategy: { rollingUpdate: { maxSurge: 1 } } } },
    'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set',
  ],
  [
    'DaemonSet',
    { spec: { selector, template, updateStrategy: { rollingUpdate: { maxUnavailable: 'half' } } } },
    'maxUnavailable: Invalid value: "half"',
  ],
  [
    'Pod',
    { spec: { containers: [{ ...container, volumeMounts: [{ name: 'v', mountPath: '/v' }] }] } },
    'spec.containers[0].volumeMounts[0].name: Not found: "v"',
  ],
  [
    'Pod',
    {
      spec: {
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [{ ...container, volumeMounts: [1, 2].map(() => ({ name: 'v', mountPath: '/v' })) }],
      },
    },
    'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/v": must be unique',
  ],
  ['ClusterRole', { metadata: { name: 'a/b' }, rules: [] }, 'metadata.name: Invalid value: "a/b"'],
  ['ClusterRole', { rules: [{ ...rule, verbs: [] }] }, 'rules[0].verbs: Required value'],
  ['ClusterRole', { rules: [{ ...rule, apiGroups: [] }] }, 'rules[0].apiGroups: Required value'],
  ['ClusterRole', { rules: [{ ...rule, resources: [] }] }, 'rules[0].resources: Required value'],
  ['ClusterRole', { rules: [{ ...rule, nonResourceURLs: ['/healthz'] }] }, 'both regular resources and'],
  ['Role', { rules: [{ verbs: ['get'], nonResourceURLs: ['/healthz'] }] }, 'namespaced rules cannot apply'],
  ['RoleBinding', {}, 'roleRef: Required value'],
  ['RoleBinding', { roleRef: { kind: 'Pod', name: 'x' } }, 'roleRef.kind: Unsupported value: "Pod"'],
  ['ClusterRoleBinding', { roleRef: { kind: 'Role', name: 'x' } }, 'roleRef.kind: Unsupported value: "Role"'],
  ['RoleBinding', { roleRef: { kind: 'Role', name: '' } }, 'roleRef.name: Required value'],
  [
    'RoleBinding',
    { roleRef: { kind: 'Role', name: 'x', apiGroup: 'apps' } },
    'roleRef.apiGroup: Unsupported value: "apps"',
  ],
  [
    'RoleBinding',
    { roleRef: { kind: 'Role', name: 'x' }, subjects: [{ kind: 'ServiceAccount', name: 'a' }] },
    'subjects[0].namespace: Required value',
  ],
  [
    'RoleBinding',
    { roleRef: { kind: 'Role', name: 'x' }, subjects: [{ ...account, apiGroup: 'apps' }] },
    'subjects[0].apiGroup: Unsupported value: "apps"',
  ],
  ['PriorityClass', {}, 'value: Required value'],
  ['PriorityClass', { value: 2_000_000_000 }, 'value: Forbidden: maximum allowed value'],
  ['PriorityClass', { metadata: { name: 'system-x' }, value: 1 }, 'metadata.name: Invalid value: "system-x"'],
];

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
    ...REFUSED_WORKLOADS,
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
    [
      'DaemonSet',
      {
        spec: {
          selector,
          template: {
            ...template,
            spec: { hostNetwork: true, containers: [{ ...container, ports: [{ containerPort: 80 }] }] },
          },
        },
      },
      {
        spec: {
          revisionHistoryLimit: 10,
          updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
          template: { spec: { restartPolicy: 'Always', containers: [{ ports: [{ hostPort: 80 }] }] } },
        },
      },
    ],
    [
      'RoleBinding',
      { roleRef: { kind: 'Role', name: 'x' }, subjects: [account, { kind: 'User', name: 'u' }] },
      {
        roleRef: { apiGroup: 'rbac.authorization.k8s.io' },
        subjects: [
          { kind: 'ServiceAccount', name: 'a', namespace: 'b' },
          { apiGroup: 'rbac.authorization.k8s.io' },
        ],
      },
    ],
    [
      'ClusterRole',
      { metadata: { name: 'system:node' }, rules: [rule] },
      { metadata: { name: 'system:node' } },
    ],
    ['PriorityClass', { value: 1 }, { preemptionPolicy: 'PreemptLowerPriority' }],
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
    [
      'DaemonSet',
      { spec: { selector, template } },
      { spec: { selector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] }, template } },
      'spec.selector: Invalid value',
    ],
    ['DaemonSet', { spec: { selector, template } }, { spec: { selector, template, minReadySeconds: 5 } }, ''],
    [
      'ClusterRoleBinding',
      { roleRef: { kind: 'ClusterRole', name: 'x' } },
      { roleRef: { kind: 'ClusterRole', name: 'y' } },
      'roleRef: Forbidden: cannot change roleRef',
    ],
    ['PriorityClass', { value: 1 }, { value: 2 }, 'value: Forbidden'],
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
