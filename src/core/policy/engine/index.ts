export { affectedBy } from './affected.ts';
export type { ServiceEndpoint } from './elements.ts';
export { evaluate, evaluateStaged, isAllowed, mayGoOn } from './evaluate.ts';
export { FAILSAFE_PORTS, type FailsafePort } from './failsafe-table.ts';
export { PolicyGraph } from './graph.ts';
export type { FlowOptions } from './hosts.ts';
export { type UnnamedRule, unnamedRules } from './unnamed.ts';
