export { checkReferenceRules, collectReferenceRules, removeReferenceRules } from './operations.ts';
export { masqueradeRules, ownerOf, type ReferenceRules } from './rules.ts';
