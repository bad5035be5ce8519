export { type KeptNames, POLICY_NAMES_FILE, readKeptNames, writeKeptNames } from './kept-names.ts';
