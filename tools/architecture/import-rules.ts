/** The rules about who imports whom: rooms, core modules, packages, entries and tests. */
import { isTest, moduleName, type Place, placeOf } from './place.ts';
import type { Fault, Plan } from './plan.ts';
import type { Import, Source } from './source.ts';

/** One import of a file that is no test, with both ends placed. */
interface Arrow {
  readonly source: Source;
  readonly from: Place;
  readonly to: Place;
  readonly target: string;
  readonly found: Import;
}

/** Rooms import downwards only; src imports nothing outside src but package.json. */
export function judgeRooms(sources: readonly Source[], plan: Plan): Fault[] {
  return arrowsOf(sources).flatMap(({ source, from, to, target, found }) => {
    if (!from.inSource) return [];
    const allowed = plan.rooms[from.room];
    if (allowed === undefined) return fault('room', source, found, `src/${from.room} is no room of the plan`);
    if (to.inSource ? allowed.includes(to.room) : target === 'package.json') return [];
    return fault('room', source, found, `${from.room} may import ${allowed.join(', ')}; this is ${target}`);
  });
}

/** Core modules import each other along the listed arrows only. */
export function judgeCoreArrows(sources: readonly Source[], plan: Plan): Fault[] {
  return arrowsOf(sources).flatMap(({ source, from, to, found }) => {
    if (from.room !== 'core' || to.room !== 'core' || from.module === to.module) return [];
    const allowed = plan.coreArrows[moduleName(from)];
    if (allowed?.includes(moduleName(to))) return [];
    const listed = allowed === undefined ? 'is not listed' : `may import ${allowed.join(', ') || 'no other'}`;
    return fault(
      'core-arrow',
      source,
      found,
      `core/${moduleName(from)} ${listed}; this is core/${moduleName(to)}. If that is meant, add it to CORE_ARROWS`,
    );
  });
}

/** Pure rooms import the listed packages only, and nothing of Node. */
export function judgePackages(sources: readonly Source[], plan: Plan): Fault[] {
  return codeOf(sources).flatMap((source) => {
    const { room, inSource } = placeOf(source.path);
    const allowed = inSource ? plan.packages[room] : undefined;
    if (allowed === undefined) return [];
    return source.imports.flatMap((found) => {
      if (found.target !== undefined || allowed.includes(packageName(found.specifier))) return [];
      const list = allowed.join(', ') || 'no package';
      return fault('package', source, found, `${room} may import ${list}; this is ${found.specifier}`);
    });
  });
}

/** From outside a module is entered through its index.ts, by its `#` name; inside it, files are imported by relative path. */
export function judgeEntries(sources: readonly Source[], plan: Plan): Fault[] {
  const innerEntries = new Set(plan.innerModules.map((folder) => `${folder}/index.ts`));
  return arrowsOf(sources).flatMap(({ source, from, to, target, found }) => {
    if (!to.inSource) return [];
    const isRelative = !found.specifier.startsWith('#');
    if (from.module === to.module) {
      if (!isRelative)
        return fault('entry', source, found, `inside ${to.module} import ${target} by relative path`);
      if (target === to.entry)
        return fault('entry', source, found, `inside ${to.module} import the file, not index.ts`);
      return [];
    }
    if (target !== to.entry && !innerEntries.has(target))
      return fault('entry', source, found, `enter ${to.module} through ${to.entry}, not ${target}`);
    const isSibling = to.entry === to.module && from.room === to.room;
    if (isRelative && from.inSource && !isSibling)
      return fault('entry', source, found, `import another module as #${target.slice('src/'.length)}`);
    return [];
  });
}

/** Nobody imports a test. */
export function judgeTestImports(sources: readonly Source[]): Fault[] {
  return sources.flatMap((source) =>
    source.imports.flatMap((found) => {
      if (found.target === undefined || !isTest(found.target)) return [];
      return fault(
        'test-import',
        source,
        found,
        `${found.target} is a test: move what is shared into a file beside it`,
      );
    }),
  );
}

function codeOf(sources: readonly Source[]): Source[] {
  return sources.filter((source) => !isTest(source.path));
}

function arrowsOf(sources: readonly Source[]): Arrow[] {
  return codeOf(sources).flatMap((source) => {
    const from = placeOf(source.path);
    return source.imports.flatMap((found) =>
      found.target === undefined
        ? []
        : [{ source, from, to: placeOf(found.target), target: found.target, found }],
    );
  });
}

/** `@scope/name` of `@scope/name/part`, `node:fs` of itself. */
function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

function fault(rule: string, source: Source, found: Import, text: string): Fault[] {
  return [{ rule, path: source.path, line: found.line, text }];
}
