/**
 * CHECK, DEL and GC of attachments that the reference plugins made: their rules are looked for, and taken away. Each step can be repeated;
 * what somebody else removed meanwhile is no failure.
 */

import type { RulePlace, RuleTool } from '../../ports.ts';
import { CNI_ERROR, CniError } from '../../spec/error.ts';
import { chainsOf, missingRules, removals, staleRemovals, tableOf } from './iptables.ts';
import { type IptablesListing, parseListing } from './listing.ts';
import type { RuleOwner } from './names.ts';
import {
  missingNftRules,
  type NftRule,
  nftRemoval,
  nftTablesOf,
  ownNftRules,
  parseNftRules,
  staleNftRules,
} from './nft.ts';
import type { ReferenceRules } from './rules.ts';

const PROGRAMS = ['iptables', 'ip6tables'] as const;
type Program = (typeof PROGRAMS)[number];
const FAMILIES: Readonly<Record<Program, RulePlace['family']>> = { iptables: 'ip', ip6tables: 'ip6' };

/** Seconds to wait for others that change rules. */
const WAIT = ['-w', '5'];

/** The kernel lacks the table, the family, or all of it: nothing can be in it. */
const NO_TABLE = /does not exist|not supported|No such file or directory/;

const EMPTY: IptablesListing = { chains: new Set(), rules: [] };

/** Takes an attachment's rules away. Throws CniError 999 that names the program and tells what it said. */
export async function removeReferenceRules(tool: RuleTool, rules: ReferenceRules): Promise<void> {
  if (rules.kind === 'firewall' && rules.addresses.length === 0) return;
  await removeAll(
    tool,
    { rules, chains: chainsOf(rules) },
    (listing) => removals(rules, listing),
    (all) => ownNftRules(rules, all),
  );
}

/** Takes away the rules of all containers of the network but these. Throws like removeReferenceRules. */
export async function collectReferenceRules(
  tool: RuleTool,
  rules: ReferenceRules,
  valid: readonly (RuleOwner & { readonly ifName: string })[],
): Promise<void> {
  if (rules.kind === 'firewall') return;
  await removeAll(
    tool,
    { rules },
    (listing) => staleRemovals(rules, valid, listing),
    (all) => staleNftRules(rules, valid, all),
  );
}

/** Throws CniError 114 that tells which rules are missing, in iptables, or in nf_tables if any is there. */
export async function checkReferenceRules(tool: RuleTool, rules: ReferenceRules): Promise<void> {
  const [four, six] = await Promise.all(
    PROGRAMS.map((program) => list(tool, program, { table: tableOf(rules) })),
  );
  const inIptables = missingRules(rules, { 4: four ?? EMPTY, 6: six ?? EMPTY });
  if (inIptables.length === 0) return;
  let missing = inIptables;
  if (tool.has('nft') && nftTablesOf(rules).length > 0) {
    const all = await listNft(tool, rules);
    const inNft = missingNftRules(rules, all);
    if (inNft.length === 0) return;
    if (ownNftRules(rules, all).length > 0) missing = inNft;
  }
  throw new CniError(
    CNI_ERROR.checkFailed,
    `container ${rules.containerId} is not as the reference plugin's ADD left it`,
    [...new Set(missing)].join('; '),
  );
}

async function removeAll(
  tool: RuleTool,
  /** `chains` as in RulePlace, for iptables. */
  { rules, chains }: { readonly rules: ReferenceRules; readonly chains?: readonly string[] },
  plan: (listing: IptablesListing) => string[][],
  choose: (all: readonly NftRule[]) => NftRule[],
): Promise<void> {
  const place = { table: tableOf(rules), ...(chains && { chains }) };
  await Promise.all([
    ...PROGRAMS.map((program) => removeWith(tool, program, place, plan)),
    removeWithNft(tool, rules, choose),
  ]);
}

async function removeWith(
  tool: RuleTool,
  program: Program,
  place: Omit<RulePlace, 'family'>,
  plan: (listing: IptablesListing) => string[][],
): Promise<void> {
  const planned = plan((await list(tool, program, place)) ?? EMPTY);
  try {
    for (const args of planned) await tool.run(program, [...WAIT, '-t', place.table, ...args]);
  } catch (error) {
    // Somebody else's removal of the same is as good.
    if (plan((await list(tool, program, place)) ?? EMPTY).length > 0) throw failure(error);
  }
}

async function removeWithNft(
  tool: RuleTool,
  rules: ReferenceRules,
  choose: (all: readonly NftRule[]) => NftRule[],
): Promise<void> {
  if (!tool.has('nft')) return;
  const found = choose(await listNft(tool, rules));
  if (found.length === 0) return;
  try {
    await tool.run('nft', [nftRemoval(found)]);
  } catch (error) {
    if (choose(await listNft(tool, rules)).length > 0) throw failure(error);
  }
}

async function list(
  tool: RuleTool,
  program: Program,
  place: Omit<RulePlace, 'family'>,
): Promise<IptablesListing | undefined> {
  if (!tool.mayHold({ family: FAMILIES[program], ...place }) || !tool.has(program)) return undefined;
  try {
    return parseListing(await tool.run(program, [...WAIT, '-t', place.table, '-S']));
  } catch (error) {
    if (NO_TABLE.test(textOf(error))) return undefined;
    throw failure(error);
  }
}

async function listNft(tool: RuleTool, rules: ReferenceRules): Promise<NftRule[]> {
  const found: NftRule[] = [];
  for (const [family, table] of nftTablesOf(rules)) {
    if (!tool.mayHold({ family, table })) continue;
    try {
      found.push(...parseNftRules(await tool.run('nft', ['-j', '-a', 'list', 'table', family, table])));
    } catch (error) {
      if (!NO_TABLE.test(textOf(error))) throw failure(error);
    }
  }
  return found;
}

function failure(error: unknown): CniError {
  return new CniError(CNI_ERROR.internal, "rules of the reference plugin's", textOf(error), { cause: error });
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
