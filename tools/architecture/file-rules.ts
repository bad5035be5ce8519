/** The rules about one file by itself: purity, default exports, size, head comment and names. */
import { isTest, placeOf } from './place.ts';
import type { Fault, Plan } from './plan.ts';
import type { Source } from './source.ts';

/** Pure rooms refer to no clock, timer, randomness, process or console. */
export function judgePurity(sources: readonly Source[], plan: Plan): Fault[] {
  return sources.flatMap((source) => {
    const { room, inSource } = placeOf(source.path);
    if (!inSource || !plan.pureRooms.includes(room) || isTest(source.path)) return [];
    return source.globals.flatMap(({ name, line }) => {
      if (!plan.impureNames.has(name)) return [];
      return fault(
        'purity',
        source,
        line,
        `${room} is pure: take what ${name} gives as an argument or through a port`,
      );
    });
  });
}

/** Exports have names; a tool's own configuration file is the exception, being entered by that tool. */
export function judgeDefaultExports(sources: readonly Source[]): Fault[] {
  return sources.flatMap((source) => {
    if (/(^|\/)[^/]+\.config\.ts$/.test(source.path)) return [];
    return source.exports.flatMap(({ name, line }) =>
      name === 'default' ? fault('default-export', source, line, 'give the export a name') : [],
    );
  });
}

/** No file is longer than the plan allows, tables and tests apart. */
export function judgeSizes(sources: readonly Source[], plan: Plan): Fault[] {
  return sources.flatMap((source) => {
    if (source.lineCount <= plan.maxLines) return [];
    if (plan.sizeExempt.some(({ path }) => path.test(source.path))) return [];
    return fault(
      'size',
      source,
      plan.maxLines + 1,
      `${source.lineCount} lines: split it, ${plan.maxLines} at most`,
    );
  });
}

/** Every file but tests and mere re-exports says at its top what it is. */
export function judgeHeaders(sources: readonly Source[], plan: Plan): Fault[] {
  return sources.flatMap((source) => {
    if (isTest(source.path) || source.isBarrel) return [];
    if (source.headerLines === 0) return fault('header', source, 1, 'say at the top what this file is');
    if (source.headerLines <= plan.maxHeaderLines) return [];
    return fault(
      'header',
      source,
      1,
      `${source.headerLines} lines of head comment, ${plan.maxHeaderLines} at most`,
    );
  });
}

/** File names and exported names carry no word that says nothing. */
export function judgeNames(sources: readonly Source[], plan: Plan): Fault[] {
  return sources.flatMap((source) => {
    const isEmpty = (word: string) =>
      plan.emptyWords.has(word) &&
      !plan.nameExempt.some((exempt) => exempt.word === word && exempt.path.test(source.path));
    const inPath = source.path.split(/[/.-]/).map(capitalized).filter(isEmpty);
    const inExports = source.exports.flatMap(({ name, line }) => {
      return wordsOf(name)
        .filter(isEmpty)
        .flatMap((word) => fault('name', source, line, `${name}: "${word}" says nothing; name what it is`));
    });
    return [
      ...inPath.flatMap((word) =>
        fault('name', source, 1, `"${word}" in the path says nothing; name what it is`),
      ),
      ...inExports,
    ];
  });
}

/** The words of a camel-case name, each with a capital; none of a SCREAMING_CASE name, which is a foreign constant. */
function wordsOf(name: string): string[] {
  if (/^[A-Z0-9_]+$/.test(name)) return [];
  const words = name.match(/[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])/g) ?? [];
  return words.map(capitalized);
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function fault(rule: string, source: Source, line: number, text: string): Fault[] {
  return [{ rule, path: source.path, line, text }];
}
