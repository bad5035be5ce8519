import { test } from 'vitest';
import { IS_SOAK } from '#testing/soak.ts';
import { expectOracle } from './policy-oracle.ts';
import type { WorldMode } from './policy-world.ts';

const FLOWS = IS_SOAK ? 20_000 : 400;

test.each<WorldMode>(['routed', 'bridged'])(
  `${FLOWS} packets of pods that are %s go where the oracle says`,
  (mode) => expectOracle(mode, FLOWS),
);
