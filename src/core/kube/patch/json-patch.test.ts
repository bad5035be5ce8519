import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { equalJson, isObject } from '../json.ts';
import {
  applyJsonPatch,
  formatPointer,
  type JsonPatchOperation,
  parseJsonPatch,
  parsePointer,
} from './json-patch.ts';
import { PatchError } from './patch-error.ts';

const apply = (document: unknown, patch: unknown) => applyJsonPatch(document, parseJsonPatch(patch));

describe('a JSON patch', () => {
  // the cases of RFC 6902 appendix A, and the corners of each operation
  it.each<[string, unknown, unknown[], unknown]>([
    [
      'adds a member',
      { foo: 'bar' },
      [{ op: 'add', path: '/baz', value: 'qux' }],
      { foo: 'bar', baz: 'qux' },
    ],
    [
      'adds an element',
      { foo: ['bar', 'baz'] },
      [{ op: 'add', path: '/foo/1', value: 'qux' }],
      { foo: ['bar', 'qux', 'baz'] },
    ],
    ['appends with -', [1], [{ op: 'add', path: '/-', value: 2 }], [1, 2]],
    ['appends at the length', [1], [{ op: 'add', path: '/1', value: 2 }], [1, 2]],
    ['adds over a member', { a: 1 }, [{ op: 'add', path: '/a', value: null }], { a: null }],
    ['adds a whole document', { a: 1 }, [{ op: 'add', path: '', value: [2] }], [2]],
    ['removes a member', { baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    ['removes an element', { foo: [1, 2, 3] }, [{ op: 'remove', path: '/foo/1' }], { foo: [1, 3] }],
    ['replaces a value', { baz: 'qux' }, [{ op: 'replace', path: '/baz', value: 'boo' }], { baz: 'boo' }],
    ['replaces an element', [1, 2], [{ op: 'replace', path: '/0', value: 9 }], [9, 2]],
    ['replaces the document', { a: 1 }, [{ op: 'replace', path: '', value: 5 }], 5],
    [
      'moves a value',
      { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
      [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
      { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } },
    ],
    ['moves an element', [1, 2, 3], [{ op: 'move', from: '/0', path: '/2' }], [2, 3, 1]],
    ['moves a value onto itself', { a: { b: 1 } }, [{ op: 'move', from: '/a', path: '/a' }], { a: { b: 1 } }],
    [
      'copies a value',
      { a: { b: 1 } },
      [{ op: 'copy', from: '/a', path: '/c' }],
      { a: { b: 1 }, c: { b: 1 } },
    ],
    [
      'tests a value',
      { a: [1, { b: null }] },
      [{ op: 'test', path: '/a', value: [1, { b: null }] }],
      { a: [1, { b: null }] },
    ],
    [
      'reads ~0 and ~1',
      { 'a/b': 1, 'm~n': 2 },
      [
        { op: 'remove', path: '/a~1b' },
        { op: 'remove', path: '/m~0n' },
      ],
      {},
    ],
    ['reads ~01 as ~1', { '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '~1': 10 }],
    ['reads an empty key', { '': 1 }, [{ op: 'replace', path: '/', value: 2 }], { '': 2 }],
    ['ignores unknown members', { a: 1 }, [{ op: 'remove', path: '/a', xyz: 1 }], {}],
  ])('%s', (_, document, patch, expected) => {
    expect(apply(document, patch)).toEqual(expected);
  });

  it.each<[string, unknown, unknown, string]>([
    ['a test that fails', { a: 1 }, [{ op: 'test', path: '/a', value: 2 }], 'test /a: found 1, expected 2'],
    ['a missing member', {}, [{ op: 'remove', path: '/a' }], 'path "/a" does not exist'],
    ['a missing parent', {}, [{ op: 'add', path: '/a/b', value: 1 }], 'does not exist'],
    ['a parent that holds nothing', { a: 1 }, [{ op: 'add', path: '/a/b', value: 1 }], 'does not exist'],
    ['an index behind the end', [1], [{ op: 'add', path: '/2', value: 1 }], 'does not exist'],
    ['an index with a leading zero', [1, 2], [{ op: 'remove', path: '/01' }], 'does not exist'],
    ['removal of -', [1], [{ op: 'remove', path: '/-' }], 'does not exist'],
    ['a move into itself', { a: { b: 1 } }, [{ op: 'move', from: '/a', path: '/a/c' }], 'into itself'],
    ['an inherited member', {}, [{ op: 'test', path: '/toString', value: 1 }], 'does not exist'],
    ['an unknown operation', {}, [{ op: 'merge', path: '/a' }], 'op must be one of'],
    ['a missing value', {}, [{ op: 'add', path: '/a' }], 'value is missing'],
    ['a missing from', {}, [{ op: 'copy', path: '/a' }], 'from is missing'],
    ['a missing path', {}, [{ op: 'remove' }], 'path is missing'],
    ['a path without slash', {}, [{ op: 'add', path: 'a', value: 1 }], 'must start with "/"'],
    ['a lonely tilde', {}, [{ op: 'add', path: '/~a', value: 1 }], '"~" must be written "~0"'],
    ['a prototype', {}, [{ op: 'add', path: '/__proto__/x', value: 1 }], '__proto__'],
    ['an object', {}, { op: 'add' }, 'must be an array'],
    ['an operation that is no object', {}, [1], 'must be an object'],
  ])('is refused for %s', (_, document, patch, message) => {
    expect(() => apply(document, patch)).toThrow(PatchError);
    expect(() => apply(document, patch)).toThrow(message);
  });

  it('changes nothing when a later operation fails', () => {
    const document = { list: [1, 2] };
    const patch = [
      { op: 'remove', path: '/list/0' },
      { op: 'remove', path: '/nothing' },
    ];
    expect(() => apply(document, patch)).toThrow(PatchError);
    expect(document).toEqual({ list: [1, 2] });
  });
});

const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !JSON.stringify(value).includes('__proto__'));

/** A patch from one document to another, made without cleverness: what differs is replaced. */
function difference(from: unknown, to: unknown, path: readonly string[] = []): JsonPatchOperation[] {
  if (equalJson(from, to)) return [];
  if (!isObject(from) || !isObject(to)) return [{ op: 'replace', path: formatPointer(path), value: to }];
  const at = (key: string) => [...path, key];
  return [
    ...Object.keys(from)
      .filter((key) => !Object.hasOwn(to, key))
      .map((key): JsonPatchOperation => ({ op: 'remove', path: formatPointer(at(key)) })),
    ...Object.keys(to).flatMap((key): JsonPatchOperation[] =>
      Object.hasOwn(from, key)
        ? difference(from[key], to[key], at(key))
        : [{ op: 'add', path: formatPointer(at(key)), value: to[key] }],
    ),
  ];
}

describe('JSON patches of any documents', () => {
  it('lead from one document to the other', () => {
    fc.assert(
      fc.property(json, json, (from, to) => {
        expect(apply(from, difference(from, to))).toEqual(to);
      }),
    );
  });

  it('undo an add with a remove', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          json,
        ),
        json,
        (object, value) => {
          const path = formatPointer(['new key']);
          const clean = Object.fromEntries(Object.entries(object).filter(([key]) => key !== 'new key'));
          expect(
            apply(clean, [
              { op: 'add', path, value },
              { op: 'remove', path },
            ]),
          ).toEqual(clean);
        },
      ),
    );
  });

  it('keep pointers through a round trip', () => {
    fc.assert(
      fc.property(fc.array(fc.string().filter((key) => key !== '__proto__')), (keys) => {
        expect(parsePointer(formatPointer(keys))).toEqual(keys);
      }),
    );
  });
});
