/** Who reaches whom as a table for people, sources down, targets across; and who does not, in words. */
import { type Endpoint, isDenied, type ProbeOutcome, passed, reached } from './reachability.ts';

/** Columns of the dense form stand in groups, so that the eye finds its place. */
const GROUP = 5;
const CORNER = 'from \\ to';

export interface MatrixOptions {
  /** A table wider than this many columns is drawn dense: one character for a target, in the order of the rows. */
  readonly maxColumns: number;
}

/** `✓` both families, `4` or `6` only that one, `✗` none, `○` none, as policies say, `!` one that policies deny, `·` not asked. */
export function drawMatrix(
  endpoints: readonly Endpoint[],
  outcomes: readonly ProbeOutcome[],
  { maxColumns }: MatrixOptions,
): string {
  const found = Map.groupBy(outcomes, ({ probe }) => `${probe.source.name} ${probe.target.name}`);
  const cells = endpoints.map((source) =>
    endpoints.map((target) => cellOf(found.get(`${source.name} ${target.name}`) ?? [])),
  );
  const names = endpoints.map((endpoint) => endpoint.name);
  const nameWidth = Math.max(...names.map((name) => name.length));
  const first = Math.max(nameWidth, CORNER.length);
  const isWide = first + endpoints.length * (nameWidth + 2) > maxColumns;
  const rows = isWide ? denseRows(names, cells, first) : plainRows(names, cells, first);
  return [...rows, ...(isWide ? ['', 'columns: the same names in the same order'] : [])]
    .map((row) => row.trimEnd())
    .join('\n');
}

/** What failed and why: one line for each pair, or for each family of it where the reasons differ. */
export function describeFailures(outcomes: readonly ProbeOutcome[]): string[] {
  const failed = outcomes.filter((outcome) => !passed(outcome));
  const alike = Map.groupBy(failed, (outcome) => {
    const { source, target } = outcome.probe;
    return `${source.name} → ${target.name}: ${reasonOf(outcome)}`;
  });
  return [...alike].map(([text, same]) => {
    const families = same.map(({ probe }) => `IPv${probe.family}`);
    return `${text} (${families.join(', ')})`;
  });
}

function reasonOf(outcome: ProbeOutcome): string {
  const { probe, seen, reason } = outcome;
  if (isDenied(outcome)) return 'reached, and policies deny it';
  if (seen === undefined) return reason ?? 'no answer';
  return `translated on the way: ${probe.target.name} saw ${seen}, which is no address of ${probe.source.name}`;
}

function cellOf(outcomes: readonly ProbeOutcome[]): string {
  if (outcomes.length === 0) return '·';
  if (outcomes.some((outcome) => isDenied(outcome) && !passed(outcome))) return '!';
  const good = outcomes.filter(reached);
  if (good.length === outcomes.length) return '✓';
  if (good.length === 0) return outcomes.every(passed) ? '○' : '✗';
  return good.map(({ probe }) => probe.family).join('');
}

/** A cell stands under the middle of its target's name. */
function plainRows(names: readonly string[], cells: readonly (readonly string[])[], first: number): string[] {
  const centred = (text: string, width: number) =>
    text.padStart(Math.floor((width + text.length) / 2)).padEnd(width);
  const row = (name: string, texts: readonly string[]) => [name.padEnd(first), ...texts].join('  ');
  return [
    row(CORNER, names),
    ...cells.map((line, at) =>
      row(
        names[at] as string,
        line.map((text, column) => centred(text, (names[column] as string).length)),
      ),
    ),
  ];
}

function denseRows(names: readonly string[], cells: readonly (readonly string[])[], first: number): string[] {
  const grouped = (line: readonly string[]) =>
    line.map((text, at) => (at > 0 && at % GROUP === 0 ? ` ${text}` : text)).join('');
  return cells.map((line, at) => `${(names[at] as string).padEnd(first)}  ${grouped(line)}`);
}
