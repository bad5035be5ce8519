/** The findings as people read them: a block for each, what to do below what was found, and a last line that says it all. */
import type { Finding, FindingLevel } from '#core/install/index.ts';

const MARKS: Readonly<Record<FindingLevel, string>> = {
  ok: 'ok',
  warning: 'WARNING',
  problem: 'PROBLEM',
  unknown: 'UNKNOWN',
};
const COLUMN = { level: 8, check: 16 } as const;
const LEAST_TEXT_WIDTH = 40;
const DO = 'do: ';

/** `width` in characters: text that is longer goes on below its own beginning; commands stay whole, to be copied. */
export function describeFindings(findings: readonly Finding[], width: number): string {
  const lines = findings.flatMap((finding) => blockOf(finding, width));
  return `${[...lines, '', ...wrapped(summary(findings), width)].join('\n')}\n`;
}

function blockOf({ check, level, found, remedy }: Finding, width: number): string[] {
  const margin = COLUMN.level + COLUMN.check;
  const room = Math.max(LEAST_TEXT_WIDTH, width - margin);
  const [first = '', ...more] = wrapped(found, room);
  const advice = (remedy?.split('\n') ?? []).flatMap((line, at) => {
    // Further to the left, where long ones have room.
    if (line.startsWith('  ')) return [`${' '.repeat(COLUMN.level + DO.length)}${line.trim()}`];
    const lead = at === 0 ? DO : ' '.repeat(DO.length);
    return wrapped(line, Math.max(LEAST_TEXT_WIDTH, width - COLUMN.level - DO.length)).map(
      (text, index) => `${' '.repeat(COLUMN.level)}${index === 0 ? lead : ' '.repeat(DO.length)}${text}`,
    );
  });
  if (remedy?.startsWith('  ') === true) advice.unshift(`${' '.repeat(COLUMN.level)}${DO.trim()}`);
  return [
    `${MARKS[level].padEnd(COLUMN.level)}${check.padEnd(COLUMN.check)}${first}`,
    ...more.map((line) => `${' '.repeat(margin)}${line}`),
    ...advice,
  ];
}

function summary(findings: readonly Finding[]): string {
  const of = (level: FindingLevel) => findings.filter((each) => each.level === level);
  const told = (level: FindingLevel, one: string, many: string) => {
    const own = of(level);
    if (own.length === 0) return [];
    const checks = [...new Set(own.map(({ check }) => check))].join(', ');
    return [`${own.length} ${own.length === 1 ? one : many} (${checks})`];
  };
  const parts = [
    ...told('problem', 'problem', 'problems'),
    ...told('unknown', 'thing unknown', 'things unknown'),
    ...told('warning', 'warning', 'warnings'),
  ].join(', ');
  if (of('problem').length > 0) return `Poplin does not work here as planned: ${parts}`;
  if (of('unknown').length > 0) return `Not all was seen: ${parts}`;
  return parts === '' ? 'Poplin can run here' : `Poplin can run here: ${parts}`;
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
