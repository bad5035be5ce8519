export { SimCluster, type SimClusterOptions } from './cluster.ts';
