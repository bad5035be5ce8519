import { expect, test } from 'vitest';
import { pivotOf, type Term } from './pivot.ts';
import { select } from './scene.fixture.ts';

const app = { of: 'member', key: 'app', value: 'web' } as const;
const kind = { of: 'self', key: 'kind', value: 'pod' } as const;

test('of labels that are all needed the one that fewest have is looked at', () => {
  const weigh = (rare: Term) => (term: Term) => (term.key === rare.key ? 1 : 100);
  expect(pivotOf(select('self:kind=pod', 'app=web'), weigh(app))).toEqual([app]);
  expect(pivotOf(select('self:kind=pod', 'app=web'), weigh(kind))).toEqual([kind]);
  expect(pivotOf(select('self:kind=pod', 'app=web'), () => 0)).toEqual([app]); // nobody is there to be counted
});

test('of alternatives all are looked at, and what may be absent is no label to look for', () => {
  const not = { op: 'not', part: select('tier') } as const;
  expect(pivotOf({ op: 'or', parts: [select('app=web'), select('self:kind=pod')] }, () => 0)).toEqual([
    app,
    kind,
  ]);
  expect(pivotOf({ op: 'or', parts: [select('app=web'), not] }, () => 0)).toBe('any');
  expect(pivotOf({ op: 'and', parts: [select('app=web'), not] }, () => 0)).toEqual([app]);
  expect(pivotOf({ op: 'none' }, () => 0)).toEqual([]);
});
