export { canonicalVlans, equalVlans, LAST_VLAN, type VlanChange, vlanChange } from './bridge-vlans.ts';
export { changedLinkFields, compareObjects } from './compare.ts';
export { describeObject, describeOp } from './describe.ts';
export { type Amendment, DesiredState } from './desired.ts';
export { addressesIn, addressesOn, IndexedState, linksOfAlias } from './indexed-state.ts';
export { keyOf, MAIN_TABLE, routeMetric } from './key.ts';
export { compareAdditions, linksOf, lowerLink, sysctlLink } from './order.ts';
export {
  BGP,
  CNI,
  FURTHER_NETWORKS,
  isAttached,
  isAttachmentLink,
  isOverlay,
  isPodLink,
  LAB,
  OVERLAY,
  OWNERS,
  type Owner,
  overlayOwner,
  ownerOf,
  POLICY,
  USUAL_OWNERS,
} from './owners.ts';
export { type Conflict, keyOfOp, linkIn, type Plan, type PlanOptions, plan, stateOf } from './plan.ts';
export type { ApplyOutcome, Kernel, KernelListener, OpFailure } from './ports.ts';
export type {
  Address,
  BridgeVlans,
  FdbEntry,
  KernelObject,
  KernelObjectKind,
  KernelOp,
  KernelState,
  Link,
  LinkDetail,
  Neighbour,
  NextHop,
  Qdisc,
  QdiscDetail,
  Route,
  Rule,
  Sysctl,
  TrafficFilter,
  TunnelEncap,
  VethPeer,
  WireguardAllowedIp,
  WireguardDevice,
  WireguardEndpoint,
  WireguardPeer,
} from './state.ts';
