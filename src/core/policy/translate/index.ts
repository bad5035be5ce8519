export type { DocumentProblem } from './document.ts';
export { podKey } from './members.ts';
export { BUILT_IN_TIERS } from './tiers.ts';
export { type Fact, READERS, type Translated, translate } from './translate.ts';
