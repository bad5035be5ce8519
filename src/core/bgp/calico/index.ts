/** Calico's BGP resources, as a speaker's configuration. */
export type { CalicoNode } from './node.ts';
export type { LocalWorkload } from './peers.ts';
export { type CalicoPool, encapsulationOf, poolOf } from './pools.ts';
export type { Finding } from './reader.ts';
export { type CalicoResult, translateCalico } from './translate.ts';
export { formatRouterId, parseRouterId } from './values.ts';
export type { CalicoWorld } from './world.ts';
