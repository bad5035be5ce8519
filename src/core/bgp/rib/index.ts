/** Routes of all peers, the best of them, and what each peer is told (RFC 4271 section 9). */
export { confedPrepended, prepended } from './as-path.ts';
export type { TableAttributes } from './attribute-identity.ts';
export type { MetricOf } from './attribute-pool.ts';
export type {
  Aggregate,
  DecisionRules,
  FilteredRoute,
  LocalRoute,
  PeerPolicy,
  RibConfig,
  RouteFilter,
} from './config.ts';
export type { DecisionStep } from './decision.ts';
export { Rib, type RibPorts } from './rib.ts';
export type { RibEvent } from './tables.ts';
export {
  type BestChange,
  type BestHop,
  type BestRoute,
  type Explanation,
  explain,
  type RouteView,
  routesOf,
  routesTo,
  solePeers,
  type ToldView,
  toldTo,
} from './view.ts';
