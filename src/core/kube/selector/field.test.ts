import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatFieldSelector, matchesFields, parseFieldSelector } from './field.ts';
import { SelectorError } from './label.ts';

const SUPPORTED = [
  'metadata.name',
  'metadata.namespace',
  'spec.nodeName',
  'status.phase',
  'spec.unschedulable',
];
const POD = {
  metadata: { name: 'web', namespace: 'default' },
  spec: { nodeName: 'n1' },
  status: { phase: 'Running' },
};

describe('a field selector', () => {
  it.each([
    ['', true],
    ['metadata.name=web', true],
    ['metadata.name==web', true],
    ['metadata.name!=web', false],
    ['metadata.name=db', false],
    ['spec.nodeName=n1,status.phase!=Failed', true],
    ['status.phase!=Succeeded,status.phase!=Running', false],
    ['status.phase=Running,', true],
    ['spec.unschedulable=false', true],
    ['spec.unschedulable=true', false],
    ['metadata.name=a\\,b', false],
  ])('%j matches: %j', (text, expected) => {
    expect(matchesFields(parseFieldSelector(text, SUPPORTED), POD)).toBe(expected);
  });

  it('reads an absent field as the empty text', () => {
    expect(matchesFields(parseFieldSelector('spec.nodeName=', SUPPORTED), { spec: {} })).toBe(true);
    expect(matchesFields(parseFieldSelector('spec.nodeName!=', SUPPORTED), POD)).toBe(true);
  });

  it('names a field that cannot be selected, and those that can', () => {
    expect(() => parseFieldSelector('spec.foo=1', SUPPORTED)).toThrow(
      'field label not supported: spec.foo (supported: metadata.name',
    );
  });

  it.each(['metadata.name', '=x', 'a b'])('%j is refused', (text) => {
    expect(() => parseFieldSelector(text, SUPPORTED)).toThrow(SelectorError);
  });

  it('reads back as the selector it was printed from', () => {
    const requirement = fc.record({
      field: fc.constantFrom(...SUPPORTED),
      operator: fc.constantFrom('=' as const, '!=' as const),
      value: fc.string(),
    });
    fc.assert(
      fc.property(fc.array(requirement), (selector) => {
        expect(parseFieldSelector(formatFieldSelector(selector), SUPPORTED)).toEqual(selector);
      }),
    );
  });
});
