import { expect, test } from 'vitest';
import { Repeats } from './repeats.ts';

test('no more keys are remembered than allowed, and what was held back of the oldest is told at once', () => {
  const repeats = new Repeats<string>(1000, 2);
  for (const key of ['a', 'b', 'c', 'd']) expect(repeats.isFirst(key, `${key}1`, 0)).toBe(true);
  expect(repeats.isFirst('a', 'a2', 1)).toBe(false);
  expect(repeats.isFirst('d', 'd2', 1)).toBe(false);
  expect(repeats.takeDue(2)).toEqual([{ value: 'a2', count: 1 }]);
  expect(repeats.isFirst('b', 'b2', 3)).toBe(true);
  expect(repeats.isFirst('c', 'c2', 3)).toBe(false);
  expect(repeats.takeAll()).toEqual([
    { value: 'c2', count: 1 },
    { value: 'd2', count: 1 },
  ]);
  expect(repeats.takeAll()).toEqual([]);
});
