export {
  type BootSysctl,
  CHECK_NAMES,
  type CheckName,
  type CniFile,
  type Finding,
  type FindingLevel,
  type Firewall,
  type Folder,
  type ForwardDrop,
  type HostFacts,
  type HostLink,
  type InstallPlan,
  type ProbeResult,
  type Remains,
  type UdpSocket,
} from './facts.ts';
export { checkHost, hasProblem } from './findings.ts';
export { portsOf } from './network-checks.ts';
export { PROBE_NAMES, PROBES, type ProbeName } from './probes-table.ts';
