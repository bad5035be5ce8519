/** All architecture rules over all files: pure, from texts to faults. */
import { judgeCycles } from './cycle-rule.ts';
import { judgeDefaultExports, judgeHeaders, judgeNames, judgePurity, judgeSizes } from './file-rules.ts';
import {
  judgeCoreArrows,
  judgeEntries,
  judgePackages,
  judgeRooms,
  judgeTestImports,
} from './import-rules.ts';
import type { Fault, Plan } from './plan.ts';
import { parseSource, type Source } from './source.ts';

type Rule = (sources: readonly Source[], plan: Plan) => Fault[];

/** Each rule by the name its faults carry. */
export const RULES: Readonly<Record<string, Rule>> = {
  room: judgeRooms,
  'core-arrow': judgeCoreArrows,
  package: judgePackages,
  purity: judgePurity,
  entry: judgeEntries,
  'test-import': judgeTestImports,
  'default-export': judgeDefaultExports,
  cycle: judgeCycles,
  size: judgeSizes,
  header: judgeHeaders,
  name: judgeNames,
};

export interface Verdict {
  readonly files: number;
  readonly imports: number;
  readonly faults: readonly Fault[];
}

/** Judges files given as path and text. Seeing no file, or files without a single import, is a fault: then it looked in the wrong place. */
export function judge(texts: ReadonlyMap<string, string>, plan: Plan): Verdict {
  const faults: Fault[] = [];
  const sources: Source[] = [];
  for (const [path, text] of texts) {
    try {
      sources.push(parseSource(path, text));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      faults.push({ rule: 'syntax', path, line: 1, text: error.message });
    }
  }
  const imports = sources.reduce((sum, source) => sum + source.imports.length, 0);
  if (sources.length === 0 || imports === 0)
    faults.push({
      rule: 'nothing-seen',
      path: '.',
      line: 1,
      text: `${sources.length} files, ${imports} imports`,
    });
  for (const rule of Object.values(RULES)) faults.push(...rule(sources, plan));
  return { files: sources.length, imports, faults };
}
