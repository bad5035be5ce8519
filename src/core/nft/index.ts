export type { NftDataType, NftValue } from './datatype.ts';
export type { NftExpression, NftVerdict } from './expression.ts';
export {
  elementKeyText,
  type NftChain,
  type NftChainType,
  type NftElement,
  type NftFamily,
  type NftHook,
  type NftHookName,
  type NftObject,
  type NftRule,
  type NftSet,
  type NftTable,
} from './objects.ts';
