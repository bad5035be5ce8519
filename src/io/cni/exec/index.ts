export { createExecPlugin, type ExecPluginOptions } from './exec-plugin.ts';
