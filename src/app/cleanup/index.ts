export { cleanupCommand } from './command.ts';
