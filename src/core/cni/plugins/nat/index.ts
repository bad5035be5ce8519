export { masquerade, type NatObjects, NO_NAT } from './masquerade.ts';
export {
  addressType,
  baseChain,
  chain,
  cniRule,
  cniTable,
  map,
  PRIORITY,
  prefixName,
} from './table.ts';
