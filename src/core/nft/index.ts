export {
  act,
  type DynamicSetOptions,
  type LimitOptions,
  type LogOptions,
  type NatTarget,
  type PortTarget,
} from './act.ts';
export {
  bytesValue,
  canonicalValue,
  DATA_TYPES,
  dataTypeOfId,
  type NftDataType,
  type NftValue,
  paddedBytes,
  valueBytes,
} from './datatype.ts';
export { type ElementOptions, element, type KeyPart } from './element.ts';
export { equalNftObject, equalRules, sameData, sameHook, sameSetLayout } from './equal.ts';
export {
  CT_KEYS,
  type CtKey,
  type ExpressionOp,
  FIB_INPUTS,
  type FibInput,
  type LogFlag,
  META_KEYS,
  type MetaKey,
  type NatFlag,
  type NftExpression,
  type NftVerdict,
  type PayloadBase,
  type PortTranslation,
  type Register,
  type Rejection,
  type Relation,
} from './expression.ts';
export { type Field, field, type Requirement } from './field.ts';
export { formatHex, type HexText, parseHex } from './hex.ts';
export { match, type SetReference } from './match.ts';
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
export { printRule } from './print-rule.ts';
export { printElement, printSet } from './print-set.ts';
export { printChain, printRuleset, printTable } from './printer.ts';
export { setsReferredTo } from './references.ts';
export { type RulePart, type RuleScope, rule } from './rule.ts';
