export { flanneldCommand, type RunFlanneld } from './command.ts';
export type {
  EtcdRegistryOptions,
  FlanneldOptions,
  KubernetesRegistryOptions,
} from './options.ts';
export { runFlanneld } from './run.ts';
export { flagTable, variableTable } from './usage.ts';
