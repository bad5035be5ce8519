import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const TABLES = /^\| (?:it says|problem|problem, or message in the log) \|[^]*?\n\n/gm;

/** What the sources say, with `…` for what varies, as the document has it. */
function sourceText(): string {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  return files
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
    .map((path) => readFileSync(join(ROOT, 'src', path), 'utf8'))
    .join('\n')
    .replaceAll(/\$\{[^}]*\}/g, '…')
    .replaceAll(/[`'] \+\s+[`']/g, '');
}

test('what docs/troubleshooting.md quotes is what the sources say', () => {
  const document = readFileSync(join(ROOT, 'docs/troubleshooting.md'), 'utf8');
  const source = sourceText();
  const quoted = Array.from(document.matchAll(TABLES), ([table]) => table)
    .flatMap((table) => table.split('\n').slice(2))
    .flatMap((row) =>
      Array.from((row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g), ([, text]) => text ?? ''),
    )
    // An example of an object stands beside the message.
    .filter((text) => !/^(link|route) \S+/.test(text));
  expect(quoted.length).toBeGreaterThan(35);
  const pieces = quoted.flatMap((text) => text.split('…')).map((text) => text.trim());
  const missing = pieces.filter((piece) => piece.length > 2 && !source.includes(piece));
  expect(missing).toEqual([]);
});
