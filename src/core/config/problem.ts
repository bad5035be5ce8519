/**
 * What is wrong with a configuration text, and where. All problems of a text are collected, so that one reading
 * repairs them all; the form `source:line:column: path: message` is what editors and terminals make clickable.
 */

/** One fault of a configuration: where it stands, which key it concerns, and what to do. */
export interface Problem {
  /** The file (or other origin) as the user knows it: `net-conf.json`. */
  readonly source: string;
  /** The key's path, `Backend.Port` or `plugins[0].type`; empty for the text as a whole. */
  readonly path: string;
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1, in UTF-16 units as editors do. */
  readonly column: number;
  readonly message: string;
  /** The value found there; absent for missing keys, syntax errors and secrets. */
  readonly value?: unknown;
}

export type KeyPath = readonly (string | number)[];

/** Either a value (with warnings that do not hinder it) or every problem of the text. */
export type ParseResult<T> =
  | { readonly ok: true; readonly value: T; readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] };

/** A configuration that cannot be used; its message lists all problems, one a line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

/** `net-conf.json:3:14: Backend.Port: must be at most 65535, not 70000`. */
export function formatProblem(problem: Problem): string {
  const where = `${problem.source}:${problem.line}:${problem.column}: `;
  return problem.path === '' ? where + problem.message : `${where}${problem.path}: ${problem.message}`;
}

/** The value of a result; throws a ConfigError with all problems if there is none. */
export function requireConfig<T>(result: ParseResult<T>): T {
  if (!result.ok) throw new ConfigError(result.problems);
  return result.value;
}

/** `['plugins', 0, 'type']` becomes `plugins[0].type`; keys that are no plain words are quoted. */
export function formatPath(path: KeyPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w$-]+$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** The first problem of each line, ten at most: one slip makes a recovering parser stumble several times. */
export function firstPerLine(problems: readonly Problem[]): Problem[] {
  const byLine = new Map<number, Problem>();
  for (const problem of [...problems].sort(compareProblems)) {
    if (!byLine.has(problem.line)) byLine.set(problem.line, problem);
  }
  return [...byLine.values()].slice(0, 10);
}

/** Orders problems as they stand in the text. */
export function compareProblems(a: Problem, b: Problem): number {
  return a.line - b.line || a.column - b.column || a.path.localeCompare(b.path, 'en');
}
