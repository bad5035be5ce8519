/** Our own chain of iptables, which is there where FORWARD drops (app/agent/forward-accept.ts). */
import { FORWARD_CHAIN } from '#app/agent/index.ts';
import type { RuleTool } from '#core/cni/index.ts';
import { type Chains, removeChains } from './chains.ts';
import type { Row } from './report.ts';

const CHAINS: Chains = { names: [FORWARD_CHAIN], comments: [], tables: ['filter'] };

/** Removes it with what leads to it, or tells of it only. */
export function removeForwardRules(tool: RuleTool, isDry: boolean): Promise<Row[]> {
  return removeChains(tool, CHAINS, isDry);
}
