/** The tiers of tests as vitest projects; tools/test.ts runs them one after another and sums them up. */
import { defineConfig } from 'vitest/config';
import { TallyReporter } from './tools/test/tally.ts';
import { patternsOf, TIERS } from './tools/test/tier.ts';

/** Where tools/test/tier.ts wants the result as JSON. */
const tallyPath = process.env['POPLIN_TALLY'];
/** A soak tries many times as many random values (src/testing/soak.ts). */
const patience = process.env['POPLIN_SOAK'] === undefined ? 1 : 40;

export default defineConfig({
  test: {
    pool: 'forks',
    reporters: tallyPath === undefined ? ['default'] : ['default', new TallyReporter(tallyPath)],
    projects: TIERS.map((tier) => ({
      extends: true,
      test: {
        name: tier.name,
        include: patternsOf(tier),
        testTimeout: tier.testTimeoutMs * patience,
        hookTimeout: tier.testTimeoutMs * patience,
        // Tests that share the machine's kernel run one file at a time: two cores, and clear blame for what is left behind.
        fileParallelism: !tier.privileged,
        // Tests without a kernel share a process: to start one for each file takes longer than most tests.
        isolate: tier.isolated,
        // In the slow virtual machine Node strips the types by itself: to have vite transform each file takes longer than most tests.
        ...(tier.virtual === true ? { experimental: { viteModuleRunner: false, nodeLoader: false } } : {}),
      },
    })),
  },
});
