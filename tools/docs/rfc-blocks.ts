/**
 * docs/rfc.md: which file obeys which section of which RFC, from the comments beside the code. A comment that says `RFC 4271 section 6.3` is
 * a row; one that names the RFC alone is of all of it. Tests are not looked at.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
export const RFC_DOCUMENT = join(ROOT, 'docs/rfc.md');

/** Of those that are obeyed in more than a line. */
const TITLES: Readonly<Record<number, string>> = {
  1035: 'Domain names',
  1997: 'BGP communities',
  2131: 'DHCP',
  2385: 'TCP signatures for BGP',
  2545: 'BGP for IPv6',
  2918: 'Route refresh for BGP',
  4271: 'BGP-4',
  4360: 'BGP extended communities',
  4456: 'BGP route reflection',
  4724: 'Graceful restart for BGP',
  4760: 'Multiprotocol BGP',
  4861: 'Neighbour discovery for IPv6',
  5065: 'AS confederations for BGP',
  5082: 'GTSM',
  5492: 'Capabilities of BGP',
  5880: 'BFD',
  5881: 'BFD for a single hop',
  5882: 'Uses of BFD',
  5883: 'BFD over several hops',
  6286: 'BGP identifiers',
  6396: 'MRT',
  6793: 'Four-octet AS numbers',
  7313: 'Enhanced route refresh',
  7606: 'Errors in UPDATEs',
  7854: 'BMP',
  7911: 'Additional paths',
  7999: 'Blackhole community',
  8092: 'Large communities',
  8212: 'No routes without policy',
  8326: 'Graceful shutdown',
  8538: 'Notifications and graceful restart',
  8654: 'Extended messages',
  8950: 'IPv4 by IPv6 next hops',
  9003: 'Shutdown text (was RFC 8203)',
  9072: 'Long OPEN parameters',
  9494: 'Long-lived graceful restart',
  9687: 'Send hold timer',
};

/** RFC → section, or '' for all of it → files. */
type Obeyed = Map<number, Map<string, Set<string>>>;

/** The whole document. */
export function rfcDocument(): string {
  const obeyed: Obeyed = new Map();
  for (const path of globSync(['src/**/*.ts', 'native/*.c'], { cwd: ROOT }).toSorted())
    if (!/\.(test|fixture)\.ts$/.test(path)) note(obeyed, path, readFileSync(join(ROOT, path), 'utf8'));
  const numbers = [...obeyed.keys()].toSorted((a, b) => a - b);
  return [
    '# RFCs',
    '',
    'Written by `node tools/docs.ts` from the comments beside the code. A section is named at the line that obeys it; where none is, the file is about the whole.',
    '',
    ...numbers.flatMap((number) => table(number, obeyed.get(number) as Map<string, Set<string>>)),
  ].join('\n');
}

/** Comments like `RFC 4271 section 6.3`, `RFC 7606 sections 3 and 7.1`, `RFC 2710, RFC 3810`. */
function note(obeyed: Obeyed, path: string, text: string): void {
  for (const [, digits, sections = ''] of text.matchAll(
    /RFC (\d{3,5})(?: sections? ((?:\d+[\d.]*\d|\d)(?:(?:, | and )(?:\d+[\d.]*\d|\d)(?![\d]))*))?/g,
  )) {
    const number = Number(digits);
    const bySection = obeyed.get(number) ?? new Map<string, Set<string>>();
    obeyed.set(number, bySection);
    for (const section of sections.split(/, | and /)) {
      const files = bySection.get(section) ?? new Set<string>();
      bySection.set(section, files.add(path));
    }
  }
}

function table(number: number, bySection: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  const title = TITLES[number];
  const rows = [...bySection].toSorted(([a], [b]) => compareSections(a, b));
  return [
    `## RFC ${number}${title === undefined ? '' : `: ${title}`}`,
    '',
    '| section | file |',
    '|---|---|',
    ...rows.map(
      ([section, files]) =>
        `| ${section || '–'} | ${Array.from(files, (file) => `[${file}](../${file})`).join(', ')} |`,
    ),
    '',
  ];
}

function compareSections(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}
