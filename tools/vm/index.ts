/** A command run under a stock kernel in a virtual machine. */
export { guestEnvironment } from './environment.ts';
export { Machine } from './machine.ts';
