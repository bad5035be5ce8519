export {
  type ChecksumOffload,
  decideChecksumOffload,
  type KernelFinding,
  type KernelFindings,
  type OffloadFacts,
  type OffloadMode,
  type Verdict,
} from './decision.ts';
export { type FaultyDriver, faultyDriver } from './faulty-drivers.ts';
export {
  bypassChains,
  PROBE_PORT,
  PROBE_UNDERLAY,
  type ProbeSide,
  planProbeEnd,
  planProbeLink,
  probeLinkName,
  probeVtep,
} from './probe-plan.ts';
