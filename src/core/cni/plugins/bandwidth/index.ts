export { bandwidthPlugin } from './bandwidth.ts';
