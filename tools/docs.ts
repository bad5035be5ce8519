/** Writes the generated parts of docs/cni.md and docs/flanneld.md: `node tools/docs.ts`. Unit tests fail while they are not what this would write. */
import { readFileSync, writeFileSync } from 'node:fs';
import { DOCUMENT, withBlocks } from './docs/cni-blocks.ts';
import { FLANNELD_DOCUMENT, withFlagBlocks } from './docs/flanneld-blocks.ts';

writeFileSync(DOCUMENT, withBlocks(readFileSync(DOCUMENT, 'utf8')));
writeFileSync(FLANNELD_DOCUMENT, withFlagBlocks(readFileSync(FLANNELD_DOCUMENT, 'utf8')));
