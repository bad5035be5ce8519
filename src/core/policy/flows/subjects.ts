/** From the tag of a logged packet to what put it there: a table of all that tags can be of, made from the policies that there are. */
import type { PolicyGraph } from '../engine/graph.ts';
import type { Policy, PolicyRule } from '../model.ts';
import { subjectDigest } from '../rule-tag.ts';

/** Who decided about a packet. */
export type Decider =
  | { readonly by: 'rule'; readonly policy: Policy; readonly rule: PolicyRule }
  | { readonly by: 'tier-default'; readonly tier: string }
  | { readonly by: 'unknown-pod' };

/** By digest. Staged policies are not among them: they decide nothing. */
export function decidersOf({ policies }: PolicyGraph): ReadonlyMap<string, Decider> {
  const deciders = new Map<string, Decider>([
    [subjectDigest({ by: 'unknown-pod' }), { by: 'unknown-pod' }],
    ...policies.tiers.map(({ name }): [string, Decider] => [
      subjectDigest({ by: 'tier-default', tier: name }),
      { by: 'tier-default', tier: name },
    ]),
  ]);
  for (const policy of policies.byRef.values()) {
    if (policy.staged !== undefined) continue;
    for (const rule of [...(policy.ingress ?? []), ...(policy.egress ?? [])]) {
      const { path } = rule.origin;
      deciders.set(subjectDigest({ by: 'rule', policy: policy.ref, path }), { by: 'rule', policy, rule });
    }
  }
  return deciders;
}
