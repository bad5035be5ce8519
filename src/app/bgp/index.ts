export { bgpCommands } from './commands.ts';
