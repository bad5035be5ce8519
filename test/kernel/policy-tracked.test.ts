/** Pods on a bridge whose connections the kernel tracks by itself: where it can, the virtual machine's among them. */
import { beforeEach, expect, test } from 'vitest';
import { bridgeMode } from '#io/kernel/index.ts';
import { NamespaceFolder } from './namespace-folder.ts';
import { answersContract } from './policy-answers.ts';
import { policyContract } from './policy-contract.ts';
import { expectOracle } from './policy-oracle.ts';

/** Few: the virtual machine is slow. */
const FLOWS = 120;

function modeHere(): string {
  using folder = new NamespaceFolder('tracked');
  return bridgeMode(folder.make('a'));
}

const MODE = modeHere();

beforeEach((context) => {
  context.skip(
    MODE !== 'conntrack',
    'the kernel tracks no connections of bridges (CONFIG_NF_CONNTRACK_BRIDGE)',
  );
});

test('a kernel that can track connections of bridges is known as one', () => {
  expect(MODE).toBe('conntrack');
});

policyContract('tracked');
answersContract('tracked');

test(`${FLOWS} packets over a bridge that is tracked go where the oracle says`, () =>
  expectOracle('tracked', FLOWS));
