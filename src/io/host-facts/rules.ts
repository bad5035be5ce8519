/**
 * What the rules of others do to forwarded packets, and whose they are. nf_tables is read here, the older iptables by its own program;
 * neither is asked where its module is not loaded, which asking would do.
 */
import { readFileSync } from 'node:fs';
import type { RuleTool } from '#core/cni/index.ts';
import { type ForwardDrop, isPresent, type KernelFacts, type RuleFacts } from '#core/install/index.ts';
import { messageType } from '#core/netlink/index.ts';
import { NFT_MESSAGE, NftMirror, tableOfMessage } from '#core/netlink/nftables/index.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '#io/netlink/index.ts';

/** Of nf_tables, those that iptables keeps its own rules in. */
const IPTABLES_TABLE = /^ip6? (filter|nat|mangle|raw|security)$/;
const PROGRAMS = { ip: 'iptables', ip6: 'ip6tables' } as const;
const FAMILIES = ['ip', 'ip6'] as const;
const TABLES = ['filter', 'nat'] as const;

/** Whatever else a dump may hold is not wanted. */
const KINDS: ReadonlySet<number> = new Set([NFT_MESSAGE.NEWTABLE, NFT_MESSAGE.NEWCHAIN]);

/** Undefined where they are not to be seen; never rejects. */
export async function ruleFacts(tool: RuleTool, kernel: KernelFacts): Promise<RuleFacts | undefined> {
  const drops: ForwardDrop[] = [];
  const names = new Set<string>();
  const unseen = new Set<string>();
  let chains: readonly FoundChain[];
  try {
    chains = isPresent('nftables', kernel) ? nftChains() : [];
  } catch {
    return undefined;
  }
  for (const { table, name, isForwardDrop } of chains) {
    names.add(table);
    if (IPTABLES_TABLE.test(table)) continue;
    // Poplin's own drop nothing of the network's.
    if (isForwardDrop && !/ poplin-/.test(table))
      drops.push({ program: 'nft', chain: `${table} ${name}`, by: 'policy' });
  }
  for (const family of FAMILIES) {
    const program = PROGRAMS[family];
    const legacy = readProcNet(`${family}_tables_names`)?.split('\n') ?? [];
    const own = chains.map(({ table }) => table);
    for (const table of TABLES) {
      const isLegacy = legacy.includes(table);
      if (!isLegacy && !own.includes(`${family} ${table}`)) continue;
      const listing = await listingOf(tool, program, table, isLegacy, unseen);
      for (const [, name = ''] of listing.matchAll(/^-N (\S+)$/gm)) names.add(name);
      if (table === 'filter') drops.push(...forwardDrops(program, listing));
    }
  }
  return {
    forwardDrops: drops,
    names: [...names].toSorted(),
    ...(unseen.size > 0 && { unseen: [...unseen].join('; ') }),
  };
}

/** What `iptables -S` prints of a table; empty, and a note, where it tells nothing of it. */
async function listingOf(
  tool: RuleTool,
  program: 'iptables' | 'ip6tables',
  table: string,
  isLegacy: boolean,
  unseen: Set<string>,
): Promise<string> {
  if (!tool.has(program)) {
    unseen.add(`${program} has rules, and the program is not installed`);
    return '';
  }
  try {
    if (isLegacy && (await tool.run(program, ['-V'])).includes('nf_tables'))
      unseen.add(
        `there are rules of the older ${program} (${program}-legacy -S), which this one does not show`,
      );
    return await tool.run(program, ['-w', '5', '-t', table, '-S']);
  } catch (error) {
    unseen.add((error as Error).message.split('\n')[0] ?? '');
    return '';
  }
}

/** What `iptables -S` says of FORWARD: its policy, and a rule without conditions behind which nothing is reached. */
function forwardDrops(program: ForwardDrop['program'], listing: string): ForwardDrop[] {
  const drop = (by: ForwardDrop['by']): ForwardDrop => ({ program, chain: 'FORWARD', by });
  return [
    ...(/^-P FORWARD DROP$/m.test(listing) ? [drop('policy')] : []),
    ...(/^-A FORWARD -j (DROP|REJECT)\b/m.test(listing) ? [drop('rule')] : []),
  ];
}

interface FoundChain {
  /** `inet wall`. */
  readonly table: string;
  readonly name: string;
  readonly isForwardDrop: boolean;
}

/** All chains of whomever, and a nameless one for each table. Throws NetlinkError where that is not allowed. */
function nftChains(): FoundChain[] {
  using socket = NetlinkSocket.open({ protocol: NETLINK_NETFILTER });
  const [tables, chains] = new NftMirror().dumpRequests();
  if (tables === undefined || chains === undefined) return [];
  const told = [tables, chains].flatMap((request) => socket.dump(request, 'dump of nf_tables'));
  const places = told.flatMap((message) => tableOfMessage(message) ?? []);
  const mirror = new NftMirror(new Map(), new Set(places.map(({ table }) => table)));
  mirror.beginResync();
  for (const message of told) if (KINDS.has(messageType(message))) mirror.apply(message);
  mirror.endResync();
  return [...mirror.state.values()].flatMap((object): FoundChain[] => {
    if (object.kind === 'nft-table')
      return [{ table: `${object.family} ${object.name}`, name: '', isForwardDrop: false }];
    if (object.kind !== 'nft-chain') return [];
    const { family, hook } = object;
    const isForwardDrop =
      hook?.hook === 'forward' && hook.policy === 'drop' && ['ip', 'ip6', 'inet'].includes(family);
    return [{ table: `${family} ${object.table}`, name: object.name, isForwardDrop }];
  });
}

function readProcNet(file: string): string | undefined {
  try {
    return readFileSync(`/proc/net/${file}`, 'utf8');
  } catch {
    return undefined; // the module is not loaded
  }
}
