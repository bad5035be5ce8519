export type {
  BootSysctl,
  CniFile,
  FirewallFacts,
  FirewallName,
  Folder,
  ForwardDrop,
  HostFacts,
  HostLink,
  HostSocket,
  InstallPlan,
  KernelFacts,
  Remains,
  RuleFacts,
  Seen,
  TrialResult,
  VxlanFacts,
} from './facts.ts';
export { isPresent } from './features.ts';
export { FEATURE_NAMES, type FeatureName } from './features-table.ts';
export { CHECK_NAMES, CHECKS, checkHost, type Finding, worstLevel } from './findings.ts';
export { portsOf } from './planned-node.ts';
export type { AnyCheck, FindingLevel } from './row.ts';
