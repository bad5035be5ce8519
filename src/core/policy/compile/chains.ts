/**
 * The chains that packets of endpoints go through, each as long as something leads to it. They are named by what they stand for and not by
 * their rules: a policy that changes is one chain with other rules, however many pods it selects.
 */
import { act, type RulePart } from '#core/nft/index.ts';
import type { TierStage } from '../graph.ts';
import { type Policy, refText } from '../model.ts';
import type { Ground, KernelSet } from './kernel-set.ts';
import { Names } from './names.ts';
import { chainAt, type Place } from './place.ts';
import {
  type Asked,
  type Compiled,
  comesBack,
  endsList,
  hasPass,
  LEAVE_ALLOWED,
  mayComeBack,
  policyRules,
  type RuleContext,
  tierDefault,
  UNMARK,
} from './policy-chain.ts';
import type { RuleSets } from './rule-sets.ts';

type Rule = readonly RulePart[];

interface Chain {
  readonly text: string;
  readonly name: string;
  readonly asked: Asked;
  users: number;
  content: Content;
  /** As they were when its rules were made. */
  chains: readonly Chain[];
  sets: ReadonlySet<KernelSet>;
}

/** What a chain's rules follow from. */
type Content =
  | { readonly is: 'policy'; readonly policy: Policy }
  | { readonly is: 'tier'; readonly stage: TierStage }
  | ({ readonly is: 'list' } & List);

/** Tiers with their policies, in the order in which they are asked. */
export interface List {
  readonly stages: readonly TierStage[];
  /** What no tier decided is dropped. */
  readonly isFinal?: boolean;
}

/** nf_tables has room for 255 bytes. */
const MAX_NAME = 200;

export class Chains {
  readonly #ground: Ground;
  readonly #sets: RuleSets;
  #flows: boolean;
  readonly #names = new Names();
  readonly #chains = new Map<string, Chain>();
  readonly #usersOf = new Map<KernelSet, Set<Chain>>();
  readonly #dirty = new Set<Chain>();

  constructor(ground: Ground, sets: RuleSets, flows: boolean) {
    this.#ground = ground;
    this.#sets = sets;
    this.#flows = flows;
  }

  /** The name of a list's chain, from now on in use once more. */
  retain(asked: Asked, list: List): string {
    return this.#retain(asked, { is: 'list', ...list }).name;
  }

  /** A list as it was when it was retained. */
  release(asked: Asked, list: List): void {
    const chain = this.#chains.get(textOf(asked, { is: 'list', ...list }));
    if (chain !== undefined) this.#release(chain);
  }

  /** Rules that look into one of these are others now. */
  changed(sets: Iterable<KernelSet>): void {
    for (const set of sets) for (const chain of this.#usersOf.get(set) ?? []) this.#dirty.add(chain);
  }

  /** Whether rules that decide tell of it from now on; false if it was so before. */
  tellFlows(isTold: boolean): boolean {
    if (this.#flows === isTold) return false;
    this.#flows = isTold;
    for (const chain of this.#chains.values()) this.#dirty.add(chain);
    return true;
  }

  /** Makes the rules of all chains that are new or others than before. To be called before the output is taken. */
  settle(): void {
    for (const chain of this.#dirty) {
      this.#dirty.delete(chain); // it may become so again
      this.#write(chain);
    }
  }

  #retain(asked: Asked, content: Content): Chain {
    const text = textOf(asked, content);
    let chain = this.#chains.get(text);
    if (chain === undefined) {
      const name = this.#nameOf(asked, content, text);
      chain = { text, name, asked, users: 0, content, chains: [], sets: new Set() };
      this.#chains.set(text, chain);
      this.#dirty.add(chain);
    } else if (!sameContent(chain.content, content)) this.#dirty.add(chain);
    chain.content = content;
    chain.users++;
    return chain;
  }

  #release(chain: Chain): void {
    if (--chain.users > 0) return;
    this.#chains.delete(chain.text);
    this.#names.give(chain.name);
    this.#dirty.delete(chain);
    for (const place of this.#placesOf(chain)) this.#ground.output.remove(chainAt(place, chain.name, []));
    this.#leave(chain, chain);
  }

  #write(chain: Chain): void {
    const before = { chains: chain.chains, sets: chain.sets };
    const { rules, used, chains } = this.#made(chain);
    chain.chains = chains;
    chain.sets = used;
    this.#sets.retain(used);
    this.#leave(chain, before);
    for (const set of used) this.#usersOf.set(set, (this.#usersOf.get(set) ?? new Set<Chain>()).add(chain));
    for (const place of this.#placesOf(chain)) this.#ground.output.put(chainAt(place, chain.name, rules));
  }

  /** Hosts have no endpoints on bridges. */
  #placesOf({ asked }: Chain): readonly Place[] {
    return asked.use === 'normal' ? this.#ground.places : ['inet'];
  }

  /** Gives up what the chain led to and looked into. */
  #leave(chain: Chain, { chains, sets }: Pick<Chain, 'chains' | 'sets'>): void {
    for (const set of sets) {
      const users = this.#usersOf.get(set);
      if (users?.delete(chain) === true && users.size === 0) this.#usersOf.delete(set);
    }
    this.#sets.release(sets);
    for (const each of chains) this.#release(each);
  }

