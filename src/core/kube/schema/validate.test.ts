import { describe, expect, it } from 'vitest';
import { BUILT_IN_TYPES } from './library.ts';
import { NO_REFERENCES, type SchemaNode } from './node.ts';
import { shapeValue, withDefaults } from './shape.ts';
import { validate } from './validate.ts';

const complaints = (value: unknown, node: SchemaNode) =>
  validate(value, node, 'spec', NO_REFERENCES).map(({ field, message }) => `${field}: ${message}`);

describe('a value', () => {
  it.each<[string, unknown, SchemaNode, string | undefined]>([
    ['a string', 'a', { type: 'string' }, undefined],
    [
      'a number for a string',
      1,
      { type: 'string' },
      'spec: Invalid value: 1: spec in body must be of type string: "integer"',
    ],
    ['a fraction for an integer', 1.5, { type: 'integer' }, 'must be of type integer: "number"'],
    ['an integer for a number', 1, { type: 'number' }, undefined],
    ['an array for an object', [], { type: 'object' }, 'must be of type object: "array"'],
    ['null', null, { type: 'string' }, 'must be of type string: "null"'],
    ['a null that is allowed', null, { type: 'string', nullable: true }, undefined],
    ['int-or-string: int', 5, { 'x-kubernetes-int-or-string': true }, undefined],
    ['int-or-string: string', 'x', { 'x-kubernetes-int-or-string': true }, undefined],
    ['int-or-string: boolean', true, { 'x-kubernetes-int-or-string': true }, 'integer or string'],
    [
      'an enum',
      'C',
      { type: 'string', enum: ['A', 'B'] },
      'spec: Unsupported value: "C": supported values: "A", "B"',
    ],
    ['too small', 0, { type: 'integer', minimum: 1 }, 'should be greater than or equal to 1'],
    ['not above', 1, { type: 'integer', minimum: 1, exclusiveMinimum: true }, 'should be greater than 1'],
    ['too large', 9, { type: 'integer', maximum: 8 }, 'should be less than or equal to 8'],
    ['not below', 8, { type: 'integer', maximum: 8, exclusiveMaximum: true }, 'should be less than 8'],
    ['not a multiple', 5, { type: 'integer', multipleOf: 2 }, 'should be a multiple of 2'],
    ['too short', 'a', { type: 'string', minLength: 2 }, 'should be at least 2 chars long'],
    ['counted in characters', '😀😀', { type: 'string', maxLength: 2 }, undefined],
    ['too long', 'abc', { type: 'string', maxLength: 2 }, 'should be at most 2 chars long'],
    ['a pattern', 'x1', { type: 'string', pattern: '^[a-z]+$' }, "should match '^[a-z]+$'"],
    ['a time', '2026-01-02T03:04:05.6Z', { type: 'string', format: 'date-time' }, undefined],
    ['no time', 'today', { type: 'string', format: 'date-time' }, 'must be of type date-time'],
    ['a quantity', '1.5Gi', { 'x-kubernetes-int-or-string': true, format: 'quantity' }, undefined],
    ['a number as quantity', 0.5, { 'x-kubernetes-int-or-string': true, format: 'quantity' }, undefined],
    ['no quantity', '1 GB', { 'x-kubernetes-int-or-string': true, format: 'quantity' }, 'must be a quantity'],
    ['an IPv4 address', '192.0.2.1', { type: 'string', format: 'ipv4' }, undefined],
    ['an IPv6 address', 'fd00::1', { type: 'string', format: 'ipv6' }, undefined],
    ['the other family', '192.0.2.1', { type: 'string', format: 'ipv6' }, 'must be an IPv6 address'],
    ['a prefix', 'fd00::/64', { type: 'string', format: 'cidr' }, undefined],
    ['no base64', 'a!', { type: 'string', format: 'byte' }, 'must be base64'],
    ['too few items', [], { type: 'array', minItems: 1 }, 'should have at least 1 items'],
    ['too many items', [1, 2], { type: 'array', maxItems: 1 }, 'should have at most 1 items'],
    ['a bad item', ['a', 2], { type: 'array', items: { type: 'string' } }, 'spec[1]: Invalid value: 2'],
    [
      'a set with a duplicate',
      ['a', 'a'],
      { type: 'array', 'x-kubernetes-list-type': 'set' },
      'spec[1]: Duplicate value: "a"',
    ],
    [
      'a map list with a duplicate',
      [
        { k: 1, v: 1 },
        { k: 1, v: 2 },
      ],
      { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] },
      'spec[1]: Duplicate value: {"k":1}',
    ],
    ['a missing field', {}, { type: 'object', required: ['a'] }, 'spec.a: Required value'],
    [
      'a bad field',
      { a: 1 },
      { type: 'object', properties: { a: { type: 'string' } } },
      'spec.a: Invalid value: 1',
    ],
    [
      'a bad map value',
      { a: 1 },
      { type: 'object', additionalProperties: { type: 'string' } },
      'spec.a: Invalid value: 1',
    ],
    ['too many properties', { a: 1, b: 1 }, { type: 'object', maxProperties: 1 }, 'at most 1 properties'],
    [
      'anyOf',
      'x',
      { anyOf: [{ type: 'integer' }, { type: 'boolean' }] },
      'must validate at least one schema',
    ],
    ['oneOf', 1, { oneOf: [{ type: 'integer' }, { type: 'number' }] }, 'one and only one'],
    ['not', 1, { not: { type: 'integer' } }, 'must not validate'],
    [
      'allOf',
      1,
      { allOf: [{ type: 'integer' }, { type: 'integer', minimum: 2 }] },
      'greater than or equal to 2',
    ],
  ])('%s: %j under %j', (_, value, node, expected) => {
    const found = complaints(value, node);
    if (expected === undefined) expect(found).toEqual([]);
    else expect(found).toEqual([expect.stringContaining(expected)]);
  });

  it('gets all complaints at once', () => {
    const node: SchemaNode = {
      type: 'object',
      required: ['c'],
      properties: { a: { type: 'string' }, b: { type: 'integer', minimum: 1 } },
    };
    expect(complaints({ a: 1, b: 0 }, node)).toHaveLength(3);
  });
});

