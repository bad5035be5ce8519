/** The columns kubectl users know for the built-in types other than pods. */
import type { KubeObject } from '#core/store/index.ts';
import { arrayOr, isObject, type JsonObject, objectOr, stringOr, valueAt } from '../json.ts';
import { ageOf } from './age.ts';
import { AGE, type Column, column, NAME, wide } from './column.ts';

const text =
  (...path: string[]) =>
  (object: KubeObject): string =>
    stringOr(valueAt(object, path)) || '<none>';

const itemsAt = (object: KubeObject, ...path: string[]): JsonObject[] =>
  arrayOr(valueAt(object, path)).filter(isObject);

const joined = (values: readonly string[], most = 3): string =>
  values.length === 0
    ? '<none>'
    : values.slice(0, most).join(',') + (values.length > most ? ` + ${values.length - most} more...` : '');

function nodeStatus(node: KubeObject): string {
  const ready = itemsAt(node, 'status', 'conditions').find((condition) => condition['type'] === 'Ready');
  const words = [
    ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady',
    ...(valueAt(node, ['spec', 'unschedulable']) === true ? ['SchedulingDisabled'] : []),
  ];
  return words.join(',');
}

const ROLE = 'node-role.kubernetes.io/';

function nodeRoles(node: KubeObject): string {
  const labels = Object.entries(node.metadata.labels ?? {});
  const roles = labels.flatMap(([key, value]) => {
    if (key.startsWith(ROLE)) return [key.slice(ROLE.length)];
    return key === 'kubernetes.io/role' && value !== '' ? [value] : [];
  });
  return joined([...new Set(roles)].sort(), roles.length);
}

const nodeAddress = (type: string) => (node: KubeObject) =>
  stringOr(itemsAt(node, 'status', 'addresses').find((address) => address['type'] === type)?.['address']) ||
  '<none>';

const nodeFact = (field: string) => (node: KubeObject) =>
  stringOr(valueAt(node, ['status', 'nodeInfo', field])) || '<unknown>';

export const NODE_COLUMNS: readonly Column[] = [
  NAME,
  column('Status', nodeStatus),
  column('Roles', nodeRoles),
  AGE,
  column('Version', (node) => stringOr(valueAt(node, ['status', 'nodeInfo', 'kubeletVersion']))),
  wide('Internal-IP', nodeAddress('InternalIP')),
  wide('External-IP', nodeAddress('ExternalIP')),
  wide('OS-Image', nodeFact('osImage')),
  wide('Kernel-Version', nodeFact('kernelVersion')),
  wide('Container-Runtime', nodeFact('containerRuntimeVersion')),
];

export const NAMESPACE_COLUMNS: readonly Column[] = [NAME, column('Status', text('status', 'phase')), AGE];

const count =
  (...fields: string[]) =>
  (object: KubeObject): number =>
    fields.reduce((sum, field) => sum + Object.keys(objectOr(object[field])).length, 0);

export const CONFIG_MAP_COLUMNS: readonly Column[] = [
  NAME,
  column('Data', count('data', 'binaryData'), { type: 'integer' }),
  AGE,
];

export const SECRET_COLUMNS: readonly Column[] = [
  NAME,
  column('Type', text('type')),
  column('Data', count('data'), { type: 'integer' }),
  AGE,
];

export const SERVICE_ACCOUNT_COLUMNS: readonly Column[] = [
  NAME,
  column('Secrets', (account) => arrayOr(account['secrets']).length, { type: 'integer' }),
  AGE,
];

export const LEASE_COLUMNS: readonly Column[] = [
  NAME,
  column('Holder', (lease) => stringOr(valueAt(lease, ['spec', 'holderIdentity']))),
  AGE,
];

export const DEFINITION_COLUMNS: readonly Column[] = [
  NAME,
  column('Created At', (definition) => definition.metadata.creationTimestamp ?? '', { type: 'date' }),
];

const selectorText = (selector: unknown): string =>
  Object.entries(objectOr(selector))
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(',') || '<none>';

function servicePorts(service: KubeObject): string {
  const ports = itemsAt(service, 'spec', 'ports').map((port) => {
    const node = port['nodePort'] === undefined ? '' : `:${String(port['nodePort'])}`;
    return `${String(port['port'])}${node}/${stringOr(port['protocol'], 'TCP')}`;
  });
  return ports.join(',') || '<none>';
}

function serviceExternal(service: KubeObject): string {
  const spec = objectOr(service['spec']);
  if (spec['type'] === 'ExternalName') return stringOr(spec['externalName']);
  const ingress = itemsAt(service, 'status', 'loadBalancer', 'ingress').map(
    (entry) => stringOr(entry['ip']) || stringOr(entry['hostname']),
  );
  const external = [...arrayOr(spec['externalIPs']).map(String), ...ingress];
  if (external.length > 0) return external.join(',');
  return spec['type'] === 'LoadBalancer' ? '<pending>' : '<none>';
}

export const SERVICE_COLUMNS: readonly Column[] = [
  NAME,
  column('Type', text('spec', 'type')),
  column('Cluster-IP', text('spec', 'clusterIP')),
  column('External-IP', serviceExternal),
  column('Port(s)', servicePorts),
  AGE,
  wide('Selector', (service) => selectorText(valueAt(service, ['spec', 'selector']))),
];

