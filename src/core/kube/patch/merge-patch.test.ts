import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isObject } from '../json.ts';
import { applyMergePatch, diffMergePatch } from './merge-patch.ts';

describe('a merge patch', () => {
  // RFC 7386 appendix A
  it.each<[unknown, unknown, unknown]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('turns %j with %j into %j', (document, patch, expected) => {
    expect(applyMergePatch(document, patch)).toEqual(expected);
  });

  it('leaves its arguments alone', () => {
    const document = { a: { b: 1 }, c: [1] };
    const patch = { a: { b: null, d: { e: 1 } } };
    const result = applyMergePatch(document, patch) as { a: { d: { e: number } } };
    result.a.d.e = 2;
    expect(document).toEqual({ a: { b: 1 }, c: [1] });
    expect(patch).toEqual({ a: { b: null, d: { e: 1 } } });
  });
});

const hasNull = (value: unknown): boolean =>
  value === null || (isObject(value) ? Object.values(value).some(hasNull) : false);
const json = fc.jsonValue({ maxDepth: 3 }).filter((value) => !JSON.stringify(value).includes('__proto__'));
const object = fc.dictionary(
  fc.string({ maxLength: 4 }).filter((key) => key !== '__proto__'),
  json,
);

describe('merge patches of any documents', () => {
  it('do the same when applied twice', () => {
    fc.assert(
      fc.property(json, json, (document, patch) => {
        const once = applyMergePatch(document, patch);
        expect(applyMergePatch(once, patch)).toEqual(once);
      }),
    );
  });

  it('change nothing when empty', () => {
    fc.assert(
      fc.property(object, (document) => {
        expect(applyMergePatch(document, {})).toEqual(document);
      }),
    );
  });

  it('lead from one document to the other, unless it holds nulls', () => {
    fc.assert(
      fc.property(
        json,
        json.filter((value) => !hasNull(value)),
        (from, to) => {
          expect(applyMergePatch(from, diffMergePatch(from, to))).toEqual(to);
        },
      ),
    );
  });

  it('are empty between equal documents', () => {
    fc.assert(
      fc.property(object, (document) => {
        expect(diffMergePatch(document, document)).toEqual({});
      }),
    );
  });
});