  #made(chain: Chain): Compiled & { readonly chains: readonly Chain[] } {
    const { asked, content } = chain;
    const context: RuleContext = { ...asked, sets: this.#sets, flows: this.#flows };
    switch (content.is) {
      case 'policy':
        return { ...policyRules(content.policy, context), chains: [] };
      case 'tier':
        return this.#tierRules(content.stage, context);
      case 'list':
        return this.#loneRules(content, context) ?? { used: new Set(), ...this.#listRules(content, context) };
    }
  }

  /** Of a tier with a policy that passes. */
  #tierRules({ tier, policies }: TierStage, context: RuleContext): Compiled & { chains: Chain[] } {
    const rules: Rule[] = [];
    const used = new Set<KernelSet>();
    const chains: Chain[] = [];
    for (const policy of policies) {
      if (hasPass(policy, context.direction)) {
        const made = policyRules(policy, context);
        rules.push(...made.rules);
        for (const set of made.used) used.add(set);
      } else this.#jump({ is: 'policy', policy }, context, rules, chains);
    }
    rules.push(...tierDefault(tier, context));
    return { rules, used, chains };
  }

  /** Of a list that is one policy, and leads back to the base chain: most lists of egress. */
  #loneRules(
    { stages: [stage, ...others] }: List,
    context: RuleContext,
  ): (Compiled & { chains: Chain[] }) | undefined {
    if (stage === undefined || others.length > 0 || !comesBack(context)) return undefined;
    const [policy, ...more] = stage.policies;
    if (policy === undefined || more.length > 0 || hasPass(policy, context.direction)) return undefined;
    const { rules, used } = policyRules(policy, { ...context, isAlone: true });
    return { rules: [...rules, ...tierDefault(stage.tier, context)], used, chains: [] };
  }

  #listRules({ stages, isFinal }: List, context: RuleContext): { rules: Rule[]; chains: readonly Chain[] } {
    const rules: Rule[] = [];
    const chains: Chain[] = [];
    for (const stage of stages) {
      const { tier, policies } = stage;
      if (policies.some((policy) => hasPass(policy, context.direction))) {
        this.#jump({ is: 'tier', stage }, context, rules, chains);
        continue;
      }
      for (const policy of policies) this.#jump({ is: 'policy', policy }, context, rules, chains);
      rules.push(...tierDefault(tier, context));
      if (endsList(tier, context)) return { rules: withBeginning(rules), chains }; // no packet gets further
    }
    if (isFinal === true) rules.push([act.drop]);
    return { rules: withBeginning(rules), chains };
  }

  #jump(content: Content, { direction, family, use }: RuleContext, rules: Rule[], chains: Chain[]): void {
    if (content.is === 'policy' && content.policy[direction]?.length === 0) return;
    const chain = this.#retain({ direction, family, use }, content);
    chains.push(chain);
    rules.push([act.jump(chain.name)]);
    if (mayComeBack(policiesOf(content), { direction, family, use })) rules.push(LEAVE_ALLOWED);
  }

  /** Of policies as people know them, if nft can read it. */
  #nameOf({ use, direction, family }: Asked, content: Content, text: string): string {
    const prefix = `${use === 'normal' ? '' : `${use}-`}${direction}${family}`;
    if (content.is === 'list') return this.#names.take(`${prefix}-`, text);
    if (content.is === 'tier') return this.#names.take(`${prefix}-tier-`, text);
    const { kind, namespace, name } = content.policy.ref;
    const readable = [prefix, kind, ...(namespace === undefined ? [] : [namespace]), name].join('/');
    if (/^[A-Za-z0-9/._-]+$/.test(readable) && readable.length <= MAX_NAME) return readable;
    return this.#names.take(`${prefix}-${kind}-`, text);
  }
}

function withBeginning(rules: Rule[]): Rule[] {
  return rules.includes(LEAVE_ALLOWED) ? [UNMARK, ...rules] : rules;
}

/** The identity of a chain: what it stands for, without what that contains. */
function textOf({ use, direction, family }: Asked, content: Content): string {
  return `${content.is} ${use} ${direction} ${family} ${contentText(content)}`;
}

function contentText(content: Content): string {
  switch (content.is) {
    case 'policy':
      return refText(content.policy.ref);
    case 'tier':
      return JSON.stringify(stageText(content.stage));
    case 'list':
      return JSON.stringify([content.isFinal === true, ...content.stages.map(stageText)]);
  }
}

function stageText({ tier, policies }: TierStage): unknown {
  return [tier.name, tier.defaultAction, policies.map(({ ref }) => refText(ref))];
}

/** Whether rules made of the one are those of the other; both have one identity. */
function sameContent(a: Content, b: Content): boolean {
  const before = policiesOf(a);
  return policiesOf(b).every((policy, at) => policy === before[at]);
}

function policiesOf(content: Content): readonly Policy[] {
  switch (content.is) {
    case 'policy':
      return [content.policy];
    case 'tier':
      return content.stage.policies;
    case 'list':
      return content.stages.flatMap(({ policies }) => policies);
  }
}
