export { bridgePlugin } from './bridge.ts';
