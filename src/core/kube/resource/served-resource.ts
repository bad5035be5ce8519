/** What the server knows of one resource in one version: names for discovery, schema, columns and rules. */
import type { KubeObject, ResourcePath } from '#core/store/index.ts';
import type { SchemaNode, SchemaSource } from '../schema/node.ts';
import type { StatusCause } from '../status.ts';
import type { Column } from '../table/column.ts';

/** The rules of a resource that its schema cannot say. */
export interface ResourceRules {
  /** Fills in what the server decides; changes its argument. */
  readonly fillIn?: (object: KubeObject) => void;
  readonly check?: (object: KubeObject) => StatusCause[];
  readonly checkUpdate?: (object: KubeObject, current: KubeObject) => StatusCause[];
  /** Undefined when the text may name such an object, else what is wrong. */
  readonly nameProblem?: (name: string) => string | undefined;
}

export interface ServedResource extends ResourcePath {
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Where objects of all versions are stored: `pods`, `leases.coordination.k8s.io`. */
  readonly storageKey: string;
  /** The version stored texts are written in. */
  readonly storageVersion: string;
  readonly builtIn: boolean;
  readonly hasStatus: boolean;
  /** Whether a created object may bring its status along (nodes do). */
  readonly keepsStatusOnCreate: boolean;
  readonly hasGeneration: boolean;
  /** Whether a replace without resourceVersion is allowed. */
  readonly allowsBlindUpdate: boolean;
  readonly schema: SchemaNode;
  readonly schemas: SchemaSource;
  readonly openApiName: string;
  readonly columns: readonly Column[];
  readonly selectableFields: readonly string[];
  readonly rules: ResourceRules;
  /** Text for a Warning header when a deprecated version is used. */
  readonly deprecation?: string;
}

/** `v1` or `apps/v1`, as objects write it. */
export const apiVersionOf = (resource: { readonly group: string; readonly version: string }): string =>
  resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;

/** The plural with its group: `leases.coordination.k8s.io`. */
export const storageKeyOf = (group: string, plural: string): string =>
  group === '' ? plural : `${plural}.${group}`;
