import { defineConfig } from 'vitest/config';

/** The unit tier: pure, no root, no kernel. The other tiers are listed in tools/test.ts. */
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'tools/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 30_000,
  },
});
