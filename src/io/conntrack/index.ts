export { type CutOutcome, FlowCutter, type FlowCutterOptions, type FlowTest } from './cutter.ts';
export { forgetFlows } from './flows.ts';
export { judgedFlow } from './judged.ts';
