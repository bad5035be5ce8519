export { vrfPlugin } from './vrf.ts';
