/**
 * The words that definitions of policies' kinds are made of: structural schemas, as CustomResourceDefinitions have them. They say of a
 * field what a schema can say; what depends on other fields is told by core/policy/translate.
 */

/** A node of a structural schema. */
export type Schema = Readonly<Record<string, unknown>>;

export const text = (description: string, more: Schema = {}): Schema => ({
  type: 'string',
  description,
  ...more,
});
export const flag = (description: string): Schema => ({ type: 'boolean', description });
export const oneOf = (description: string, values: readonly string[]): Schema => ({
  type: 'string',
  description,
  enum: values,
});
export const integer = (description: string, minimum: number, maximum: number): Schema => ({
  type: 'integer',
  description,
  minimum,
  maximum,
});
/** A name of DNS, or with `*.` before it all names below. */
export const DOMAIN: Schema = {
  type: 'string',
  pattern:
    '^(\\*\\.)?([a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\\.)+[a-zA-Z0-9]([-a-zA-Z0-9_]*[a-zA-Z0-9])?\\.?$',
};
export const list = (description: string, items: Schema, more: Schema = {}): Schema => ({
  type: 'array',
  description,
  items,
  ...more,
});
export const object = (
  description: string,
  properties: Readonly<Record<string, Schema>>,
  more: Schema = {},
) => ({
  type: 'object',
  description,
  properties,
  ...more,
});
/** An object with exactly one of its keys. */
export const choice = (description: string, properties: Readonly<Record<string, Schema>>): Schema =>
  object(description, properties, { minProperties: 1, maxProperties: 1 });
export const textMap = (description: string, values: Schema = { type: 'string' }): Schema => ({
  type: 'object',
  description,
  additionalProperties: values,
});

export const DIRECTIONS = ['Ingress', 'Egress'];
export const PORT_PROTOCOLS = ['TCP', 'UDP', 'SCTP'];
/** RFC 6335 section 5.1, as far as an expression without looking ahead can say it. */
export const PORT_NAME: Schema = { pattern: '^[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?$' };
const LABEL_VALUE: Schema = {
  type: 'string',
  maxLength: 63,
  pattern: '^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$',
};

/** metav1.LabelSelector. */
export function labelSelector(description: string): Schema {
  const expression = object(
    'A requirement.',
    {
      key: text('The label it is about.', { minLength: 1 }),
      operator: oneOf('How its values are compared.', ['In', 'NotIn', 'Exists', 'DoesNotExist']),
      values: list('For In and NotIn: one at least; else none.', LABEL_VALUE),
    },
    { required: ['key', 'operator'] },
  );
  return object(`${description} An empty selector selects all.`, {
    matchLabels: textMap('Labels that must be there, with these values.', LABEL_VALUE),
    matchExpressions: list('Requirements, all of which must hold.', expression),
  });
}

/** One kind in one version. */
export interface Definition {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly isNamespaced: boolean;
  readonly description: string;
  readonly spec: Schema;
  /** Whether there is nothing without a spec. */
  readonly needsSpec: boolean;
  /** Absent: any. */
  readonly name?: Schema;
  /** Header and path in the spec, or in the object where it begins with a dot. */
  readonly columns: readonly (readonly [header: string, path: string, type?: 'integer' | 'number'])[];
  /** Whether agents say in its status that they use it. */
  readonly hasConditions: boolean;
}

const CONDITIONS: Schema = object('What agents say of the policy.', {
  conditions: {
    ...list(
      'Accepted: whether it is used.',
      object(
        'A condition.',
        {
          type: text('What it is about.', { minLength: 1 }),
          status: oneOf('Whether it is so.', ['True', 'False', 'Unknown']),
          observedGeneration: { type: 'integer', format: 'int64', description: 'Of which spec it speaks.' },
          lastTransitionTime: text('When the status became another.', { format: 'date-time' }),
          reason: text('Why, in a word.', { minLength: 1 }),
          message: text('Why, for people.'),
        },
        { required: ['type', 'status', 'lastTransitionTime', 'reason', 'message'] },
      ),
    ),
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['type'],
  },
});

/** API servers want to know of groups of k8s.io whether somebody has approved their schemas. */
const UNAPPROVED = 'unapproved, written for Poplin';

/** The CustomResourceDefinition of a kind. */
export function customResourceDefinition(definition: Definition): Schema {
  const { group, version, kind, plural, shortNames, isNamespaced, columns, hasConditions } = definition;
  const metadata = definition.name && object('', { name: definition.name });
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      annotations: {
        // With a definition all its objects go: policies outlive the chart.
        'helm.sh/resource-policy': 'keep',
        ...(group.endsWith('.k8s.io') && { 'api-approved.kubernetes.io': UNAPPROVED }),
      },
    },
    spec: {
      group,
      scope: isNamespaced ? 'Namespaced' : 'Cluster',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        ...(shortNames && { shortNames }),
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          ...(hasConditions && { subresources: { status: {} } }),
          additionalPrinterColumns: [
            ...columns.map(([name, path, type = 'string']) => ({
              name,
              type,
              jsonPath: path.startsWith('.') ? path : `.spec.${path}`,
            })),
            { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
          ],
          schema: {
            openAPIV3Schema: object(
              definition.description,
              {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: metadata === undefined ? { type: 'object' } : withoutDescription(metadata),
                spec: definition.spec,
                ...(hasConditions && { status: CONDITIONS }),
              },
              definition.needsSpec ? { required: ['spec'] } : {},
            ),
          },
        },
      ],
    },
  };
}

function withoutDescription({ description: _, ...rest }: Schema): Schema {
  return rest;
}
