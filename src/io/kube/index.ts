export { type KubeConfig, KubeconfigError, type ReadFile } from './config.ts';
export { isUnreachable, UnreachableError } from './errors.ts';
export { type InClusterOptions, inClusterConfig } from './in-cluster.ts';
export { type KubeconfigOptions, loadKubeconfig } from './kubeconfig.ts';
export { type KubeConfigChoice, kubeConfigFor } from './selection.ts';
export { createKubeStore, type KubeStore, type KubeStoreOptions } from './store.ts';
export type { KubeLogger } from './transport.ts';
