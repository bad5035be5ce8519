import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CHECK_NAMES } from '#core/install/index.ts';
import { INSTALL_DOCUMENT, OUTCOMES_DOCUMENT, withCheckTable, withOutcomes } from './install-blocks.ts';

test('docs/install.md and docs/install-checks.md are what `node tools/docs.ts` writes', () => {
  const [install, outcomes] = [INSTALL_DOCUMENT, OUTCOMES_DOCUMENT].map((file) => readFileSync(file, 'utf8'));
  expect(install).toBe(withCheckTable(install ?? ''));
  expect(outcomes).toBe(withOutcomes(outcomes ?? ''));
  for (const name of CHECK_NAMES) {
    expect(install).toContain(`| [\`${name}\`](install-checks.md#${name}) | `);
    expect(outcomes).toContain(`\n## ${name}\n`);
  }
});

test('a document without its marker is refused', () => {
  expect(() => withCheckTable('')).toThrow('docs/install.md has no marker "checks"');
  expect(() => withOutcomes('')).toThrow('docs/install-checks.md has no marker "outcomes"');
});
