export { loopbackPlugin } from './loopback.ts';
