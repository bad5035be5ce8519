export { dummyPlugin } from './dummy.ts';
