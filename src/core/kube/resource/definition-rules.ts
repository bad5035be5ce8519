/**
 * Rules of CustomResourceDefinitions: names, versions and structural schemas are checked, and the status that says
 * "established" is written at once, for there is no controller that does it later.
 */
import type { KubeObject } from '#core/store/index.ts';
import { duplicate, IMMUTABLE, invalidValue, notSupported, required } from '../field-cause.ts';
import { arrayOr, isObject, type JsonObject, objectOr, stringOr } from '../json.ts';
import { labelNameProblem, subdomainProblem } from '../names.ts';
import type { SchemaNode } from '../schema/node.ts';
import { patternOf } from '../schema/validate.ts';
import type { StatusCause } from '../status.ts';
import { printerColumn } from '../table/column.ts';
import type { ResourceRules } from './served-resource.ts';

const SCHEMA_TYPES = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const COLUMN_TYPES = ['boolean', 'date', 'integer', 'number', 'string'];

const specOf = (definition: KubeObject): JsonObject => objectOr(definition['spec']);

export const versionsOf = (definition: KubeObject): JsonObject[] =>
  arrayOr(specOf(definition)['versions']).filter(isObject);

function established(definition: KubeObject): JsonObject {
  const status = objectOr(definition['status']);
  const before = arrayOr(status['conditions']).filter(isObject);
  const condition = (type: string, reason: string, message: string): JsonObject => ({
    type,
    status: 'True',
    lastTransitionTime:
      before.find((known) => known['type'] === type)?.['lastTransitionTime'] ??
      definition.metadata.creationTimestamp,
    reason,
    message,
  });
  const storage = versionsOf(definition)
    .filter((version) => version['storage'] === true)
    .map((version) => version['name']);
  return {
    conditions: [
      condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
      condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
    ],
    acceptedNames: specOf(definition)['names'],
    storedVersions: [...new Set([...arrayOr(status['storedVersions']), ...storage])],
  };
}

function fillIn(definition: KubeObject): void {
  if (!isObject(definition['spec'])) return;
  const spec = definition['spec'];
  const names = objectOr(spec['names']);
  const kind = stringOr(names['kind']);
  names['singular'] ??= kind.toLowerCase();
  names['listKind'] ??= `${kind}List`;
  spec['conversion'] ??= { strategy: 'None' };
  definition['status'] = established(definition);
}

function nameCauses(definition: KubeObject): StatusCause[] {
  const spec = specOf(definition);
  const names = objectOr(spec['names']);
  const causes: StatusCause[] = [];
  const group = stringOr(spec['group']);
  const problem = subdomainProblem(group);
  if (problem !== undefined) causes.push(invalidValue('spec.group', group, problem));
  else if (!group.includes('.')) {
    causes.push(invalidValue('spec.group', group, 'should be a domain with at least one dot'));
  }
  for (const field of ['plural', 'singular']) {
    const wrong = labelNameProblem(stringOr(names[field]));
    if (wrong !== undefined) causes.push(invalidValue(`spec.names.${field}`, names[field], wrong));
  }
  if (!/^[A-Za-z][A-Za-z0-9-]*$/.test(stringOr(names['kind']))) {
    causes.push(invalidValue('spec.names.kind', names['kind'], 'must be a CamelCase word such as CronTab'));
  }
  const expected = `${stringOr(names['plural'])}.${group}`;
  if (definition.metadata.name !== expected) {
    causes.push(
      invalidValue(
        'metadata.name',
        definition.metadata.name,
        `must be spec.names.plural+"."+spec.group, here "${expected}"`,
      ),
    );
  }
  return causes;
}

function nodeCauses(node: SchemaNode, path: string, isRoot: boolean): StatusCause[] {
  const causes: StatusCause[] = [];
  const mayOmitType =
    node['x-kubernetes-int-or-string'] === true || node['x-kubernetes-preserve-unknown-fields'] === true;
  if (node.$ref !== undefined) causes.push(invalidValue(`${path}.$ref`, node.$ref, '$ref is not supported'));
  if (node.type === undefined) {
    if (!mayOmitType) causes.push(required(`${path}.type`, 'must not be empty for specified object fields'));
  } else if (!SCHEMA_TYPES.includes(node.type)) {
    causes.push(notSupported(`${path}.type`, node.type, SCHEMA_TYPES));
  } else if (isRoot && node.type !== 'object') {
    causes.push(invalidValue(`${path}.type`, node.type, 'must be object at the root'));
  }
  if (node.pattern !== undefined && patternOf(node) === null) {
    causes.push(invalidValue(`${path}.pattern`, node.pattern, 'must be a valid regular expression'));
  }
  if (node.type === 'array' && !isObject(node.items)) {
    causes.push(required(`${path}.items`, 'must be specified'));
  }
  if (node['x-kubernetes-list-type'] === 'map' && (node['x-kubernetes-list-map-keys'] ?? []).length === 0) {
    causes.push(
      required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'),
    );
  }
  for (const [key, property] of Object.entries(node.properties ?? {})) {
    causes.push(...nodeCauses(property, `${path}.properties[${key}]`, false));
  }
  if (isObject(node.items)) causes.push(...nodeCauses(node.items, `${path}.items`, false));
  if (isObject(node.additionalProperties)) {
    causes.push(...nodeCauses(node.additionalProperties, `${path}.additionalProperties`, false));
  }
  return causes;
}

