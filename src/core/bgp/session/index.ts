/** Sessions of BGP as pure state machines (RFC 4271 section 8), and what two speakers agree on. */
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
