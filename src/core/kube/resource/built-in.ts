/** The built-in resources, one row each. */
import { BUILT_IN_TYPES } from '../schema/library.ts';
import {
  BINDING_COLUMNS,
  CONFIG_MAP_COLUMNS,
  CREATED_COLUMNS,
  DAEMON_SET_COLUMNS,
  DEFINITION_COLUMNS,
  ENDPOINT_SLICE_COLUMNS,
  EVENT_COLUMNS,
  LEASE_COLUMNS,
  NAMESPACE_COLUMNS,
  NETWORK_POLICY_COLUMNS,
  NODE_COLUMNS,
  PRIORITY_CLASS_COLUMNS,
  SECRET_COLUMNS,
  SERVICE_ACCOUNT_COLUMNS,
  SERVICE_COLUMNS,
} from '../table/built-in-columns.ts';
import { POD_COLUMNS } from '../table/pod-columns.ts';
import { CONFIG_MAP_RULES, LEASE_RULES, NAMESPACE_RULES, NODE_RULES, SECRET_RULES } from './cluster-rules.ts';
import { DEFINITION_RULES } from './definition-rules.ts';
import { ENDPOINT_SLICE_RULES, NETWORK_POLICY_RULES, SERVICE_RULES } from './network-rules.ts';
import { POD_RULES } from './pod-rules.ts';
import { BINDING_RULES, ROLE_RULES } from './rbac-rules.ts';
import { type ServedResource, storageKeyOf } from './served-resource.ts';
import { DAEMON_SET_RULES, PRIORITY_CLASS_RULES } from './workload-rules.ts';

type Row = Pick<ServedResource, 'plural' | 'kind' | 'columns'> &
  Partial<Omit<ServedResource, 'builtIn' | 'schema' | 'schemas'>>;

const METADATA_FIELDS = ['metadata.name', 'metadata.namespace'];

function builtIn(row: Row): ServedResource {
  const group = row.group ?? '';
  return {
    group,
    version: 'v1',
    namespaced: true,
    singular: row.kind.toLowerCase(),
    listKind: `${row.kind}List`,
    shortNames: [],
    categories: [],
    storageKey: storageKeyOf(group, row.plural),
    storageVersion: 'v1',
    hasStatus: false,
    keepsStatusOnCreate: false,
    hasGeneration: false,
    allowsBlindUpdate: true,
    openApiName: BUILT_IN_TYPES.fullName(row.kind),
    rules: {},
    ...row,
    builtIn: true,
    schema: BUILT_IN_TYPES.type(row.kind),
    schemas: BUILT_IN_TYPES,
    selectableFields: [...METADATA_FIELDS, ...(row.selectableFields ?? [])],
  };
}

export const NAMESPACES: ServedResource = builtIn({
  plural: 'namespaces',
  kind: 'Namespace',
  namespaced: false,
  shortNames: ['ns'],
  columns: NAMESPACE_COLUMNS,
  hasStatus: true,
  selectableFields: ['status.phase'],
  rules: NAMESPACE_RULES,
});

export const DEFINITIONS: ServedResource = builtIn({
  group: 'apiextensions.k8s.io',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
  shortNames: ['crd', 'crds'],
  categories: ['api-extensions'],
  columns: DEFINITION_COLUMNS,
  hasStatus: true,
  hasGeneration: true,
  allowsBlindUpdate: false,
  rules: DEFINITION_RULES,
});

export const EVENTS: ServedResource = builtIn({
  plural: 'events',
  kind: 'Event',
  shortNames: ['ev'],
  columns: EVENT_COLUMNS,
  selectableFields: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source.component',
    'type',
  ],
});

