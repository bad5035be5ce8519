/** Our own chains of iptables, one for each network, which are there where FORWARD drops (app/agent/forward-accept.ts). */
import { forwardChain } from '#app/agent/index.ts';
import type { RuleTool } from '#core/cni/index.ts';
import { type Chains, removeChains } from './chains.ts';
import type { Row } from './report.ts';

/** Removes those of the networks with what leads to them, or tells of them only. */
export function removeForwardRules(
  tool: RuleTool,
  networks: readonly number[],
  isDry: boolean,
): Promise<Row[]> {
  const chains: Chains = { names: networks.map(forwardChain), comments: [], tables: ['filter'] };
  return removeChains(tool, chains, isDry);
}
