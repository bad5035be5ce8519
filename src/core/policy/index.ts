export { type ObjectProblem, PolicyCluster } from './cluster.ts';
export { evaluate } from './engine/index.ts';
export { type Flow, PROTOCOLS, type Protocol } from './model.ts';
