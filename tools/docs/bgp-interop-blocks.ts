/** docs/bgp-interop.md: every feature of BGP that is tried with each speaker of others, out of test/interop/bgp/matrix/features.ts. */
import { join } from 'node:path';
import {
  FEATURE_IDS,
  FEATURES,
  type Feature,
  lackOf,
  PEER_NAMES,
  PEER_VERSIONS,
  partOf,
} from '../../test/interop/bgp/matrix/features.ts';
import { ROOT } from '../command.ts';

export const BGP_INTEROP_DOCUMENT = join(ROOT, 'docs/bgp-interop.md');

const HEAD = `# BGP with speakers of others

Written by \`node tools/docs.ts\` from [test/interop/bgp/matrix/features.ts](../test/interop/bgp/matrix/features.ts). Each cell is a test of \`test/interop/bgp-matrix-*.test.ts\`: a speaker as
\`poplin bgp run\` has it, the other one as Debian has it, a link between them; both families. A cell that has no test says why, and is a named skip. More, with one peer each, is in the other
\`test/interop/bgp-*.test.ts\`.
`;

/** The whole document. */
export function bgpInteropDocument(): string {
  const notes: string[] = [];
  const cellOf = (note: string | undefined, word: string): string => {
    if (note === undefined) return word;
    if (!notes.includes(note)) notes.push(note);
    return `${word} (${notes.indexOf(note) + 1})`;
  };
  const rows = FEATURE_IDS.map((id) => {
    const { name, rfc }: Feature = FEATURES[id];
    const cells = PEER_NAMES.map((peer) => {
      const lack = lackOf(id, peer);
      return lack === undefined
        ? cellOf(partOf(id, peer), partOf(id, peer) === undefined ? 'yes' : 'partly')
        : cellOf(lack, 'no');
    });
    return `| ${[name, rfc === undefined ? '' : String(rfc), ...cells].join(' | ')} |`;
  });
  const head = ['feature', 'RFC', ...PEER_NAMES.map((peer) => `${peer} ${PEER_VERSIONS[peer]}`)];
  const table = [`| ${head.join(' | ')} |`, `|${head.map(() => '---|').join('')}`, ...rows];
  const reasons = notes.map((note, at) => `${at + 1}. ${note}.`);
  return `${[HEAD, ...table, '', ...reasons].join('\n')}\n`;
}
