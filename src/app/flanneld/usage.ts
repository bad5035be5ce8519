/** What is said of flanneld's flags: by --help, and in the table of docs/flanneld.md. */
import { FLAG_NAMES, FLAGS, type FlagRow, VARIABLES, variableOf } from './flags-table.ts';

const TYPE_TEXT: Readonly<Record<FlagRow['type'], string>> = {
  string: 'string',
  bool: '',
  int: 'int',
  list: 'value',
  level: 'value',
};

/** As Go's package flag prints defaults: alphabetical, the meaning behind a tab. */
export function flanneldUsage(program: string): string {
  const lines = FLAG_NAMES.toSorted().flatMap((name) => {
    const row: FlagRow = FLAGS[name];
    const isPlain = row.default === '' || row.default === 'false' || row.default === '0';
    const shown = isPlain ? '' : ` (default ${row.type === 'string' ? `"${row.default}"` : row.default})`;
    const idle = row.idle === undefined ? '' : ` [no effect: ${row.idle}]`;
    return [`  -${name} ${TYPE_TEXT[row.type]}`.trimEnd(), `    \t${row.meaning}${shown}${idle}`];
  });
  const variables = Object.entries(VARIABLES).map(([name, meaning]) => `  ${name}\n    \t${meaning}`);
  return `Usage: ${program} [OPTION]...
${lines.join('\n')}

Each flag may be given by a variable too: -ip-masq by ${variableOf('ip-masq')}. A flag counts more than its variable. Beside these:
${variables.join('\n')}
`;
}

/** Rows of a Markdown table. */
export function flagTable(): string {
  const rows = FLAG_NAMES.map((name) => {
    const row: FlagRow = FLAGS[name];
    const only = row.only === undefined ? '' : ` (${row.only === 'etcd' ? 'etcd' : 'Kubernetes'} only)`;
    const idle = row.idle === undefined ? '' : `; **no effect**: ${row.idle}`;
    const shown = row.default === '' ? '–' : `\`${row.default}\``;
    return `| \`-${name}\` | ${row.type === 'level' ? 'int' : row.type} | ${shown} | ${row.meaning}${only}${idle} |\n`;
  });
  return `| flag | type | default | meaning |\n|---|---|---|---|\n${rows.join('')}`;
}

export function variableTable(): string {
  const rows = Object.entries(VARIABLES).map(([name, meaning]) => `| \`${name}\` | ${meaning} |\n`);
  return `| variable | meaning |\n|---|---|\n${rows.join('')}`;
}
