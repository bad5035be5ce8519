export { PolicyCompiler, type PolicyCompilerOptions } from './compiler.ts';
export { type BridgeMode, CUT_MARK, type LocalEndpoint, POLICY_PART } from './words.ts';
