export { policyCommands } from './commands.ts';
export { flowsCommand } from './flows.ts';
export { clusterOf, objectsOf, ofFiles, PolicyUsageError, problemLines } from './objects.ts';
