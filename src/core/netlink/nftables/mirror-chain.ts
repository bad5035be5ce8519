/** The rules of one chain in order, kept up to date from dumps and notifications. */
import type { NftChain, NftRule } from '#core/nft/index.ts';
import { NLM_F } from '../message.ts';

/** Where a notification says a rule went. */
export interface RulePlace {
  readonly handle: bigint;
  /** The handle of the rule before it. */
  readonly position: bigint | undefined;
  /** The message's flags: NLM_F_CREATE and NLM_F_APPEND as the rule was made. */
  readonly flags: number;
}

export class MirrorChain {
  /** Without rules. */
  base: NftChain;
  private readonly rules: { readonly handle: bigint; rule: NftRule }[] = [];

  constructor(base: NftChain) {
    this.base = base;
  }

  object(): NftChain {
    return { ...this.base, rules: this.rules.map(({ rule }) => rule) };
  }

  /** The next rule of a dump. */
  append(handle: bigint, rule: NftRule): void {
    this.rules.push({ handle, rule });
  }

  /** Returns false if the notification leaves open where the rule is. */
  insert(place: RulePlace, rule: NftRule): boolean {
    const known = this.rules.find((each) => each.handle === place.handle);
    if (known !== undefined) {
      known.rule = rule;
      return true;
    }
    const index = this.indexFor(place);
    if (index === undefined) return false;
    this.rules.splice(index, 0, { handle: place.handle, rule });
    return true;
  }

  remove(handle: bigint): void {
    const index = this.rules.findIndex((each) => each.handle === handle);
    if (index >= 0) this.rules.splice(index, 1);
  }

  /**
   * nf_tables_rule_notify: in the middle the position is named; at either end it is not, and NLM_F_APPEND tells the last rule
   * from the first. A rule that took another's place (NLM_F_REPLACE, shown as APPEND without CREATE) may be at either.
   */
  private indexFor({ position, flags }: RulePlace): number | undefined {
    const { length } = this.rules;
    if (position !== undefined) {
      const before = this.rules.findLastIndex((each) => each.handle === position);
      return before < 0 ? undefined : before + 1;
    }
    if (length === 0) return 0;
    if ((flags & NLM_F.APPEND) === 0) return 0;
    return (flags & NLM_F.CREATE) === 0 ? undefined : length;
  }
}
