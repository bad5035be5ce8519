/** The tiers of tests as vitest projects; tools/test.ts runs them one after another and sums them up. */
import { defineConfig } from 'vitest/config';
import { TallyReporter } from './tools/test/tally.ts';
import { TIERS } from './tools/test/tier.ts';

/** Where tools/test/tier.ts wants the result as JSON. */
const tallyPath = process.env['POPLIN_TALLY'];
/** A soak tries many times as many random values (src/testing/soak.ts). */
const patience = process.env['POPLIN_SOAK'] === undefined ? 1 : 40;

export default defineConfig({
  test: {
    pool: 'forks',
    reporters: tallyPath === undefined ? ['default'] : ['default', new TallyReporter(tallyPath)],
    projects: TIERS.map(({ name, files, privileged, isolated, testTimeoutMs }) => ({
      extends: true,
      test: {
        name,
        include: [...files],
        testTimeout: testTimeoutMs * patience,
        hookTimeout: testTimeoutMs * patience,
        // Tests that share the machine's kernel run one file at a time: two cores, and clear blame for what is left behind.
        fileParallelism: !privileged,
        // Tests without a kernel share a process: to start one for each file takes longer than most tests.
        isolate: isolated,
      },
    })),
  },
});
