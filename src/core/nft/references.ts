/** What rules refer to by name: sets of their table. */
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

function* eachExpression(rules: readonly NftRule[]): Generator<NftExpression> {
  for (const rule of rules) yield* rule.expressions;
}
