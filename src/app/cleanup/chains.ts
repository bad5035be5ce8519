/** Chains of iptables in our hand or flannel's: their removal, with all that leads to them. */
import {
  type IptablesRule,
  optionOf,
  parseListing,
  type RuleProgram,
  type RuleTool,
  targetOf,
} from '#core/cni/index.ts';
import { messageOf, type Row } from './report.ts';

/** iptables waits so long for whoever changes rules at the same time. */
const WAIT = ['-w', '5'];
/** The kernel lacks the table, the family, or all of it: nothing can be in it. */
const NO_TABLE = /does not exist|not supported|No such file or directory/;

export interface Chains {
  readonly names: readonly string[];
  /** Of rules among those of others that go too. */
  readonly comments: readonly string[];
  readonly tables: readonly string[];
}

/** The arguments of iptables, call by call, that take the chains out of a table, from what `-S` prints of it. */
export function chainRemovals(listing: string, { names, comments }: Chains): string[][] {
  const { chains, rules } = parseListing(listing);
  const present = names.filter((chain) => chains.has(chain));
  const isTheirs = (rule: IptablesRule) => {
    const comment = optionOf(rule, '--comment');
    return names.includes(targetOf(rule) ?? '') || (comment !== undefined && comments.includes(comment));
  };
  const others = rules.filter((rule) => !names.includes(rule.chain) && isTheirs(rule));
  return [
    ...others.map(({ chain, args }) => ['-D', chain, ...args]),
    ...present.map((chain) => ['-F', chain]),
    ...present.map((chain) => ['-X', chain]),
  ];
}

/** Removes them, or tells of them only. A program that is not there has left nothing. */
export async function removeChains(tool: RuleTool, chains: Chains, isDry: boolean): Promise<Row[]> {
  const rows: Row[] = [];
  for (const program of ['iptables', 'ip6tables'] as const) {
    if (!tool.has(program)) continue;
    for (const table of chains.tables) {
      const listing = await listed(tool, program, [...WAIT, '-t', table, '-S'], rows);
      for (const args of chainRemovals(listing, chains)) {
        rows.push(await carryOut(tool, program, ['-t', table, ...args], isDry));
      }
    }
  }
  return rows;
}

/** What a program prints; '' if there is nothing, or if it fails, which is a row. */
export async function listed(
  tool: RuleTool,
  program: RuleProgram,
  args: readonly string[],
  rows: Row[],
): Promise<string> {
  try {
    return await tool.run(program, args);
  } catch (error) {
    const reason = messageOf(error);
    if (!NO_TABLE.test(reason)) rows.push({ what: `${program} ${args.join(' ')}`, done: 'failed', reason });
    return '';
  }
}

export async function carryOut(
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
