/** The one library of built-in types; their field names and types are those of the Kubernetes 1.36 API. */
import { TypeLibrary } from './notation.ts';
import { CLUSTER_TYPES, LEASE_TYPES } from './types/cluster.ts';
import { DEFINITION_TYPES } from './types/definition.ts';
import { META_TYPES } from './types/meta.ts';
import { ENDPOINT_SLICE_TYPES, NETWORK_POLICY_TYPES, SERVICE_TYPES } from './types/network.ts';
import { NODE_TYPES } from './types/node.ts';
import { POD_TYPES } from './types/pod.ts';
import { VOLUME_TYPES } from './types/volume.ts';
import { DAEMON_SET_TYPES, POD_TEMPLATE_TYPES, PRIORITY_CLASS_TYPES, RBAC_TYPES } from './types/workload.ts';

export const BUILT_IN_TYPES = new TypeLibrary([
  META_TYPES,
  POD_TYPES,
  VOLUME_TYPES,
  NODE_TYPES,
  CLUSTER_TYPES,
  LEASE_TYPES,
  SERVICE_TYPES,
  ENDPOINT_SLICE_TYPES,
  NETWORK_POLICY_TYPES,
  DEFINITION_TYPES,
  POD_TEMPLATE_TYPES,
  DAEMON_SET_TYPES,
  RBAC_TYPES,
  PRIORITY_CLASS_TYPES,
]);
