export { flannelProcesses } from './flannel-process.ts';
export { gatherHostFacts } from './gather.ts';
