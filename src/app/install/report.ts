/** The findings as people read them: a block for each, what to do below what was found. */
import type { Finding, FindingLevel } from '#core/install/index.ts';

const MARKS: Readonly<Record<FindingLevel, string>> = {
  ok: 'ok',
  warning: 'WARNING',
  problem: 'PROBLEM',
  unknown: 'unknown',
};
const COLUMN = { level: 8, check: 15 } as const;
const LEAST_TEXT_WIDTH = 40;

/** `width` in characters; text that is longer goes on below its own beginning. */
export function describeFindings(findings: readonly Finding[], width: number): string {
  const indent = COLUMN.level + COLUMN.check;
  const room = Math.max(LEAST_TEXT_WIDTH, width - indent);
  const lines = findings.flatMap(({ check, level, found, remedy }) => {
    const text = [...wrapped(found, room), ...(remedy === undefined ? [] : wrapped(`do: ${remedy}`, room))];
    return text.map((line, at) =>
      at === 0
        ? `${MARKS[level].padEnd(COLUMN.level)}${check.padEnd(COLUMN.check)}${line}`
        : `${' '.repeat(indent)}${line}`,
    );
  });
  return `${[...lines, '', summary(findings)].join('\n')}\n`;
}

function summary(findings: readonly Finding[]): string {
  const count = (level: FindingLevel) => findings.filter((each) => each.level === level).length;
  const [problems, warnings] = [count('problem'), count('warning')];
  const plural = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  if (problems > 0) return `${plural(problems, 'problem')}: Poplin does not work here as planned`;
  if (warnings > 0) return `Poplin can run here; ${plural(warnings, 'warning')}`;
  return 'Poplin can run here';
}

/** At spaces; a word that is longer than the room stands alone. */
function wrapped(text: string, room: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
