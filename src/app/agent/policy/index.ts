export { PolicyKeeper, type PolicyStatus } from './keeper.ts';
