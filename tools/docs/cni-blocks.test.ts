import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { PLUGIN_TYPES, validateNetwork } from '#core/cni/index.ts';
import { blocksIn, DOCUMENT, EXAMPLES, withBlocks } from './cni-blocks.ts';

const document = readFileSync(DOCUMENT, 'utf8');

test('docs/cni.md is what `node tools/docs.ts` writes', () => {
  expect(document).toBe(withBlocks(document));
});

test('every plugin that is served is in docs/cni.md, with its keys and an example', () => {
  const wanted = PLUGIN_TYPES.flatMap((type) => [`example:${type}`, `keys:${type}`]);
  expect(
    blocksIn(document)
      .filter((block) => !block.startsWith('file:'))
      .sort(),
  ).toEqual(wanted.sort());
});

test('every example is a network in which nothing is wrong, and its plugin is in it', () => {
  const names = readdirSync(EXAMPLES);
  expect(names.sort()).toEqual(PLUGIN_TYPES.map((type) => `${type}.conflist`).sort());
  for (const name of names) {
    const text = readFileSync(`${EXAMPLES}/${name}`, 'utf8');
    expect(validateNetwork(text, name), name).toEqual({ problems: [], warnings: [] });
    expect(text, name).toContain(`"type": "${name.replace('.conflist', '')}"`);
  }
});

test('a marker for a plugin that does not exist is refused', () => {
  expect(() => withBlocks('<!-- keys:nothing -->\n<!-- end -->')).toThrow(/no plugin "nothing"/);
});
