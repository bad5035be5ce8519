/** The generated parts of docs/flanneld.md: tables from the declarations that flanneld's command line is read by, between `<!-- NAME -->` and `<!-- end -->`. */
import { join } from 'node:path';
import { flagTable, variableTable } from '#app/flanneld/index.ts';
import { metricTable } from '#app/health/index.ts';

export const FLANNELD_DOCUMENT = join(import.meta.dirname, '../../docs/flanneld.md');

const TABLES: Readonly<Record<string, () => string>> = {
  flags: flagTable,
  variables: variableTable,
  metrics: metricTable,
};

/** The document with its tables made anew. Throws RangeError for one that is missing. */
export function withFlagBlocks(document: string): string {
  let text = document;
  for (const [name, table] of Object.entries(TABLES)) {
    const block = new RegExp(`<!-- ${name} -->\n[^]*?<!-- end -->`);
    if (!block.test(text)) throw new RangeError(`docs/flanneld.md has no marker "${name}"`);
    text = text.replace(block, () => `<!-- ${name} -->\n${table()}<!-- end -->`);
  }
  return text;
}
