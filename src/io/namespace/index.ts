export { readSysctl, readSysctls, runIn, spawnIn, writeSysctl, writeSysctls } from './enter.ts';
export {
  createNamespace,
  currentNamespace,
  listNamespaces,
  type Namespace,
  type NamespaceEntry,
  type NamespaceId,
  namespaceId,
  openNamespace,
  removeNamespace,
} from './namespace.ts';
