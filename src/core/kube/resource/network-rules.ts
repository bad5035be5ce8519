/** Rules of Service, EndpointSlice and NetworkPolicy. */
import { parseIp, parsePrefix, prefixContains } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { forbiddenField, IMMUTABLE, invalidValue, required } from '../field-cause.ts';
import { arrayOr, isObject, type JsonObject, objectOr } from '../json.ts';
import { labelNameProblem } from '../names.ts';
import type { StatusCause } from '../status.ts';
import { labelSelectorCauses } from './pod-rules.ts';
import type { ResourceRules } from './served-resource.ts';

const listOf = (parent: JsonObject, field: string): JsonObject[] => arrayOr(parent[field]).filter(isObject);

const portProblem = (value: unknown): string | undefined =>
  typeof value === 'number' && (value < 1 || value > 65_535)
    ? 'must be between 1 and 65535, inclusive'
    : undefined;

function portCauses(path: string, value: unknown): StatusCause[] {
  const problem = portProblem(value);
  return problem === undefined ? [] : [invalidValue(path, value, problem)];
}

/** Addresses of services are not allocated here: what the writer sets is kept. */
export const SERVICE_RULES: ResourceRules = {
  nameProblem: (name) =>
    /^[a-z]/.test(name)
      ? labelNameProblem(name)
      : "a DNS-1035 label must start with a lower case letter and consist of lower case alphanumeric characters or '-'",
  fillIn(service) {
    if (!isObject(service['spec'])) return;
    const spec = service['spec'];
    spec['type'] ??= 'ClusterIP';
    spec['sessionAffinity'] ??= 'None';
    if (spec['type'] !== 'ExternalName') spec['internalTrafficPolicy'] ??= 'Cluster';
    for (const port of listOf(spec, 'ports')) {
      port['protocol'] ??= 'TCP';
      port['targetPort'] ??= port['port'];
    }
  },
  check(service) {
    if (!isObject(service['spec'])) return [required('spec')];
    const spec = service['spec'];
    const ports = listOf(spec, 'ports');
    const causes = ports.flatMap((port, index) => [
      ...portCauses(`spec.ports[${index}].port`, port['port']),
      ...(ports.length > 1 && (port['name'] ?? '') === '' ? [required(`spec.ports[${index}].name`)] : []),
    ]);
    if (ports.length === 0 && spec['clusterIP'] !== 'None' && spec['type'] !== 'ExternalName') {
      causes.push(required('spec.ports'));
    }
    const address = spec['clusterIP'];
    if (
      typeof address === 'string' &&
      address !== '' &&
      address !== 'None' &&
      parseIp(address) === undefined
    ) {
      causes.push(invalidValue('spec.clusterIP', address, 'must be empty, "None" or a valid IP address'));
    }
    return causes;
  },
};

export const ENDPOINT_SLICE_RULES: ResourceRules = {
  fillIn(slice) {
    for (const port of listOf(slice, 'ports')) {
      port['name'] ??= '';
      port['protocol'] ??= 'TCP';
    }
  },
  check(slice) {
    const family = slice['addressType'];
    return listOf(slice, 'endpoints').flatMap((endpoint, index) =>
      arrayOr(endpoint['addresses']).flatMap((address, at) => {
        const isIp = typeof address === 'string' && parseIp(address)?.length === (family === 'IPv4' ? 4 : 16);
        return family === 'FQDN' || isIp
          ? []
          : [
              invalidValue(
                `endpoints[${index}].addresses[${at}]`,
                address,
                `must be a valid ${String(family)} address`,
              ),
            ];
      }),
    );
  },
  checkUpdate: (slice, current) =>
    slice['addressType'] === current['addressType']
      ? []
      : [invalidValue('addressType', slice['addressType'], IMMUTABLE)],
};

function peerCauses(peer: JsonObject, path: string): StatusCause[] {
  const block = peer['ipBlock'];
  const selectors = ['podSelector', 'namespaceSelector'].flatMap((field) =>
    labelSelectorCauses(peer[field], `${path}.${field}`),
  );
  if (!isObject(block)) {
    const isEmpty = peer['podSelector'] === undefined && peer['namespaceSelector'] === undefined;
    return isEmpty ? [required(path, 'must specify a peer')] : selectors;
  }
  if (peer['podSelector'] !== undefined || peer['namespaceSelector'] !== undefined) {
    return [forbiddenField(path, 'may not specify both ipBlock and another peer')];
  }
  const cidr = block['cidr'];
  if (typeof cidr !== 'string' || parsePrefix(cidr) === undefined) {
    return [
      invalidValue(`${path}.ipBlock.cidr`, cidr, 'must be a valid CIDR such as 10.9.8.0/24 or 2001:db8::/64'),
    ];
  }
  return arrayOr(block['except']).flatMap((except, index) => {
    const field = `${path}.ipBlock.except[${index}]`;
    if (typeof except !== 'string' || parsePrefix(except) === undefined) {
      return [invalidValue(field, except, 'must be a valid CIDR')];
    }
    return prefixContains(cidr, except)
      ? []
      : [invalidValue(field, except, `must be a strict subset of ${cidr}`)];
  });
}

function ruleCauses(policy: KubeObject, direction: 'ingress' | 'egress'): StatusCause[] {
  return listOf(objectOr(policy['spec']), direction).flatMap((rule, index) => {
    const path = `spec.${direction}[${index}]`;
    const peers = direction === 'ingress' ? 'from' : 'to';
    return [
      ...listOf(rule, peers).flatMap((peer, at) => peerCauses(peer, `${path}.${peers}[${at}]`)),
      ...listOf(rule, 'ports').flatMap((port, at) => [
        ...portCauses(`${path}.ports[${at}].port`, port['port']),
        ...portCauses(`${path}.ports[${at}].endPort`, port['endPort']),
        ...(port['endPort'] !== undefined && typeof port['port'] !== 'number'
          ? [forbiddenField(`${path}.ports[${at}].endPort`, 'may be specified with a numeric port only')]
          : []),
      ]),
    ];
  });
}

export const NETWORK_POLICY_RULES: ResourceRules = {
  fillIn(policy) {
    if (!isObject(policy['spec'])) return;
    const spec = policy['spec'];
    spec['podSelector'] ??= {};
    spec['policyTypes'] ??= arrayOr(spec['egress']).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
    for (const direction of ['ingress', 'egress']) {
      for (const rule of listOf(spec, direction)) {
        for (const port of listOf(rule, 'ports')) port['protocol'] ??= 'TCP';
      }
    }
  },
  check: (policy) => [
    ...labelSelectorCauses(objectOr(policy['spec'])['podSelector'], 'spec.podSelector'),
    ...ruleCauses(policy, 'ingress'),
    ...ruleCauses(policy, 'egress'),
  ],
};
