export { PolicyKeeper, type PolicyStatus } from './keeper.ts';
export { nameSource } from './name-source.ts';
