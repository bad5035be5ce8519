/** Writes the generated parts of docs/cni.md, docs/flanneld.md, docs/install.md, docs/install-checks.md and docs/net-conf.md, and docs/rfc.md: `node tools/docs.ts`. Unit tests fail while they are not what this would write. */
import { readFileSync, writeFileSync } from 'node:fs';
import { DOCUMENT, withBlocks } from './docs/cni-blocks.ts';
import { FLANNELD_DOCUMENT, withFlagBlocks } from './docs/flanneld-blocks.ts';
import { INSTALL_DOCUMENT, OUTCOMES_DOCUMENT, withCheckTable, withOutcomes } from './docs/install-blocks.ts';
import { NET_CONF_DOCUMENT, withBackendTable } from './docs/net-conf-blocks.ts';
import { RFC_DOCUMENT, rfcDocument } from './docs/rfc-blocks.ts';

writeFileSync(DOCUMENT, withBlocks(readFileSync(DOCUMENT, 'utf8')));
writeFileSync(FLANNELD_DOCUMENT, withFlagBlocks(readFileSync(FLANNELD_DOCUMENT, 'utf8')));
writeFileSync(NET_CONF_DOCUMENT, withBackendTable(readFileSync(NET_CONF_DOCUMENT, 'utf8')));
writeFileSync(INSTALL_DOCUMENT, withCheckTable(readFileSync(INSTALL_DOCUMENT, 'utf8')));
writeFileSync(OUTCOMES_DOCUMENT, withOutcomes(readFileSync(OUTCOMES_DOCUMENT, 'utf8')));
writeFileSync(RFC_DOCUMENT, rfcDocument());