export const ENDPOINT_SLICE_COLUMNS: readonly Column[] = [
  NAME,
  column('AddressType', text('addressType')),
  column('Ports', (slice) =>
    joined(itemsAt(slice, 'ports').map((port) => (port['port'] === undefined ? '*' : String(port['port'])))),
  ),
  column('Endpoints', (slice) =>
    joined(itemsAt(slice, 'endpoints').flatMap((endpoint) => arrayOr(endpoint['addresses']).map(String))),
  ),
  AGE,
];

function labelSelectorText(selector: unknown): string {
  const labels = Object.entries(objectOr(objectOr(selector)['matchLabels']));
  const expressions = arrayOr(objectOr(selector)['matchExpressions']).filter(isObject);
  const parts = [
    ...labels.map(([key, value]) => `${key}=${String(value)}`),
    ...expressions.map((expression) => {
      const key = String(expression['key']);
      const values = arrayOr(expression['values']).join(',');
      switch (expression['operator']) {
        case 'In':
          return `${key} in (${values})`;
        case 'NotIn':
          return `${key} notin (${values})`;
        case 'DoesNotExist':
          return `!${key}`;
        default:
          return key;
      }
    }),
  ];
  return parts.join(',') || '<none>';
}

export const NETWORK_POLICY_COLUMNS: readonly Column[] = [
  NAME,
  column('Pod-Selector', (policy) => labelSelectorText(valueAt(policy, ['spec', 'podSelector']))),
  AGE,
];

/** Roles and cluster roles: what kubectl shows of them is no more than when they came to be. */
export const CREATED_COLUMNS: readonly Column[] = [
  NAME,
  column('Created At', (object) => object.metadata.creationTimestamp ?? '', { type: 'date' }),
];

const subjectNames = (kind: string, separator: string) => (binding: KubeObject) =>
  itemsAt(binding, 'subjects')
    .filter((subject) => subject['kind'] === kind)
    .map((subject) =>
      kind === 'ServiceAccount'
        ? `${stringOr(subject['namespace'])}${separator}${stringOr(subject['name'])}`
        : stringOr(subject['name']),
    )
    .join(', ');

export const BINDING_COLUMNS: readonly Column[] = [
  NAME,
  column(
    'Role',
    (binding) =>
      `${stringOr(valueAt(binding, ['roleRef', 'kind']))}/${stringOr(valueAt(binding, ['roleRef', 'name']))}`,
  ),
  AGE,
  wide('Users', subjectNames('User', '')),
  wide('Groups', subjectNames('Group', '')),
  wide('ServiceAccounts', subjectNames('ServiceAccount', '/')),
];

const statusCount = (title: string, field: string): Column =>
  column(title, (object) => Number(valueAt(object, ['status', field]) ?? 0), { type: 'integer' });

export const DAEMON_SET_COLUMNS: readonly Column[] = [
  NAME,
  statusCount('Desired', 'desiredNumberScheduled'),
  statusCount('Current', 'currentNumberScheduled'),
  statusCount('Ready', 'numberReady'),
  statusCount('Up-to-date', 'updatedNumberScheduled'),
  statusCount('Available', 'numberAvailable'),
  column('Node Selector', (set) => selectorText(valueAt(set, ['spec', 'template', 'spec', 'nodeSelector']))),
  AGE,
  wide('Containers', (set) => templateContainers(set, 'name')),
  wide('Images', (set) => templateContainers(set, 'image')),
  wide('Selector', (set) => labelSelectorText(valueAt(set, ['spec', 'selector']))),
];

const templateContainers = (set: KubeObject, field: string): string =>
  itemsAt(set, 'spec', 'template', 'spec', 'containers')
    .map((container) => stringOr(container[field]))
    .join(',');

export const PRIORITY_CLASS_COLUMNS: readonly Column[] = [
  NAME,
  column('Value', (object) => Number(object['value'] ?? 0), { type: 'integer' }),
  column('Global-Default', (object) => String(object['globalDefault'] === true)),
  AGE,
  column('PreemptionPolicy', (object) => stringOr(object['preemptionPolicy'])),
];

function eventSeen(event: KubeObject, nowMs: number): string {
  const series = objectOr(event['series']);
  return ageOf(
    series['lastObservedTime'] ??
      event['lastTimestamp'] ??
      event['eventTime'] ??
      event.metadata.creationTimestamp,
    nowMs,
  );
}

function eventObject(event: KubeObject): string {
  const object = objectOr(event['involvedObject']);
  return `${stringOr(object['kind']).toLowerCase()}/${stringOr(object['name'])}`;
}

export const EVENT_COLUMNS: readonly Column[] = [
  column('Last Seen', eventSeen),
  column('Type', (event) => stringOr(event['type'])),
  column('Reason', (event) => stringOr(event['reason'])),
  column('Object', eventObject),
  wide('Subobject', (event) => stringOr(valueAt(event, ['involvedObject', 'fieldPath']))),
  wide(
    'Source',
    (event) => stringOr(valueAt(event, ['source', 'component'])) || stringOr(event['reportingComponent']),
  ),
  column('Message', (event) => stringOr(event['message']).trim()),
  wide('First Seen', (event, nowMs) => ageOf(event['firstTimestamp'] ?? event['eventTime'], nowMs)),
  column('Count', (event) => Number(objectOr(event['series'])['count'] ?? event['count'] ?? 1), {
    type: 'integer',
    priority: 1,
  }),
  column('Name', (event) => event.metadata.name, { format: 'name', priority: 1 }),
];
