export { installCommand } from './command.ts';
