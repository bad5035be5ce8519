/** The four tiers of tests as vitest projects; tools/test.ts runs them one after another and sums them up. */
import { defineConfig } from 'vitest/config';
import { TallyReporter } from './tools/test/tally.ts';

/** Where tools/test/tier.ts wants the result as JSON. */
const tallyPath = process.env['POPLIN_TALLY'];

/** Tests of a tier that shares the machine's kernel run one file at a time: two cores, and clear blame for what is left behind. */
const privileged = (name: string, testTimeout: number) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    fileParallelism: false,
    testTimeout,
    hookTimeout: testTimeout,
  },
});

export default defineConfig({
  test: {
    pool: 'forks',
    reporters: tallyPath === undefined ? ['default'] : ['default', new TallyReporter(tallyPath)],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'tools/**/*.test.{ts,mjs}'],
          testTimeout: 30_000,
        },
      },
      privileged('kernel', 60_000),
      privileged('interop', 120_000),
      privileged('e2e', 180_000),
    ],
  },
});
