import { expect, test } from 'vitest';
import type { NeighborStatus } from './model.ts';
import { neighborNamed } from './neighbor-name.ts';

const NEIGHBORS = [
  { key: 'tor', address: '10.0.0.254' },
  { key: 'left', address: 'fe80::1%up1', interface: 'up1' },
  { key: 'right', address: 'fe80::1%up2', interface: 'up2' },
  { key: 'third', address: 'fe80::2%up2', interface: 'up2' },
  { key: 'up3', interface: 'up4' },
  { key: 'last', interface: 'up3' },
] as unknown as readonly NeighborStatus[];

test.each([
  ['tor', 'tor'],
  ['10.0.0.254', 'tor'],
  ['fe80::1%up1', 'left'],
  ['fe80::2', 'third'],
  ['up1', 'left'],
  ['up3', 'up3'],
  ['fe80::1', undefined],
  ['up2', undefined],
  ['fe80::', undefined],
  ['10.0.0.2', undefined],
])('%s is %s', (text, expected) => {
  expect(neighborNamed(NEIGHBORS, text)?.key).toBe(expected);
});
