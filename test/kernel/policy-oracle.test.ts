import { test } from 'vitest';
import { IS_SOAK } from '#testing/soak.ts';
import { expectOracle } from './policy-oracle.ts';
import { hasBridgeNetfilter, NO_BRIDGE_NETFILTER } from './policy-world.ts';

const FLOWS = IS_SOAK ? 20_000 : 400;

test(`${FLOWS} packets of pods that are routed go where the oracle says`, () =>
  expectOracle('routed', FLOWS));

test(`${FLOWS} packets of pods that are bridged go where the oracle says`, async (context) => {
  context.skip(!hasBridgeNetfilter(), NO_BRIDGE_NETFILTER);
  await expectOracle('bridged', FLOWS);
});