function columnCauses(version: JsonObject, path: string): StatusCause[] {
  return arrayOr(version['additionalPrinterColumns'])
    .filter(isObject)
    .flatMap((declaration, index) => {
      const field = `${path}.additionalPrinterColumns[${index}]`;
      const type = declaration['type'];
      return [
        ...(typeof type === 'string' && !COLUMN_TYPES.includes(type)
          ? [notSupported(`${field}.type`, type, COLUMN_TYPES)]
          : []),
        ...(declaration['jsonPath'] !== undefined && printerColumn(declaration) === undefined
          ? [
              invalidValue(
                `${field}.jsonPath`,
                declaration['jsonPath'],
                'is not a JSON path this server reads',
              ),
            ]
          : []),
      ];
    });
}

function versionCauses(definition: KubeObject): StatusCause[] {
  const versions = versionsOf(definition);
  const causes: StatusCause[] = [];
  const stored = versions.filter((version) => version['storage'] === true);
  if (stored.length !== 1) {
    causes.push(
      invalidValue(
        'spec.versions',
        versions.map((version) => version['name']),
        'must have exactly one version marked as storage version',
      ),
    );
  }
  const seen = new Set<unknown>();
  for (const [index, version] of versions.entries()) {
    const path = `spec.versions[${index}]`;
    const problem = labelNameProblem(stringOr(version['name']));
    if (problem !== undefined) causes.push(invalidValue(`${path}.name`, version['name'], problem));
    if (seen.has(version['name'])) causes.push(duplicate(`${path}.name`, version['name']));
    seen.add(version['name']);
    const schema = objectOr(version['schema'])['openAPIV3Schema'];
    if (!isObject(schema)) causes.push(required(`${path}.schema.openAPIV3Schema`, 'schemas are required'));
    else causes.push(...nodeCauses(schema, `${path}.schema.openAPIV3Schema`, true));
    causes.push(...columnCauses(version, path));
  }
  return causes;
}

function check(definition: KubeObject): StatusCause[] {
  const conversion = objectOr(specOf(definition)['conversion']);
  return [
    ...nameCauses(definition),
    ...versionCauses(definition),
    ...(conversion['strategy'] === 'Webhook'
      ? [notSupported('spec.conversion.strategy', 'Webhook', ['None'])]
      : []),
  ];
}

function checkUpdate(definition: KubeObject, current: KubeObject): StatusCause[] {
  const [now, before] = [specOf(definition), specOf(current)];
  const [names, namesBefore] = [objectOr(now['names']), objectOr(before['names'])];
  const stored = arrayOr(objectOr(current['status'])['storedVersions']);
  const kept = versionsOf(definition).map((version) => version['name']);
  return [
    ...(now['scope'] === before['scope'] ? [] : [invalidValue('spec.scope', now['scope'], IMMUTABLE)]),
    ...['kind', 'plural']
      .filter((field) => names[field] !== namesBefore[field])
      .map((field) => invalidValue(`spec.names.${field}`, names[field], IMMUTABLE)),
    ...stored
      .filter((version) => !kept.includes(version))
      .map((version) =>
        invalidValue(
          'status.storedVersions',
          version,
          'must appear in spec.versions while objects may be stored in it',
        ),
      ),
  ];
}

export const DEFINITION_RULES: ResourceRules = { fillIn, check, checkUpdate };

const hasCelRules = (node: unknown): boolean => {
  if (Array.isArray(node)) return node.some(hasCelRules);
  return (
    isObject(node) &&
    (arrayOr(node['x-kubernetes-validations']).length > 0 || Object.values(node).some(hasCelRules))
  );
};

/** What a writer of the definition should know: parts that are stored but have no effect here. */
export function definitionWarnings(definition: KubeObject): string[] {
  const versions = versionsOf(definition);
  const scaled = versions.some((version) => isObject(objectOr(version['subresources'])['scale']));
  return [
    ...(versions.some((version) => hasCelRules(version['schema']))
      ? ['x-kubernetes-validations rules are stored, but this server does not evaluate them']
      : []),
    ...(scaled ? ['the scale subresource is stored, but this server does not serve it'] : []),
  ];
}
