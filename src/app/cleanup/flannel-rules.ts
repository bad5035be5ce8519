/** flannel's rules: chains FLANNEL-POSTRTG and FLANNEL-FWD of iptables, what leads to them or bears its comments, and its two nf_tables tables. */
import type { RuleTool } from '#core/cni/index.ts';
import { type Chains, carryOut, listed, removeChains } from './chains.ts';
import type { Row } from './report.ts';

export const FLANNEL_CHAINS: Chains = {
  names: ['FLANNEL-POSTRTG', 'FLANNEL-FWD'],
  // flannel before 0.20 put its rules among those of others.
  comments: ['flanneld masq', 'flanneld forward'],
  tables: ['nat', 'filter'],
};
const NFT_TABLE = /^table (ip|ip6) (flannel-ipv[46])$/gm;

/** Removes them, or tells of them only. */
export async function removeFlannelRules(tool: RuleTool, isDry: boolean): Promise<Row[]> {
  const rows = await removeChains(tool, FLANNEL_CHAINS, isDry);
  if (!tool.has('nft')) return rows;
  const tables = await listed(tool, 'nft', ['list', 'tables'], rows);
  for (const [, family = '', name = ''] of tables.matchAll(NFT_TABLE)) {
    rows.push(await carryOut(tool, 'nft', ['delete', 'table', family, name], isDry));
  }
  return rows;
}