export const BUILT_IN_RESOURCES: readonly ServedResource[] = [
  builtIn({
    plural: 'nodes',
    kind: 'Node',
    namespaced: false,
    shortNames: ['no'],
    columns: NODE_COLUMNS,
    hasStatus: true,
    keepsStatusOnCreate: true,
    selectableFields: ['spec.unschedulable'],
    rules: NODE_RULES,
  }),
  builtIn({
    plural: 'pods',
    kind: 'Pod',
    shortNames: ['po'],
    categories: ['all'],
    columns: POD_COLUMNS,
    hasStatus: true,
    hasGeneration: true,
    selectableFields: [
      'spec.nodeName',
      'spec.restartPolicy',
      'spec.serviceAccountName',
      'status.phase',
      'status.podIP',
    ],
    rules: POD_RULES,
  }),
  NAMESPACES,
  builtIn({
    plural: 'configmaps',
    kind: 'ConfigMap',
    shortNames: ['cm'],
    columns: CONFIG_MAP_COLUMNS,
    rules: CONFIG_MAP_RULES,
  }),
  builtIn({
    plural: 'secrets',
    kind: 'Secret',
    columns: SECRET_COLUMNS,
    selectableFields: ['type'],
    rules: SECRET_RULES,
  }),
  builtIn({
    plural: 'serviceaccounts',
    kind: 'ServiceAccount',
    shortNames: ['sa'],
    columns: SERVICE_ACCOUNT_COLUMNS,
  }),
  builtIn({
    plural: 'services',
    kind: 'Service',
    shortNames: ['svc'],
    categories: ['all'],
    columns: SERVICE_COLUMNS,
    hasStatus: true,
    selectableFields: ['spec.type', 'spec.clusterIP'],
    rules: SERVICE_RULES,
  }),
  EVENTS,
  builtIn({
    group: 'coordination.k8s.io',
    plural: 'leases',
    kind: 'Lease',
    columns: LEASE_COLUMNS,
    allowsBlindUpdate: false,
    rules: LEASE_RULES,
  }),
  builtIn({
    group: 'discovery.k8s.io',
    plural: 'endpointslices',
    kind: 'EndpointSlice',
    columns: ENDPOINT_SLICE_COLUMNS,
    hasGeneration: true,
    rules: ENDPOINT_SLICE_RULES,
  }),
  builtIn({
    group: 'networking.k8s.io',
    plural: 'networkpolicies',
    kind: 'NetworkPolicy',
    shortNames: ['netpol'],
    columns: NETWORK_POLICY_COLUMNS,
    hasGeneration: true,
    rules: NETWORK_POLICY_RULES,
  }),
  builtIn({
    group: 'apps',
    plural: 'daemonsets',
    kind: 'DaemonSet',
    shortNames: ['ds'],
    categories: ['all'],
    columns: DAEMON_SET_COLUMNS,
    hasStatus: true,
    hasGeneration: true,
    rules: DAEMON_SET_RULES,
  }),
  builtIn({
    group: 'rbac.authorization.k8s.io',
    plural: 'roles',
    kind: 'Role',
    columns: CREATED_COLUMNS,
    rules: ROLE_RULES,
  }),
  builtIn({
    group: 'rbac.authorization.k8s.io',
    plural: 'rolebindings',
    kind: 'RoleBinding',
    columns: BINDING_COLUMNS,
    rules: BINDING_RULES,
  }),
  builtIn({
    group: 'rbac.authorization.k8s.io',
    plural: 'clusterroles',
    kind: 'ClusterRole',
    namespaced: false,
    columns: CREATED_COLUMNS,
    rules: ROLE_RULES,
  }),
  builtIn({
    group: 'rbac.authorization.k8s.io',
    plural: 'clusterrolebindings',
    kind: 'ClusterRoleBinding',
    namespaced: false,
    columns: BINDING_COLUMNS,
    rules: BINDING_RULES,
  }),
  builtIn({
    group: 'scheduling.k8s.io',
    plural: 'priorityclasses',
    kind: 'PriorityClass',
    namespaced: false,
    shortNames: ['pc'],
    columns: PRIORITY_CLASS_COLUMNS,
    hasGeneration: true,
    rules: PRIORITY_CLASS_RULES,
  }),
  DEFINITIONS,
];
