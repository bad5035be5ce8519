/** What is learned from peers and told to them, as rules, and why. */
export { formatCommunity, parseCommunity } from './community.ts';
export type { FilterContext } from './conditions.ts';
export {
  compileFilter,
  explainFilter,
  type FilterExplanation,
  type FilterStep,
  rejectsAll,
} from './filter.ts';
export type { Community, Filter, FilterOperation, FilterRule, PrefixMatch, RouteMatch } from './model.ts';
