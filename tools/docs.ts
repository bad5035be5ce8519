/** Writes the generated parts of docs/cni.md: `node tools/docs.ts`. A unit test fails while they are not what this would write. */
import { readFileSync, writeFileSync } from 'node:fs';
import { DOCUMENT, withBlocks } from './docs/cni-blocks.ts';

writeFileSync(DOCUMENT, withBlocks(readFileSync(DOCUMENT, 'utf8')));
