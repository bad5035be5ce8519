export { type EndedFlow, type EndedFlowsOptions, followEndedFlows } from './ended-flows.ts';
export { isLogHeard } from './log-heard.ts';
export { PacketLog, type PacketLogOptions } from './packet-log.ts';
