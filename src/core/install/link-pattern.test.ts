import { expect, test } from 'vitest';
import { covers, isListed } from './link-pattern.ts';

test.each([
  ['*', 'flannel.1', true],
  ['flannel*', 'flannel-v6.1', true],
  ['flannel.1', 'flannelx1', false],
  ['cni?', 'cni0', true],
  ['cni?', 'cni10', false],
  ['cni[01]', 'cni0', true],
  ['cni[!01]', 'cni0', false],
  ['veth[0-9]*', 'veth1a2b', true],
  ['pop', 'pop1', false],
  ['a+(b', 'a+(b', true],
  ['[', '[', true],
])('%s and %s', (pattern, name, isCovered) => {
  expect(covers(pattern, name)).toBe(isCovered);
});

test.each([
  [['en*', 'veth*'], 'veth1', true],
  [['en*', 'veth*'], 'cni0', false],
  [['!en*', 'veth*'], 'cni0', true],
  [['!en*', 'veth*'], 'veth1', false],
  [[], 'cni0', false],
])('a list %j and %s', (patterns, name, isIn) => {
  expect(isListed(patterns, name)).toBe(isIn);
});
