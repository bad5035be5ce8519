export { type DrawnLab, drawLab } from './drawing.ts';
export { describeFailures, drawMatrix, type MatrixOptions } from './matrix.ts';
export {
  addressesOf,
  type DualStack,
  FABRIC_NAME,
  type LabNode,
  type LabPod,
  type LabRouter,
  type LabSubnet,
  type Topology,
} from './model.ts';
export {
  type Endpoint,
  type Expectation,
  isDenied,
  type Probe,
  type ProbeOutcome,
  passed,
  probesOf,
  type Reachability,
  summarise,
  type Tally,
} from './reachability.ts';
export { demoTopology, netConfOf, networkFamilies, parseTopology } from './topology.ts';
export { isLabName, type ObjectDocument, type PodNetwork } from './topology-document.ts';
export {
  apiAddresses,
  bridgeName,
  cableName,
  NODE_LINK,
  planCable,
  planFabric,
  planNode,
  planRouter,
  planRouterCables,
} from './underlay.ts';
