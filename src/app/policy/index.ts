export { policyCommands } from './commands.ts';
