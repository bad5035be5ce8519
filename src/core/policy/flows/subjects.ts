/** From the tag of a logged packet to what put it there: a table of all that tags can be of, made from the policies that there are. */
import type { PolicyGraph } from '../engine/graph.ts';
import type { Policy, PolicyRule } from '../model.ts';
import { subjectDigest } from '../rule-tag.ts';

/** Who decided about a packet. */
export type Decider =
  | { readonly by: 'rule'; readonly policy: Policy; readonly rule: PolicyRule }
  | { readonly by: 'tier-default'; readonly tier: string }
  | { readonly by: 'unknown-pod' };

export class Deciders {
  readonly #graph: PolicyGraph;
  /** By digest. What is gone stays: its packets may still be on their way here. */
  readonly #deciders = new Map<string, Decider>([
    [subjectDigest({ by: 'unknown-pod' }), { by: 'unknown-pod' }],
  ]);
  /** Those in the table as they are, since digests cost more than looking here. */
  #policies: ReadonlySet<Policy> = new Set();
  #hasStaged = false;
  #version: number | undefined;

  constructor(graph: PolicyGraph) {
    this.#graph = graph;
  }

  /** Undefined: a policy that is not known, or not yet. */
  of(digest: string): Decider | undefined {
    this.#update();
    return this.#deciders.get(digest);
  }

  /** Whether there are policies that decide nothing. */
  get hasStaged(): boolean {
    this.#update();
    return this.#hasStaged;
  }

  #update(): void {
    const { policies } = this.#graph;
    if (policies.version === this.#version) return;
    this.#version = policies.version;
    const before = this.#policies;
    this.#policies = new Set(policies.byRef.values());
    this.#hasStaged = false;
    for (const { name } of policies.tiers)
      this.#deciders.set(subjectDigest({ by: 'tier-default', tier: name }), {
        by: 'tier-default',
        tier: name,
      });
    for (const policy of this.#policies) {
      if (policy.staged !== undefined) this.#hasStaged = true;
      else if (!before.has(policy)) this.#add(policy);
    }
  }

  #add(policy: Policy): void {
    for (const rule of [...(policy.ingress ?? []), ...(policy.egress ?? [])]) {
      const { path } = rule.origin;
      this.#deciders.set(subjectDigest({ by: 'rule', policy: policy.ref, path }), {
        by: 'rule',
        policy,
        rule,
      });
    }
  }
}
