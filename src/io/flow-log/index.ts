export { type EndedFlow, type EndedFlowsOptions, followEndedFlows } from './ended-flows.ts';
export { PacketLog, type PacketLogOptions } from './packet-log.ts';
