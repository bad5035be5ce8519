export { type DrawnLab, drawLab } from './drawing.ts';
export {
  drawMatrix,
  type Endpoint,
  type Probe,
  type ProbeOutcome,
  passed,
  probesOf,
  type Reachability,
  summarise,
  type Tally,
} from './reachability.ts';
export {
  DEFAULT_NET_CONF,
  demoTopology,
  hostOf,
  type LabNode,
  type LabPod,
  type LabSubnet,
  type PodNetwork,
  parseTopology,
  type Topology,
} from './topology.ts';
export {
  apiAddresses,
  bridgeName,
  cableName,
  NODE_LINK,
  planCable,
  planFabric,
  planNode,
} from './underlay.ts';
