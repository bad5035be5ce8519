/** Sessions of BGP as pure state machines (RFC 4271 section 8), and what two speakers agree on. */
export type { Nlri, PathAttributes, RouteFamily } from '../model.ts';
export type { Agreed, SessionNews, SessionSend } from '../ports.ts';
export { readEvents } from './reading.ts';
export { newSession, stepSession } from './session.ts';
export type {
  Phase,
  SessionAction,
  SessionConfig,
  SessionEvent,
  SessionState,
  SessionStep,
  TimerName,
} from './types.ts';
