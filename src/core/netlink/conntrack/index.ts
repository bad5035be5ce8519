export { conntrackMessage } from './entry.ts';
export { decodeFlow, deleteFlowRequest, type Flow, type FlowFilter, flowsRequest } from './flow.ts';
