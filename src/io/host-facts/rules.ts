/** What the rules of others do to forwarded packets, and whose chains are there: asked of iptables and nft, where they are installed. */
import type { RuleTool } from '#core/cni/index.ts';
import type { ForwardDrop, Remains } from '#core/install/index.ts';

/** How the chains and tables of other networks begin. */
const CHAINS: readonly (readonly [RegExp, Remains['of']])[] = [
  [/^FLANNEL-/, 'flannel'],
  [/^flannel-ipv[46]$/, 'flannel'],
  [/^cali-/, 'Calico'],
  [/^calico$/, 'Calico'],
  [/^CILIUM_/, 'Cilium'],
  [/^WEAVE/, 'Weave'],
  [/^KUBE-ROUTER/, 'kube-router'],
  [/^ANTREA/, 'Antrea'],
];

export interface RuleFacts {
  readonly forwardDrops: readonly ForwardDrop[];
  readonly remains: readonly Remains[];
}

/** Never rejects: what a tool will not tell is left out. */
export async function ruleFacts(tool: RuleTool): Promise<RuleFacts> {
  const drops: ForwardDrop[] = [];
  const remains = new Map<string, Remains>();
  for (const program of ['iptables', 'ip6tables'] as const) {
    for (const table of ['filter', 'nat'] as const) {
      const listing = await ask(tool, program, ['-w', '5', '-t', table, '-S']);
      if (/^-P FORWARD DROP$/m.test(listing)) drops.push({ program, chain: 'FORWARD' });
      for (const [, name = ''] of listing.matchAll(/^-N (\S+)$/gm)) note(remains, name);
    }
  }
  const chains = await ask(tool, 'nft', ['list', 'chains']);
  let table = '';
  let chain = '';
  for (const line of chains.split('\n')) {
    table = /^table (\S+ \S+) \{/.exec(line)?.[1] ?? table;
    chain = /^\tchain (\S+) \{/.exec(line)?.[1] ?? chain;
    // iptables' own tables are in its words above; Poplin's drop nothing of the network's.
    const isOthers = !/ (filter|nat|mangle|raw|security)$/.test(table) && !/ poplin-/.test(table);
    if (isOthers && /type filter hook forward .*policy drop;/.test(line))
      drops.push({ program: 'nft', chain: `${table} ${chain}` });
  }
  for (const [, name = ''] of (await ask(tool, 'nft', ['list', 'tables'])).matchAll(/^table \S+ (\S+)$/gm))
    note(remains, name);
  return { forwardDrops: drops, remains: [...remains.values()] };
}

function note(remains: Map<string, Remains>, name: string): void {
  const of = CHAINS.find(([pattern]) => pattern.test(name))?.[1];
  // One chain of each will do: the report names what was here, not all of it.
  if (of !== undefined && !remains.has(of)) remains.set(of, { of, what: `chain ${name}` });
}

async function ask(tool: RuleTool, program: Parameters<RuleTool['run']>[0], args: string[]): Promise<string> {
  if (!tool.has(program)) return '';
  try {
    return await tool.run(program, args);
  } catch {
    return '';
  }
}
