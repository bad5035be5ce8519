export type { DocumentProblem } from './document.ts';
export type { Fact } from './fact.ts';
export { KINDS } from './kinds.ts';
export { podKey } from './members.ts';
export { BUILT_IN_TIERS } from './tiers.ts';
export { type Translated, translate } from './translate.ts';
