export { type ObjectProblem, PolicyCluster } from './cluster.ts';
export { evaluate } from './engine/index.ts';
export {
  type EndMatch,
  type Flow,
  type Member,
  type Policy,
  type PolicyRule,
  type PortMatch,
  PROTOCOLS,
  type Protocol,
  type RuleAction,
  type Tier,
} from './model.ts';
export type { LabelsOf, Selector } from './selector/index.ts';
