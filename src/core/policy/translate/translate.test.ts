import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#core/store/index.ts';
import { runs } from '#testing/soak.ts';
import { KINDS } from './kinds.ts';
import { complaints, factOf, object, type Written } from './text.fixture.ts';
import { translate } from './translate.ts';
import { WHOLE_DOCUMENTS } from './whole-documents.fixture.ts';

const policy = (rest: object = {}): Written => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  spec: { podSelector: {} },
  ...rest,
});

test.each([
  ['apps/v1', 'Deployment'],
  ['v1', 'NetworkPolicy'],
  ['networking.k8s.io/v1', 'constructor'],
  ['constructor/v1', 'name'],
])('an object of %s, kind %s, says nothing to policies', (apiVersion, kind) => {
  expect(translate(object({ apiVersion, kind, spec: {} }))).toEqual({ problems: [], warnings: [] });
});

test('an object means the same each time, and is not changed', () => {
  for (const written of WHOLE_DOCUMENTS) {
    const given = object(written);
    const copy = structuredClone(given);
    expect(translate(given)).toEqual(translate(copy));
    expect(given).toEqual(copy);
  }
});

test('a policy with a problem is none, and it is known which one', () => {
  expect(translate(object(policy({ spec: { podSelector: {}, policyTypes: ['in'] } })))).toEqual({
    ref: { kind: 'NetworkPolicy', namespace: 'shop', name: 'web' },
    problems: [{ path: 'spec.policyTypes[0]', message: '"in" is not Ingress or Egress' }],
    warnings: [],
  });
});

test('a policy with a warning is one', () => {
  const { fact, warnings } = translate(object(policy({ spec: { podSelector: {}, polcyTypes: [] } })));
  expect(fact).toBeDefined();
  expect(warnings).toEqual([
    {
      path: 'spec.polcyTypes',
      message: 'is not known here, and has no effect (did you mean "policyTypes"?)',
    },
  ]);
});

describe('of the object itself it is told', () => {
  test.each<[string, Written, string[]]>([
    ['that it has no name', policy({ metadata: { name: '' } }), ['metadata.name: is missing']],
    ['that its name is none', policy({ metadata: { name: 5 } }), ['metadata.name: 5 is not a text']],
    [
      'that it has no namespace',
      policy({ metadata: { namespace: undefined } }),
      ['metadata.namespace: is missing'],
    ],
    ['that a label is none', policy({ metadata: { labels: { a: 1 } } }), ['metadata.labels.a: 1 is no text']],
    [
      'that a key stands beside the spec and not in it',
      policy({ ingress: [], status: {} }),
      ['warning ingress: is not known here, and has no effect'],
    ],
  ])('%s', (_, written, told) => {
    expect(complaints(written)).toEqual(told);
  });

  test('nothing of a status, of annotations, and of keys of kinds that nobody writes', () => {
    expect(complaints(policy({ status: { conditions: [] }, metadata: { annotations: { a: 'b' } } }))).toEqual(
      [],
    );
    expect(complaints({ apiVersion: 'v1', kind: 'ServiceAccount', secrets: [] })).toEqual([]);
    expect(factOf({ apiVersion: 'v1', kind: 'Pod', spec: { dnsPolicy: 'Default' } })).toBeDefined();
  });
});

const KIND_ROWS = Object.entries(KINDS).flatMap(([group, rows]) =>
  Object.keys(rows).map((kind) => ({ apiVersion: group === '' ? 'v1' : `${group}/v1`, kind })),
);

/** Some value of a document replaced by something else. */
function replaced(value: unknown, at: number, by: unknown): unknown {
  let count = 0;
  const walk = (each: unknown): unknown => {
    if (count++ === at) return by;
    if (Array.isArray(each)) return each.map(walk);
    if (typeof each !== 'object' || each === null) return each;
    return Object.fromEntries(Object.entries(each).map(([key, item]) => [key, walk(item)]));
  };
  return walk(value);
}

describe('any object', () => {
  test('is translated without a throw', () => {
    const keys = [
      'spec',
      'status',
      'metadata',
      'endpoints',
      'ports',
      'labels',
      'containers',
      'ingress',
      'addresses',
    ];
    const value = fc.jsonValue({ maxDepth: 4 });
    const rest = fc.dictionary(
      fc.constantFrom(...keys),
      fc.oneof(value, fc.dictionary(fc.constantFrom(...keys), value)),
    );
    const metadata = fc.oneof(value, fc.constant({ name: 'a', namespace: 'b' }));
    fc.assert(
      fc.property(fc.constantFrom(...KIND_ROWS), rest, metadata, (row, more, meta) => {
        translate({ ...more, metadata: meta, ...row } as KubeObject);
      }),
      runs(500, 100_000),
    );
  });

  test('that was right but for one value is translated, or the value’s place is told', () => {
    const wrong = fc.oneof(
      fc.constant(null),
      fc.constant({}),
      fc.constant([]),
      fc.constant(''),
      fc.integer(),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.constantFrom(...WHOLE_DOCUMENTS), fc.nat(120), wrong, (written, at, by) => {
        const spec = replaced(written.spec, at, by);
        const { fact, problems } = translate(object({ ...written, spec }));
        if (problems.length === 0) expect(fact).toBeDefined();
        else expect(fact).toBeUndefined();
        for (const { path } of problems) expect(path).toMatch(/^spec/);
      }),
      runs(500, 100_000),
    );
  });
});
