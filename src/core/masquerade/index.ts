export {
  type MasqueradeSettings,
  type PodNetwork,
  planBlackhole,
  planForward,
  planMasquerade,
} from './masquerade.ts';
