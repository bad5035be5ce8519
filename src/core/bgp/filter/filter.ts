/** Filters at work: compiled for the tables, and explained to whoever asks why a route was accepted or rejected. */
import type { FilteredRoute, RouteFilter, TableAttributes } from '../rib/index.ts';
import { type Condition, conditionsOf, type FilterContext } from './conditions.ts';
import type { Filter, FilterRule } from './model.ts';
import { operate, operationText } from './operations.ts';

/** How a route fared. */
export interface FilterExplanation {
  readonly verdict: 'accept' | 'reject';
  /** The rule that decided; absent if none did. */
  readonly decidedBy?: string;
  /** All rules that were asked, in order. */
  readonly steps: readonly FilterStep[];
  /** If it was accepted. */
  readonly attributes?: TableAttributes;
}

export interface FilterStep {
  readonly origin: string;
  /** Why the rule does not match; absent if it does. */
  readonly mismatch?: string;
  /** What the rule did. */
  readonly operations: readonly string[];
}

interface Compiled {
  readonly rule: FilterRule;
  readonly conditions: readonly Condition[];
}

/** A filter as the tables take it. Throws a RangeError on a prefix that is none. */
export function compileFilter(filter: Filter, context: FilterContext): RouteFilter {
  const rules = compile(filter);
  return (route) => {
    let current = route;
    for (const { rule, conditions } of rules) {
      if (mismatchOf(conditions, current, context) !== undefined) continue;
      if (rule.action === 'reject') return undefined;
      current = changed(current, rule);
      if (rule.action === 'accept') return current.attributes;
    }
    return filter.otherwise === 'accept' ? current.attributes : undefined;
  };
}

/** True of a filter that lets no route pass, whatever the route. */
export function rejectsAll({ rules, otherwise }: Filter): boolean {
  return otherwise === 'reject' && !rules.some(({ action }) => action === 'accept');
}

/** What a filter does with a route, rule by rule. */
export function explainFilter(
  filter: Filter,
  route: FilteredRoute,
  context: FilterContext,
): FilterExplanation {
  const steps: FilterStep[] = [];
  let current = route;
  for (const { rule, conditions } of compile(filter)) {
    const { origin, action, operations = [] } = rule;
    const mismatch = mismatchOf(conditions, current, context);
    if (mismatch !== undefined) {
      steps.push({ origin, mismatch, operations: [] });
      continue;
    }
    if (action === 'reject') {
      steps.push({ origin, operations: [] });
      return { verdict: 'reject', decidedBy: origin, steps };
    }
    current = changed(current, rule);
    steps.push({ origin, operations: operations.map(operationText) });
    if (action === 'accept')
      return { verdict: 'accept', decidedBy: origin, steps, attributes: current.attributes };
  }
  if (filter.otherwise === 'reject') return { verdict: 'reject', steps };
  return { verdict: 'accept', steps, attributes: current.attributes };
}

function compile({ rules }: Filter): readonly Compiled[] {
  return rules.map((rule) => ({ rule, conditions: conditionsOf(rule.match) }));
}

function mismatchOf(
  conditions: readonly Condition[],
  route: FilteredRoute,
  context: FilterContext,
): string | undefined {
  for (const condition of conditions) {
    const why = condition(route, context);
    if (why !== undefined) return why;
  }
  return undefined;
}

function changed(route: FilteredRoute, { operations = [] }: FilterRule): FilteredRoute {
  if (operations.length === 0) return route;
  return { ...route, attributes: operations.reduce(operate, route.attributes) };
}
