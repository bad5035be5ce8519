import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { GOLDENS } from './scenes.fixture.ts';

describe('the tables', () => {
  test.each(Object.entries(GOLDENS))('of %s are those of the golden file', (name, make) => {
    expect(make().print()).toBe(readFileSync(new URL(`./golden/${name}.nft`, import.meta.url), 'utf8'));
  });
});
