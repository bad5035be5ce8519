export { poplinPlugin } from './poplin.ts';
