export { type IptablesListing, type IptablesRule, optionOf, parseListing, targetOf } from './listing.ts';
export { checkReferenceRules, collectReferenceRules, removeReferenceRules } from './operations.ts';
export { masqueradeRules, ownerOf, type ReferenceRules } from './rules.ts';
