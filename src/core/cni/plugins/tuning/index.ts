export { tuningPlugin } from './tuning.ts';
