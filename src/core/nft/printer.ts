/** nf_tables objects as `nft list ruleset` prints them, for logs, plans and goldens in the language of the field. */
import type { NftChain, NftElement, NftFamily, NftHook, NftObject, NftSet, NftTable } from './objects.ts';
import { printRule } from './print-rule.ts';
import { printSet } from './print-set.ts';

/** All tables among the objects with what belongs to them, in the order given; ends with a line end unless there is none. */
export function printRuleset(objects: Iterable<NftObject>): string {
  const all = [...objects];
  return all
    .filter((object) => object.kind === 'nft-table')
    .map((table) => printTable(table, all))
    .join('');
}

/** One table with those of the objects that lie in it. */
export function printTable(table: NftTable, objects: Iterable<NftObject>): string {
  const inside = [...objects].filter(
    (object) => object.kind !== 'nft-table' && object.family === table.family && object.table === table.name,
  ) as Exclude<NftObject, NftTable>[];
  const elements = Map.groupBy(
    inside.filter((object): object is NftElement => object.kind === 'nft-element'),
    (element) => element.set,
  );
  const sets = inside.filter((object): object is NftSet => object.kind === 'nft-set');
  const chains = inside.filter((object): object is NftChain => object.kind === 'nft-chain');
  const blocks = [
    ...sets.map((set) => printSet(set, elements.get(set.name) ?? [])),
    ...chains.map((chain) => printChain(chain)),
  ];
  const head = [
    `table ${table.family} ${table.name} {\n`,
    ...(table.comment === undefined ? [] : [`\tcomment "${table.comment}"\n`]),
    // nft sets the flags apart from what follows.
    ...(table.dormant ? [`\tflags dormant\n${blocks.length > 0 ? '\n' : ''}`] : []),
  ];
  return `${head.join('')}${blocks.map((block) => `${block}\n`).join('\n')}}\n`;
}

/** The chain with its rules, without a line end. */
export function printChain(chain: NftChain): string {
  const lines = [`\tchain ${chain.name} {`];
  if (chain.comment !== undefined) lines.push(`\t\tcomment "${chain.comment}"`);
  if (chain.hook !== undefined) lines.push(`\t\t${hookText(chain.family, chain.hook)}`);
  for (const rule of chain.rules) lines.push(`\t\t${printRule(chain.family, rule)}`);
  lines.push('\t}');
  return lines.join('\n');
}

function hookText(family: NftFamily, hook: NftHook): string {
  const devices = hook.devices ?? [];
  const device =
    devices.length === 0
      ? ''
      : devices.length === 1
        ? ` device "${devices[0]}"`
        : ` devices = { ${devices.map((name) => `"${name}"`).join(', ')} }`;
  const priority = priorityText(family, hook);
  return `type ${hook.type} hook ${hook.hook}${device} priority ${priority}; policy ${hook.policy ?? 'accept'};`;
}

interface Priority {
  readonly name: string;
  readonly value: number;
  /** The only hook the name is used for. */
  readonly hook?: string;
}

const INET_PRIORITIES: readonly Priority[] = [
  { name: 'raw', value: -300 },
  { name: 'mangle', value: -150 },
  { name: 'dstnat', value: -100, hook: 'prerouting' },
  { name: 'filter', value: 0 },
  { name: 'security', value: 50 },
  { name: 'srcnat', value: 100, hook: 'postrouting' },
];
const BRIDGE_PRIORITIES: readonly Priority[] = [
  { name: 'dstnat', value: -300, hook: 'prerouting' },
  { name: 'filter', value: -200 },
  { name: 'out', value: 100, hook: 'output' },
  { name: 'srcnat', value: 300, hook: 'postrouting' },
];
/** A number this near to a name is printed as the name and the difference. */
const REACH = 10;

function priorityText(family: NftFamily, { hook, priority }: NftHook): string {
  const names = family === 'bridge' ? BRIDGE_PRIORITIES : INET_PRIORITIES;
  const onlyFilter = family === 'arp' || family === 'netdev';
  const found = names.find(
    (each) =>
      Math.abs(priority - each.value) <= REACH &&
      (each.hook === undefined || each.hook === hook) &&
      (!onlyFilter || each.name === 'filter'),
  );
  if (found === undefined) return `${priority}`;
  const difference = priority - found.value;
  if (difference === 0) return found.name;
  return `${found.name} ${difference > 0 ? '+' : '-'} ${Math.abs(difference)}`;
}
