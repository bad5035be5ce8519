export { sbrPlugin } from './sbr.ts';
