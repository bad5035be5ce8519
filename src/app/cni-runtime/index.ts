export { cniCommand } from './command.ts';