describe('the shape of a value', () => {
  const shape = (value: unknown, node: SchemaNode, dropNulls = false) =>
    shapeValue(value, node, NO_REFERENCES, { dropNulls });

  it('has no fields the schema does not know, and says which there were', () => {
    const node: SchemaNode = {
      type: 'object',
      properties: { a: { type: 'array', items: { type: 'object', properties: { b: {} } } } },
    };
    expect(shape({ a: [{ b: 1, c: 2 }], d: 3 }, node)).toEqual({
      value: { a: [{ b: 1 }] },
      unknown: ['a[0].c', 'd'],
    });
  });

  it.each<[string, SchemaNode]>([
    ['preserve-unknown-fields', { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }],
    ['additionalProperties: true', { type: 'object', additionalProperties: true }],
    ['an empty schema', {}],
  ])('is left alone by %s', (_, node) => {
    expect(shape({ a: { b: null } }, node)).toEqual({ value: { a: { b: null } }, unknown: [] });
  });

  it('keeps identity of embedded resources', () => {
    const node: SchemaNode = {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      properties: { spec: { type: 'string' } },
    };
    expect(
      shape({ apiVersion: 'v1', kind: 'X', metadata: { name: 'a' }, spec: 's', x: 1 }, node).unknown,
    ).toEqual(['x']);
  });

  it('has no nulls in built-in types', () => {
    const { value, unknown } = shapeValue(
      { spec: { nodeName: null, containers: [{ name: 'c', args: null, foo: 1 }] } },
      BUILT_IN_TYPES.type('Pod'),
      BUILT_IN_TYPES,
      { dropNulls: true },
    );
    expect(value).toEqual({ spec: { containers: [{ name: 'c' }] } });
    expect(unknown).toEqual(['spec.containers[0].foo']);
  });

  it('gets defaults where nothing is said', () => {
    const node: SchemaNode = {
      type: 'object',
      properties: {
        a: { type: 'integer', default: 1 },
        b: { type: 'object', default: {}, properties: { c: { type: 'string', default: 'x' } } },
        l: {
          type: 'array',
          items: { type: 'object', properties: { d: { type: 'boolean', default: true } } },
        },
        n: { type: 'string', default: 'y' },
        k: { type: 'string', nullable: true, default: 'z' },
      },
    };
    expect(withDefaults({ l: [{}], n: null, k: null }, node)).toEqual({
      a: 1,
      b: { c: 'x' },
      l: [{ d: true }],
      n: 'y',
      k: null,
    });
    expect(
      withDefaults(
        { a: 5 },
        { type: 'object', additionalProperties: { type: 'object', properties: { x: { default: 1 } } } },
      ),
    ).toEqual({ a: 5 });
  });
});
