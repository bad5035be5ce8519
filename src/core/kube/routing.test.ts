import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeContinue, encodeContinue } from './continue-token.ts';
import { groupResources } from './discovery.ts';
import { labelKeyProblem, labelNameProblem, labelValueProblem, subdomainProblem } from './names.ts';
import { bodyFormOf, negotiate, patchFormOf } from './negotiation.ts';
import { openApiV2, openApiV3 } from './openapi.ts';
import { BUILT_IN_RESOURCES } from './resource/built-in.ts';
import { fieldValidationOf, isDryRun, isTrue, parseResourcePath, verbOf, wholeNumber } from './routing.ts';
import { StatusError } from './status.ts';

const core = { group: '', version: 'v1' };

describe('a path', () => {
  it.each<[string, object | undefined]>([
    ['/api/v1/nodes', { ...core, plural: 'nodes' }],
    ['/api/v1/nodes/n1', { ...core, plural: 'nodes', name: 'n1' }],
    ['/api/v1/nodes/n1/status', { ...core, plural: 'nodes', name: 'n1', subresource: 'status' }],
    ['/api/v1/namespaces', { ...core, plural: 'namespaces' }],
    ['/api/v1/namespaces/', { ...core, plural: 'namespaces' }],
    ['/api/v1/namespaces/x', { ...core, plural: 'namespaces', name: 'x' }],
    ['/api/v1/namespaces/x/status', { ...core, plural: 'namespaces', name: 'x', subresource: 'status' }],
    ['/api/v1/namespaces/x/finalize', { ...core, plural: 'namespaces', name: 'x', subresource: 'finalize' }],
    ['/api/v1/namespaces/x/pods', { ...core, plural: 'pods', namespace: 'x' }],
    ['/api/v1/namespaces/x/pods/p', { ...core, plural: 'pods', namespace: 'x', name: 'p' }],
    [
      '/api/v1/namespaces/x/pods/p/status',
      { ...core, plural: 'pods', namespace: 'x', name: 'p', subresource: 'status' },
    ],
    ['/api/v1/pods', { ...core, plural: 'pods' }],
    ['/apis/a.b/v2/things/a%2Fb', { group: 'a.b', version: 'v2', plural: 'things', name: 'a/b' }],
    ['/api/v1', undefined],
    ['/apis/a.b/v2', undefined],
    ['/apis/a.b', undefined],
    ['/version', undefined],
    ['/', undefined],
    ['/api/v1//pods', undefined],
    ['/api/v1/nodes/a/b/c', undefined],
    ['/api/v1/namespaces/x/pods/p/status/more', undefined],
  ])('%s names %j', (path, expected) => {
    expect(parseResourcePath(path)).toEqual(expected);
  });

  it('is refused with bad percent-encoding', () => {
    expect(() => parseResourcePath('/api/v1/nodes/%zz')).toThrow(StatusError);
  });
});

describe('a method', () => {
  const pods = { group: '', plural: 'pods', kind: 'Pod' };
  it.each<[string, boolean, string, string]>([
    ['GET', true, '', 'get'],
    ['GET', false, '', 'list'],
    ['GET', false, 'watch=true', 'watch'],
    ['GET', true, 'watch=1', 'watch'],
    ['GET', false, 'watch=false', 'list'],
    ['HEAD', false, '', 'list'],
    ['POST', false, '', 'create'],
    ['PUT', true, '', 'update'],
    ['PATCH', true, '', 'patch'],
    ['DELETE', true, '', 'delete'],
    ['DELETE', false, '', 'deletecollection'],
  ])('%s (one object: %j, %s) means %s', (method, hasName, query, verb) => {
    expect(verbOf(method, hasName, new URLSearchParams(query), pods)).toBe(verb);
  });

  it.each<[string, boolean]>([
    ['POST', true],
    ['PUT', false],
    ['PATCH', false],
    ['OPTIONS', false],
  ])('%s (one object: %j) is refused', (method, hasName) => {
    expect(() => verbOf(method, hasName, new URLSearchParams(), pods)).toThrow(
      'is not supported on resources of kind "pods"',
    );
  });
});

describe('query parameters', () => {
  it('are read as Kubernetes reads them', () => {
    const query = new URLSearchParams('limit=5&empty=&dryRun=All&fieldValidation=Strict');
    expect([wholeNumber(query, 'limit'), wholeNumber(query, 'empty'), wholeNumber(query, 'none')]).toEqual([
      5,
      undefined,
      undefined,
    ]);
    expect(isDryRun(query)).toBe(true);
    expect(fieldValidationOf(query)).toBe('Strict');
    expect([isTrue(null), isTrue('0'), isTrue('False'), isTrue('')]).toEqual([false, false, false, true]);
    expect(fieldValidationOf(new URLSearchParams())).toBe('Warn');
  });

  it.each(['-1', '1.5', 'x', '9'.repeat(20)])('refuse %j as a number', (text) => {
    expect(() => wholeNumber(new URLSearchParams({ limit: text }), 'limit')).toThrow('not a whole number');
  });
});

