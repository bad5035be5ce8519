/** What names in policies stand for, by the answers of DNS servers that were seen. */
export { POLICY_DNS_GROUP } from '../rule-tag.ts';
export { type KeptName, NAME_TERMS, type NameChange, type NameTerms, SeenNames } from './seen-names.ts';
