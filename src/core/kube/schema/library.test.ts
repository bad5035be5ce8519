import { describe, expect, it } from 'vitest';
import { BUILT_IN_RESOURCES } from '../resource/built-in.ts';
import { BUILT_IN_TYPES } from './library.ts';
import type { SchemaNode } from './node.ts';
import { TypeLibrary, type WireMessage } from './notation.ts';
import { readsProtobuf } from './protobuf.ts';

const KINDS = BUILT_IN_RESOURCES.map(({ kind }) => kind);

/** Every schema node a kind reaches, with a path to it. */
function* nodesOf(kind: string): Generator<[path: string, node: SchemaNode]> {
  for (const [name, type] of BUILT_IN_TYPES.reachable(kind)) {
    for (const [field, node] of Object.entries(type.properties ?? {})) yield [`${name}.${field}`, node];
  }
}

const numbersOf = (wire: WireMessage): number[] =>
  [...wire].flatMap(([number, field]) => (field instanceof Map ? numbersOf(field) : [number]));

describe('the library of built-in types', () => {
  it.each(KINDS)('%s has metadata, and references that resolve', (kind) => {
    const type = BUILT_IN_TYPES.type(kind);
    expect(type.properties).toHaveProperty('metadata');
    const nodes = [...nodesOf(kind)];
    expect(nodes.length).toBeGreaterThan(5);
    for (const [, node] of nodes) expect(BUILT_IN_TYPES.resolve(node)).toBeDefined();
  });

  it.each(KINDS)('merge keys of %s are fields of the elements they merge', (kind) => {
    for (const [path, node] of nodesOf(kind)) {
      const strategy = node['x-kubernetes-patch-strategy'];
      if (strategy === undefined) continue;
      expect(node.type, path).toBe('array');
      const key = node['x-kubernetes-patch-merge-key'];
      const element = node.items === undefined ? undefined : BUILT_IN_TYPES.resolve(node.items);
      if (key === undefined) expect(element?.type, path).toBe('string');
      else expect(element?.properties, path).toHaveProperty(key);
    }
  });

  it.each(KINDS.filter((kind) => kind !== 'CustomResourceDefinition'))(
    '%s is read from protobuf, every field by a number',
    (kind) => {
      expect(readsProtobuf(kind)).toBe(true);
      for (const name of BUILT_IN_TYPES.reachable(kind).keys()) {
        const reference = { $ref: `#/components/schemas/${name}` };
        const fields = Object.keys(BUILT_IN_TYPES.resolve(reference).properties ?? {});
        const identity = KINDS.includes(name.split('.').at(-1) ?? '') ? 2 : 0;
        // apiVersion and kind of an object come in the envelope; one status map is newer than its number
        const unnumbered = name.endsWith('.NodeAllocatableResourceClaimStatus') ? 1 : identity;
        expect(numbersOf(BUILT_IN_TYPES.wireOf(reference)).length, name).toBe(fields.length - unnumbered);
      }
    },
  );
});

describe('the notation', () => {
  const library = new TypeLibrary([
    {
      package: 'test.v1',
      text: `
Thing name!=1 count=2*:int32 mode(|A|B)=3 tags=4:map sizes=5:map:quantity parts=6:[]Part~id,retainKeys
  words=7:[]string~* at=8.1:time deep=8.2.1
Part id! next:Part
Larger ...Thing=1 extra=2:any`,
    },
  ]);

  it('compiles to schemas', () => {
    expect(library.type('Thing')).toEqual({
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string' },
        count: { type: 'integer', format: 'int32' },
        mode: { type: 'string', enum: ['', 'A', 'B'] },
        tags: { type: 'object', additionalProperties: { type: 'string' } },
        sizes: {
          type: 'object',
          additionalProperties: { format: 'quantity', 'x-kubernetes-int-or-string': true },
        },
        parts: {
          type: 'array',
          items: { $ref: '#/components/schemas/test.v1.Part' },
          'x-kubernetes-patch-strategy': 'merge,retainKeys',
          'x-kubernetes-patch-merge-key': 'id',
        },
        words: { type: 'array', items: { type: 'string' }, 'x-kubernetes-patch-strategy': 'merge' },
        at: { type: 'string', format: 'date-time' },
        deep: { type: 'string' },
      },
    });
    expect(Object.keys(library.type('Larger').properties ?? {})).toContain('sizes');
  });

  it('nests the fields of embedded messages', () => {
    const wire = library.wireOf(library.reference('Thing'));
    expect(wire.get(2)).toMatchObject({ field: 'count', keepsZero: true });
    expect(wire.get(3)).toMatchObject({ field: 'mode', keepsZero: false });
    const nested = wire.get(8) as WireMessage;
    expect(nested.get(1)).toMatchObject({ field: 'at' });
    expect((nested.get(2) as WireMessage).get(1)).toMatchObject({ field: 'deep' });
    expect(library.wireOf(library.reference('Larger')).get(1)).toBe(wire);
  });

  it.each([
    ['A a\nA b', 'declared twice'],
    ['A b:C', 'unknown type C'],
    ['A b((', 'cannot read field'],
  ])('refuses %j', (text, message) => {
    expect(() => new TypeLibrary([{ package: 'x', text }])).toThrow(message);
  });
});
