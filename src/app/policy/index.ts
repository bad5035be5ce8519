export { policyCommands } from './commands.ts';
export { clusterOf, objectsOf, ofFiles, PolicyUsageError, problemLines } from './objects.ts';
