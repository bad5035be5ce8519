export { conntrackMessage } from './entry.ts';
export { decodeFlowEvent, FLOW_EVENT_GROUPS, type FlowEvent } from './event.ts';
export { decodeFlow, deleteFlowRequest, type Flow, type FlowFilter, flowsRequest } from './flow.ts';
export {
  decodeTrackedFlow,
  FLOW_CUT_MARK,
  type FlowTuple,
  markFlowRequest,
  type TrackedFlow,
  trackedFlowsRequest,
} from './tracked.ts';
