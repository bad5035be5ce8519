/** Looks for mistakes in all policies of a graph, by what they say and by what is there to be selected. */
import { refText } from '../../model.ts';
import type { PolicyGraph } from '../graph.ts';
import type { Finding } from './finding.ts';
import { lintOrder } from './lint-order.ts';
import { lintPolicy } from './lint-parts.ts';
import { lintDns, lintNamespaces } from './lint-reach.ts';

/** Findings about each policy in the order of their names, then about rules in the order in which they are asked, then about pods. */
export function lint(graph: PolicyGraph): Finding[] {
  const policies = [...graph.policies.byRef.values()].toSorted((a, b) =>
    refText(a.ref) < refText(b.ref) ? -1 : 1,
  );
  const single = policies.flatMap((policy) => lintPolicy(graph, policy));
  return [...once(single), ...lintOrder(graph), ...lintDns(graph), ...lintNamespaces(graph)];
}

/** A rule of an API may have become several here, with one finding for each. */
function once(findings: readonly Finding[]): Finding[] {
  const known = new Map<string, Finding>();
  for (const each of findings) {
    const { code, policy, path, message } = each;
    known.set([code, policy && refText(policy), path, message].join('\n'), each);
  }
  return [...known.values()];
}