describe('an Accept header', () => {
  it.each<[string | undefined, string]>([
    [undefined, 'object'],
    ['', 'object'],
    ['*/*', 'object'],
    ['application/json', 'object'],
    ['application/vnd.kubernetes.protobuf, */*', 'object'],
    [
      'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
      'table',
    ],
    ['application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json', 'object'],
    ['application/json; as=PartialObjectMetadata; v=v1; g=meta.k8s.io', 'partial'],
    ['application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList', 'discovery'],
    ['application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json', 'object'],
  ])('%j asks for %s', (header, form) => {
    expect(negotiate(header, ['object', 'table', 'partial', 'discovery'])).toBe(form);
  });

  it.each([
    'text/html',
    'application/vnd.kubernetes.protobuf',
    'application/json;as=Table;v=v9;g=meta.k8s.io',
  ])('%j is refused', (header) => {
    expect(() => negotiate(header, ['object', 'table'])).toThrow('application/json');
  });
});

describe('a Content-Type', () => {
  it.each<[string | undefined, string]>([
    [undefined, 'json'],
    ['application/json; charset=utf-8', 'json'],
    ['application/yaml', 'yaml'],
    ['application/vnd.kubernetes.protobuf', 'protobuf'],
  ])('%j is %s', (header, form) => {
    expect(bodyFormOf(header)).toBe(form);
  });

  it('names the patch form, and what to use in place of others', () => {
    expect(patchFormOf('application/json-patch+json', false)).toBe('json');
    expect(patchFormOf('application/merge-patch+json', false)).toBe('merge');
    expect(patchFormOf('application/strategic-merge-patch+json', true)).toBe('strategic');
    expect(() => patchFormOf('application/strategic-merge-patch+json', false)).toThrow(
      'built-in resources only',
    );
    expect(() => patchFormOf('application/apply-patch+yaml', true)).toThrow('--server-side=false');
    expect(() => patchFormOf(undefined, true)).toThrow('use one of');
    expect(() => bodyFormOf('text/plain')).toThrow('application/yaml');
  });
});

describe('names', () => {
  it.each<[string, (text: string) => string | undefined, string[], string[]]>([
    ['labels', labelNameProblem, ['a', 'a-1', '1a'], ['', 'A', 'a.b', '-a', 'a-', 'a'.repeat(64)]],
    ['subdomains', subdomainProblem, ['a', 'a.b-c.d'], ['', 'a..b', 'a_b', 'A', 'a'.repeat(254)]],
    ['label keys', labelKeyProblem, ['a', 'A_b.c', 'x.y/Z'], ['', '/a', 'x/', 'a b', 'X/y', '-a']],
    ['label values', labelValueProblem, ['', 'a', 'A_b.c'], ['-a', 'a b', 'a'.repeat(64)]],
  ])('of %s', (_, problem, good, bad) => {
    for (const text of good) expect(problem(text), text).toBeUndefined();
    for (const text of bad) expect(problem(text), text).toBeTypeOf('string');
  });
});

describe('a continue token', () => {
  it('reads back as it was written', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.stringMatching(/^[a-z0-9.-]*$/),
        fc.stringMatching(/^[a-z0-9.-]*$/),
        (version, namespace, name) => {
          const text = encodeContinue({ version, namespace, name });
          expect(text).toMatch(/^[\w-]*$/);
          expect(decodeContinue(text)).toEqual({ version, namespace, name });
        },
      ),
    );
  });

  it('is refused when it is none, whatever it is', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => decodeContinue(text)).toThrow('continue key is not valid');
      }),
    );
  });
});

describe('documents about resources', () => {
  it('group them by group and version', () => {
    const groups = groupResources(BUILT_IN_RESOURCES);
    expect(groups[0]?.name).toBe('');
    expect(groups.map(({ name }) => name)).toContain('coordination.k8s.io');
    expect(groups.flatMap(({ versions }) => versions.flatMap(({ resources }) => resources))).toHaveLength(
      BUILT_IN_RESOURCES.length,
    );
  });

  it('say of each resource that fields are validated, and which patches it takes', () => {
    const { paths } = openApiV3(BUILT_IN_RESOURCES) as unknown as {
      paths: Record<string, { patch?: { parameters: { name: string }[]; requestBody: { content: object } } }>;
    };
    const patches = Object.entries(paths).filter(([path]) => path.endsWith('/{name}'));
    expect(patches).toHaveLength(BUILT_IN_RESOURCES.length);
    for (const [path, { patch }] of patches) {
      expect(
        patch?.parameters.map(({ name }) => name),
        path,
      ).toContain('fieldValidation');
      expect(Object.keys(patch?.requestBody.content ?? {}), path).toContain(
        'application/strategic-merge-patch+json',
      );
    }
  });

  it('say the same in the old format', () => {
    const v2 = openApiV2(BUILT_IN_RESOURCES) as unknown as { definitions: object };
    const text = JSON.stringify(v2);
    expect(text).not.toContain('#/components/schemas');
    for (const [, name = ''] of text.matchAll(/"#\/definitions\/([^"]+)"/g))
      expect(Object.keys(v2.definitions)).toContain(name);
  });
});
