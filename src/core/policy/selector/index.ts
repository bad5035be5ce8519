export { all, any, has, isIn, isKind, label, not } from './build.ts';
export { CalicoSelectorError, type CalicoSelectorOptions, parseCalicoSelector } from './calico.ts';
export { canonical } from './canonical.ts';
export { matchesSelector, type SelectorSubject } from './match.ts';
export type { LabelsOf, Selector } from './selector.ts';
export { selectorText } from './text.ts';
