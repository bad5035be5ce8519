/** What rules refer to by name: sets and chains of their table. */
import type { NftExpression } from './expression.ts';
import type { NftRule } from './objects.ts';

/** The sets and maps that rules look into or write to. */
export function setsReferredTo(rules: readonly NftRule[]): Set<string> {
  const names = new Set<string>();
  for (const expression of eachExpression(rules)) {
    if (expression.op === 'lookup' || expression.op === 'dynset') names.add(expression.set);
  }
  return names;
}

/** The chains that rules jump or go to; those that verdict maps name are not among them. */
export function chainsReferredTo(rules: readonly NftRule[]): Set<string> {
  const names = new Set<string>();
  for (const expression of eachExpression(rules)) {
    if (expression.op === 'verdict' && 'chain' in expression.verdict) names.add(expression.verdict.chain);
  }
  return names;
}

function* eachExpression(rules: readonly NftRule[]): Generator<NftExpression> {
  for (const rule of rules) yield* rule.expressions;
}
