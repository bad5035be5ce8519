export { stepLease } from './acquirer.ts';
export type {
  AcquirerConfig,
  CallFailure,
  EventStamp,
  FamilyState,
  LeaseAction,
  LeaseEvent,
  LeaseOffer,
  LeaseProblemCode,
  LeaseState,
  LeaseStep,
  PendingCall,
  StoredLease,
} from './acquirer-types.ts';
export {
  chooseSubnet,
  isOutOfSubnets,
  OutOfSubnetsError,
  type SubnetChoice,
  type SubnetQuery,
  subnetCount,
  validateSubnet,
} from './allocator.ts';
export {
  type AllocConfig,
  BACKEND_SCHEMAS,
  BACKEND_TYPES,
  type BackendConfig,
  type BackendType,
  type ExtensionConfig,
  type HostGwConfig,
  type IpipConfig,
  type IpsecConfig,
  type UdpConfig,
  type VxlanConfig,
  type WireguardConfig,
} from './backend.ts';
export { type DockerOptsChoice, dockerOptions, encodeDockerOpts } from './docker-opts.ts';
export {
  LEASE_ANNOTATIONS,
  LEASE_LABELS,
  LEASE_NAMESPACE,
  LEASE_SELECTOR,
  type LeaseReading,
  leaseFromObject,
  leaseName,
  leaseToObject,
  nodeLabel,
  subnetOfName,
  unfitReason,
} from './lease-object.ts';
export { callFailure, initialLeaseState, isConfirmed, leaseEndMs, leaseInUse } from './lease-state.ts';
export {
  type BackendData,
  CLOCK_SKEW_SEC,
  enabledFamilies,
  expiresAtMs,
  FAMILY_KEYS,
  type FamilyKey,
  familyKeyOf,
  familyOfKey,
  isExpired,
  LEASE_DURATION_SEC,
  type LeaseFamily,
  type LeaseRecord,
  leaseOf,
  poolOf,
  RENEW_MARGIN_SEC,
  type SubnetLease,
  vtepOf,
} from './model.ts';
export { type NetConf, type NetConfFamily, parseNetConf } from './net-conf.ts';
export type { LeaseRegistry, RegistryEntry, RegistrySink } from './registry.ts';
export { decodeSubnetEnv, encodeSubnetEnv, type SubnetEnv, SubnetEnvError } from './subnet-env.ts';
