/** The tiers of tests as vitest projects; tools/test.ts runs them and sums them up. */
import { configDefaults, defineConfig } from 'vitest/config';
import { TallyReporter } from './tools/test/tally.ts';
import { partsOf, TIERS } from './tools/test/tier.ts';

/** Where tools/test/run.ts wants the result as JSON. */
const tallyPath = process.env['POPLIN_TALLY'];
/** A soak tries many times as many random values (src/testing/soak.ts). */
const patience = process.env['POPLIN_SOAK'] === undefined ? 1 : 40;

export default defineConfig({
  test: {
    pool: 'forks',
    reporters: tallyPath === undefined ? ['default'] : ['default', new TallyReporter(tallyPath)],
    projects: TIERS.flatMap(partsOf).map(({ tier, name, include, exclude, isAlone }, number) => ({
      extends: true,
      test: {
        name,
        include: [...include],
        exclude: [...configDefaults.exclude, ...exclude],
        testTimeout: tier.testTimeoutMs * patience,
        hookTimeout: tier.testTimeoutMs * patience,
        // A poll says what comes, not how soon: vitest's second is short on a machine that does two things.
        ...(tier.privileged ? { expect: { poll: { timeout: 5_000 } } } : {}),
        ...(isAlone ? { maxWorkers: 1 } : tier.workers === undefined ? {} : { maxWorkers: tier.workers }),
        // Without a project's name all parts run, one after another.
        sequence: { groupOrder: number },
        // Tests without a kernel share a process: to start one for each file takes longer than most tests.
        isolate: tier.isolated,
        // In the slow virtual machine Node strips the types by itself: to have vite transform each file takes longer than most tests.
        // There, too, a process of Node breaks in V8's compiler once in many runs, whatever it runs: what failed is tried once more.
        ...(tier.virtual === true
          ? { retry: 1, experimental: { viteModuleRunner: false, nodeLoader: false } }
          : {}),
      },
    })),
  },
});
