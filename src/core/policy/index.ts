export { type ObjectProblem, objectKey, PolicyCluster } from './cluster.ts';
export {
  type BridgeMode,
  type LocalEndpoint,
  POLICY_PART,
  PolicyCompiler,
} from './compile/index.ts';
export {
  type Finding,
  type GraphChange,
  lint,
  type Matrix,
  type MatrixOptions,
  matrix,
  type PairChange,
  type Probe,
  whatIf,
} from './engine/analysis/index.ts';
export {
  affectedBy,
  evaluate,
  evaluateStaged,
  isAllowed,
  mayGoOn,
  type PolicyGraph,
  type UnnamedRule,
  unnamedRules,
} from './engine/index.ts';
export { essenceOf } from './essence.ts';
export type { PolicyDelta } from './graph.ts';
export {
  type Direction,
  type DirectionVerdict,
  type EndMatch,
  type Flow,
  type Member,
  type Policy,
  type PolicyRule,
  type PortMatch,
  PROTOCOLS,
  type Protocol,
  type RuleAction,
  refText,
  type Tier,
  type Verdict,
  type VerdictStep,
} from './model.ts';
export { endSets, peerSetId } from './peer-set.ts';
export {
  apiVersionOf,
  POLICY_CONTEXT,
  POLICY_RESOURCES,
  policyResourceOf,
  storedResource,
} from './resources.ts';
export type { LabelsOf, Selector } from './selector/index.ts';
export { podKey, translate } from './translate/index.ts';
