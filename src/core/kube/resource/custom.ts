/** The resources a CustomResourceDefinition adds: one per served version. */
import type { KubeObject } from '#core/store/index.ts';
import { arrayOr, isObject, type JsonObject, objectOr, stringOr } from '../json.ts';
import { NO_REFERENCES } from '../schema/node.ts';
import { AGE, type Column, NAME, printerColumn } from '../table/column.ts';
import { versionsOf } from './definition-rules.ts';
import { type ServedResource, storageKeyOf } from './served-resource.ts';

const VERSION = /^v(\d+)(?:(alpha|beta)(\d+))?$/;
const STAGE: Readonly<Record<string, number>> = { alpha: 1, beta: 2, '': 3 };

/** Orders API versions as Kubernetes prefers them: v2, v1, v1beta2, v1beta1, v1alpha1, then other words. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [VERSION.exec(a), VERSION.exec(b)];
  if (left === null || right === null) {
    if (left === null && right === null) return a < b ? -1 : a > b ? 1 : 0;
    return left === null ? 1 : -1;
  }
  const rank = (match: RegExpExecArray) => [
    STAGE[match[2] ?? ''] ?? 0,
    Number(match[1]),
    Number(match[3] ?? 0),
  ];
  const [one, other] = [rank(left), rank(right)];
  for (const [index, value] of one.entries()) {
    const difference = (other[index] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  return 0;
}

function columnsOf(version: JsonObject): Column[] {
  const declared = arrayOr(version['additionalPrinterColumns']).filter(isObject);
  if (declared.length === 0) return [NAME, AGE];
  return [NAME, ...declared.map(printerColumn).filter((column) => column !== undefined)];
}

const reversedDomain = (group: string): string => group.split('.').reverse().join('.');

const texts = (value: unknown): string[] => arrayOr(value).map(String);

/** The version in which objects of the definition are stored. */
const storageVersion = (definition: KubeObject): string =>
  stringOr(versionsOf(definition).find((version) => version['storage'] === true)?.['name']);

function servedVersion(definition: KubeObject, version: JsonObject): ServedResource {
  const spec = objectOr(definition['spec']);
  const names = objectOr(spec['names']);
  const group = stringOr(spec['group']);
  const kind = stringOr(names['kind']);
  const plural = stringOr(names['plural']);
  const name = stringOr(version['name']);
  const selectable = arrayOr(version['selectableFields']).map((field) =>
    stringOr(objectOr(field)['jsonPath']).replace(/^\./, ''),
  );
  return {
    group,
    version: name,
    plural,
    kind,
    namespaced: spec['scope'] === 'Namespaced',
    singular: stringOr(names['singular'], kind.toLowerCase()),
    listKind: stringOr(names['listKind'], `${kind}List`),
    shortNames: texts(names['shortNames']),
    categories: texts(names['categories']),
    storageKey: storageKeyOf(group, plural),
    storageVersion: storageVersion(definition),
    builtIn: false,
    hasStatus: isObject(objectOr(version['subresources'])['status']),
    keepsStatusOnCreate: false,
    hasGeneration: true,
    allowsBlindUpdate: false,
    schema: objectOr(objectOr(version['schema'])['openAPIV3Schema']),
    schemas: NO_REFERENCES,
    openApiName: `${reversedDomain(group)}.${name}.${kind}`,
    columns: columnsOf(version),
    selectableFields: ['metadata.name', 'metadata.namespace', ...selectable],
    rules: {},
    ...(version['deprecated'] === true && {
      deprecation: stringOr(version['deprecationWarning'], `${group}/${name} ${kind} is deprecated`),
    }),
  };
}

/** The served versions of a definition, the preferred one first. */
export const customResources = (definition: KubeObject): ServedResource[] =>
  versionsOf(definition)
    .filter((version) => version['served'] === true)
    .map((version) => servedVersion(definition, version))
    .sort((a, b) => compareVersions(a.version, b.version));

/** The resource in the version its objects are stored in, served or not. */
export function storedResource(definition: KubeObject): ServedResource | undefined {
  const stored = versionsOf(definition).find((version) => version['storage'] === true);
  return stored && servedVersion(definition, stored);
}
