/** Rules of nodes, namespaces, config maps, secrets and leases. */
import { base64, utf8 } from '#base/bytes.ts';
import { parsePrefix } from '#base/ip/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { duplicate, forbiddenField, IMMUTABLE, invalidValue } from '../field-cause.ts';
import { arrayOr, equalJson, isObject, objectOr } from '../json.ts';
import { labelNameProblem } from '../names.ts';
import type { StatusCause } from '../status.ts';
import type { ResourceRules } from './served-resource.ts';

const NAMESPACE_LABEL = 'kubernetes.io/metadata.name';

export const NAMESPACE_RULES: ResourceRules = {
  nameProblem: labelNameProblem,
  fillIn(namespace) {
    namespace.metadata.labels = { ...namespace.metadata.labels, [NAMESPACE_LABEL]: namespace.metadata.name };
    namespace['spec'] = { ...objectOr(namespace['spec']), finalizers: ['kubernetes'] };
    namespace['status'] ??= { phase: 'Active' };
  },
};

function podCidrs(node: KubeObject): unknown[] {
  const spec = objectOr(node['spec']);
  const list = arrayOr(spec['podCIDRs']);
  return list.length > 0 ? [...list] : spec['podCIDR'] === undefined ? [] : [spec['podCIDR']];
}

export const NODE_RULES: ResourceRules = {
  fillIn(node) {
    if (!isObject(node['spec'])) node['spec'] = {};
    const spec = objectOr(node['spec']);
    const [first] = podCidrs(node);
    if (first === undefined) return;
    // podCIDR and the first of podCIDRs are the same fact written twice
    spec['podCIDRs'] = podCidrs(node);
    spec['podCIDR'] ??= first;
  },
  check(node) {
    const cidrs = podCidrs(node);
    const causes: StatusCause[] = cidrs.flatMap((cidr, index) =>
      typeof cidr === 'string' && parsePrefix(cidr) !== undefined
        ? []
        : [
            invalidValue(
              `spec.podCIDRs[${index}]`,
              cidr,
              'must be a valid CIDR such as 10.9.8.0/24 or 2001:db8::/64',
            ),
          ],
    );
    if (cidrs.length > 0 && objectOr(node['spec'])['podCIDR'] !== cidrs[0]) {
      causes.push(invalidValue('spec.podCIDRs[0]', cidrs[0], 'must match `podCIDR`'));
    }
    const seen = new Set<string>();
    for (const [index, taint] of arrayOr(objectOr(node['spec'])['taints']).filter(isObject).entries()) {
      const identity = `${String(taint['key'])}:${String(taint['effect'])}`;
      if (seen.has(identity)) causes.push(duplicate(`spec.taints[${index}]`, identity));
      seen.add(identity);
    }
    return causes;
  },
  checkUpdate(node, current) {
    const before = podCidrs(current);
    return before.length === 0 || equalJson(before, podCidrs(node))
      ? []
      : [forbiddenField('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid')];
  },
};

const KEY = /^[-._a-zA-Z0-9]{1,253}$/;

const keyCauses = (object: KubeObject, fields: readonly string[]): StatusCause[] =>
  fields.flatMap((field) =>
    Object.keys(objectOr(object[field]))
      .filter((key) => !KEY.test(key) || key === '.' || key.startsWith('..'))
      .map((key) =>
        invalidValue(
          `${field}[${key}]`,
          key,
          "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name', or 'KEY_NAME', or 'key-name')",
        ),
      ),
  );

function immutableCauses(object: KubeObject, current: KubeObject, fields: readonly string[]): StatusCause[] {
  if (current['immutable'] !== true) return [];
  return ['immutable', ...fields]
    .filter((field) => !equalJson(object[field] ?? {}, current[field] ?? {}))
    .map((field) => forbiddenField(field, 'field is immutable when `immutable` is set'));
}

export const CONFIG_MAP_RULES: ResourceRules = {
  check(map) {
    const shared = Object.keys(objectOr(map['data'])).filter((key) =>
      Object.hasOwn(objectOr(map['binaryData']), key),
    );
    return [
      ...keyCauses(map, ['data', 'binaryData']),
      ...shared.map((key) => invalidValue(`data[${key}]`, key, 'duplicate of key present in binaryData')),
    ];
  },
  checkUpdate: (map, current) => immutableCauses(map, current, ['data', 'binaryData']),
};

export const SECRET_RULES: ResourceRules = {
  fillIn(secret) {
    secret['type'] ??= 'Opaque';
    const plain = objectOr(secret['stringData']);
    delete secret['stringData'];
    if (Object.keys(plain).length === 0) return;
    const encoded = Object.entries(plain).map(([key, value]) => [key, base64(utf8(String(value)))]);
    secret['data'] = { ...objectOr(secret['data']), ...Object.fromEntries(encoded) };
  },
  check: (secret) => keyCauses(secret, ['data']),
  checkUpdate: (secret, current) => [
    ...immutableCauses(secret, current, ['data']),
    ...(secret['type'] === current['type'] ? [] : [invalidValue('type', secret['type'], IMMUTABLE)]),
  ],
};

export const LEASE_RULES: ResourceRules = {
  check(lease) {
    const spec = objectOr(lease['spec']);
    const seconds = spec['leaseDurationSeconds'];
    const transitions = spec['leaseTransitions'];
    return [
      ...(typeof seconds === 'number' && seconds <= 0
        ? [invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0')]
        : []),
      ...(typeof transitions === 'number' && transitions < 0
        ? [invalidValue('spec.leaseTransitions', transitions, 'must be greater than or equal to 0')]
        : []),
    ];
  },
};
