/**
 * The generated parts of docs/install.md and docs/install-checks.md: what `poplin install check` looks at, and each of its verdicts, from
 * the table that it goes by.
 */
import { join } from 'node:path';
import { type AnyCheck, CHECK_NAMES, CHECKS } from '#core/install/index.ts';

export const INSTALL_DOCUMENT = join(import.meta.dirname, '../../docs/install.md');
export const OUTCOMES_DOCUMENT = join(import.meta.dirname, '../../docs/install-checks.md');

/** The document with the table of checks made anew. Throws RangeError if there is no place for it. */
export function withCheckTable(document: string): string {
  return withBlock(document, 'docs/install.md', 'checks', checkTable());
}

/** The document with the outcomes of all checks made anew. Throws RangeError if there is no place for them. */
export function withOutcomes(document: string): string {
  return withBlock(document, 'docs/install-checks.md', 'outcomes', outcomes());
}

function withBlock(document: string, file: string, name: string, text: string): string {
  const block = new RegExp(`<!-- ${name} -->\n[^]*?<!-- end -->`);
  if (!block.test(document)) throw new RangeError(`${file} has no marker "${name}"`);
  return document.replace(block, () => `<!-- ${name} -->\n${text}<!-- end -->`);
}

function checkTable(): string {
  const rows = CHECK_NAMES.map((name) => {
    const { looks, where }: AnyCheck = CHECKS[name];
    return `| [\`${name}\`](install-checks.md#${name}) | ${where?.text ?? 'all'} | ${looks} |\n`;
  });
  return `| \`check\` | networks | what is looked at |\n|---|---|---|\n${rows.join('')}`;
}

function outcomes(): string {
  return CHECK_NAMES.map((name) => {
    const row: AnyCheck = CHECKS[name];
    const rows = Object.entries(row.outcomes).map(
      ([outcome, { level, found, remedy }]) =>
        `| \`${outcome}\` | ${level} | ${inCell(found)} | ${remedy === undefined ? '' : remedyCell(remedy)} |\n`,
    );
    return `## ${name}\n\n| \`outcome\` | \`level\` | found | do |\n|---|---|---|---|\n${rows.join('')}\n`;
  }).join('');
}

/** Commands, and lines of files, as code; each on a line of its own. */
function remedyCell(remedy: string): string {
  return remedy
    .split('\n')
    .map((line) => (line.startsWith('  ') ? `\`${line.trim()}\`` : inCell(line)))
    .join('<br>');
}

/** What varies, in italics. */
function inCell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll(/\{([a-zA-Z]+)\}/g, '*$1*');
}
