export { createExecPlugin, type ExecPluginOptions } from './exec-plugin.ts';
export { createForeignTest } from './own-client.ts';
