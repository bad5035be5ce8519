/**
 * CNI, the pure part: the specification's shapes and versions (spec/), what a runtime does with a network list (runtime/),
 * and our plugins as planners in the kernel vocabulary (plugins/). Nothing here touches a kernel, a file or a process.
 */
export * from './plugins/index.ts';
export type {
  AddressStore,
  AttachmentCache,
  ConfigFiles,
  DhcpClient,
  DhcpRequest,
  ExecPlugin,
  PluginExecution,
  PluginOutput,
  ReservedAddresses,
  RulePlace,
  RuleProgram,
  RuleTool,
} from './ports.ts';
export * from './runtime/index.ts';
export * from './spec/index.ts';
export * from './validate/index.ts';
