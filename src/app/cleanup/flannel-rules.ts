/** flannel's rules: chains FLANNEL-POSTRTG and FLANNEL-FWD of iptables, what leads to them or bears its comments, and its two nf_tables tables. */
import {
  type IptablesRule,
  optionOf,
  parseListing,
  type RuleProgram,
  type RuleTool,
  targetOf,
} from '#core/cni/index.ts';
import { messageOf, type Row } from './report.ts';

const CHAINS = ['FLANNEL-POSTRTG', 'FLANNEL-FWD'];
/** Of the rules that flannel before 0.20 put among those of others. */
const COMMENTS = ['flanneld masq', 'flanneld forward'];
/** iptables waits so long for whoever changes rules at the same time. */
const WAIT = ['-w', '5'];
const NFT_TABLE = /^table (ip|ip6) (flannel-ipv[46])$/gm;

/** The arguments of iptables, call by call, that take flannel's rules out of a table, from what `-S` prints of it. */
export function flannelRemovals(listing: string): string[][] {
  const { chains, rules } = parseListing(listing);
  const present = CHAINS.filter((chain) => chains.has(chain));
  const others = rules.filter((rule) => !CHAINS.includes(rule.chain) && isFlannels(rule));
  return [
    ...others.map(({ chain, args }) => ['-D', chain, ...args]),
    ...present.map((chain) => ['-F', chain]),
    ...present.map((chain) => ['-X', chain]),
  ];
}

/** Removes them, or tells of them only. A program that is not there has left nothing. */
export async function removeFlannelRules(tool: RuleTool, isDry: boolean): Promise<Row[]> {
  const rows: Row[] = [];
  const work = async (program: RuleProgram, args: readonly string[]) => {
    rows.push(await carryOut(tool, program, args, isDry));
  };
  for (const program of ['iptables', 'ip6tables'] as const) {
    if (!tool.has(program)) continue;
    for (const table of ['nat', 'filter']) {
      const listing = await listed(tool, program, [...WAIT, '-t', table, '-S'], rows);
      for (const args of flannelRemovals(listing)) await work(program, ['-t', table, ...args]);
    }
  }
  if (!tool.has('nft')) return rows;
  const tables = await listed(tool, 'nft', ['list', 'tables'], rows);
  for (const [, family = '', name = ''] of tables.matchAll(NFT_TABLE)) {
    await work('nft', ['delete', 'table', family, name]);
  }
  return rows;
}

function isFlannels(rule: IptablesRule): boolean {
  const comment = optionOf(rule, '--comment');
  return CHAINS.includes(targetOf(rule) ?? '') || (comment !== undefined && COMMENTS.includes(comment));
}

async function listed(
  tool: RuleTool,
  program: RuleProgram,
  args: readonly string[],
  rows: Row[],
): Promise<string> {
  try {
    return await tool.run(program, args);
  } catch (error) {
    rows.push({ what: `${program} ${args.join(' ')}`, done: 'failed', reason: messageOf(error) });
    return '';
  }
}

async function carryOut(
  tool: RuleTool,
  program: RuleProgram,
  args: readonly string[],
  isDry: boolean,
): Promise<Row> {
  const what = `${program} ${args.join(' ')}`;
  if (isDry) return { what, done: 'would be removed' };
  try {
    await tool.run(program, program === 'nft' ? args : [...WAIT, ...args]);
    return { what, done: 'removed' };
  } catch (error) {
    return { what, done: 'failed', reason: messageOf(error) };
  }
}
