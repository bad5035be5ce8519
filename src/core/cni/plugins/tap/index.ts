export { tapPlugin } from './tap.ts';
