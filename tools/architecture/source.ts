/**
 * Reads one TypeScript or JavaScript file into what the architecture rules judge: imports, exported names, references to
 * names the file does not bind itself, and its head comment. Knows no rules. Parses with oxc-parser, since TypeScript 7
 * has no JavaScript API.
 */
import { parseSync } from 'oxc-parser';
import { type Reference, walkProgram } from './walk.ts';

/** One import, re-export, dynamic import or `import('…')` type; `target` is repository-relative where it is a file of ours. */
export interface Import {
  readonly specifier: string;
  readonly target: string | undefined;
  readonly line: number;
}

export interface ExportedName {
  readonly name: string;
  readonly line: number;
}

/** A parsed file. Paths are relative to the repository, with `/`. */
export interface Source {
  readonly path: string;
  readonly lineCount: number;
  readonly imports: readonly Import[];
  readonly exports: readonly ExportedName[];
  /** Names used but bound nowhere in the file, `Math.random` included as one. */
  readonly globals: readonly Reference[];
  /** How many lines of text the comment at the top has; 0 without one. */
  readonly headerLines: number;
  /** True if the file only re-exports. */
  readonly isBarrel: boolean;
}

/** Parses a file; throws a SyntaxError that names it when it is no valid source. */
export function parseSource(path: string, text: string): Source {
  const { program, module, comments, errors } = parseSync(path, text);
  const problem = errors.find((error) => error.severity === 'Error');
  if (problem !== undefined) throw new SyntaxError(`${path}: ${problem.message}`);

  const lineAt = lineFinder(text);
  const walked = walkProgram(program, lineAt);
  const requests = [
    ...module.staticImports.map((statement) => statement.moduleRequest),
    ...module.staticExports.flatMap(({ entries }) => entries.flatMap((entry) => entry.moduleRequest ?? [])),
  ];
  const statically = requests.map(({ value, start }) => ({ specifier: value, line: lineAt(start) }));
  const entries = module.staticExports.flatMap((statement) => statement.entries);
  return {
    path,
    lineCount: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    imports: [...unique(statically), ...walked.imports].map((found) => ({
      ...found,
      target: resolveSpecifier(path, found.specifier),
    })),
    exports: entries.flatMap(({ exportName, start }) => {
      const name = exportName.kind === 'Default' ? 'default' : exportName.name;
      return name === null ? [] : [{ name, line: lineAt(start) }];
    }),
    globals: walked.globals,
    headerLines: headerLines(text, comments),
    isBarrel:
      module.staticImports.length === 0 &&
      entries.length > 0 &&
      program.body.every((statement) => 'source' in statement && statement.source !== null),
  };
}

/**
 * The repository-relative file an import means: `#core/x.ts` and relative specifiers; undefined for packages and `node:`.
 */
export function resolveSpecifier(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return `src/${specifier.slice(1)}`;
  if (!specifier.startsWith('.')) return undefined;
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    const after = starts.findIndex((start) => start > offset);
    return after < 0 ? starts.length : after;
  };
}

function unique<T extends { specifier: string; line: number }>(found: readonly T[]): T[] {
  return [...new Map(found.map((each) => [`${each.line} ${each.specifier}`, each])).values()];
}

interface Comment {
  readonly type: 'Line' | 'Block';
  readonly value: string;
  readonly start: number;
  readonly end: number;
}

function headerLines(text: string, comments: readonly Comment[]): number {
  const body = text.startsWith('#!') ? text.indexOf('\n') + 1 : 0;
  let end = body;
  let lines = 0;
  for (const comment of comments) {
    if (text.slice(end, comment.start).trim() !== '') break;
    if (lines > 0 && comment.type === 'Block') break; // a second block documents the first symbol
    lines += comment.value.split('\n').filter((line) => /[\p{L}\p{N}]/u.test(line)).length;
    end = comment.end;
    if (comment.type === 'Block') break;
  }
  return lines;
}
