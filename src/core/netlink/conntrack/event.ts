/** What the kernel tells of flows that begin, change and end, to those who joined its groups. */
import { messageFlags, messageType, NLM_F } from '../message.ts';
import { CONNTRACK_MESSAGE } from './entry.ts';
import { decodeTrackedFlow, type TrackedFlow } from './tracked.ts';

/** enum nfnetlink_groups. */
export const FLOW_EVENT_GROUPS = { new: 1, update: 2, destroy: 3 } as const;

export interface FlowEvent {
  readonly event: keyof typeof FLOW_EVENT_GROUPS;
  readonly flow: TrackedFlow;
}

/** Undefined for a message of another kind. Throws DecodeError. */
export function decodeFlowEvent(message: Uint8Array): FlowEvent | undefined {
  const type = messageType(message);
  if (type === CONNTRACK_MESSAGE.DELETE) return { event: 'destroy', flow: decodeTrackedFlow(message) };
  if (type !== CONNTRACK_MESSAGE.NEW) return undefined;
  const isNew = (messageFlags(message) & NLM_F.CREATE) !== 0;
  return { event: isNew ? 'new' : 'update', flow: decodeTrackedFlow(message) };
}
