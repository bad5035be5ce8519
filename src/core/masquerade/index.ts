export {
  type MasqueradeSettings,
  type PodNetwork,
  planBlackhole,
  planForward,
  planMasquerade,
} from './masquerade.ts';
export { type NatPool, planNatOutgoing } from './nat-outgoing.ts';
