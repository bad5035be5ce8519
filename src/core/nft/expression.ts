/** The expressions of nf_tables rules, as the kernel evaluates them. */

export type NftVerdict =
  | { readonly verdict: 'accept' | 'drop' | 'continue' | 'return' | 'break' }
  | { readonly verdict: 'jump' | 'goto'; readonly chain: string };

export type NftExpression = { readonly op: 'verdict'; readonly verdict: NftVerdict };
