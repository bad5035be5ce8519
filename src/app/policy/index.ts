export { policyCommands } from './commands.ts';
export { flowsCommand } from './flows.ts';
