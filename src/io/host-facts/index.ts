export { flannelProcesses } from './flannel-process.ts';
export { type GatherOptions, gatherHostFacts } from './gather.ts';
export { Places } from './places.ts';
