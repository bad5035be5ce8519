/** How connections end, and what comes after: Idle for a while, or the other connection (RFC 4271 sections 6 and 8.2.2). */
import { backoffMs } from '#base/backoff.ts';
import {
  CEASE,
  ceaseOf,
  describeNotification,
  ERROR,
  hardResetOf,
  isHardReset,
  type Notification,
} from '../wire/index.ts';
import { holdForOpen, openMain } from './opening.ts';
import type { Slot, Turn } from './turn.ts';
import type { TimerName } from './types.ts';

/** What ended it, as far as it matters for routes (RFC 4724, 8538). */
export type Cause =
  | { readonly by: 'us'; readonly notification: Notification; readonly reason?: string }
  | { readonly by: 'peer'; readonly notification: Notification }
  | { readonly by: 'network'; readonly reason: string };

const ALL_TIMERS: readonly TimerName[] = [
  'connect-retry',
  'hold',
  'keepalive',
  'delay-open',
  'second-hold',
  'settled',
];

/** Ends the connection in a slot. The second one goes without a trace; behind the main one the second comes up, or Idle. */
export function endConnection(turn: Turn, slot: Slot, cause: Cause): void {
  const { state } = turn;
  const connection = state[slot];
  if (connection === undefined) return;
  const notification = cause.by === 'us' ? softened(turn, cause.notification) : undefined;
  if (cause.by === 'network') turn.do({ type: 'close', connection: connection.id });
  else turn.dismiss(connection, notification);
  turn.do({ type: 'ended', phase: slot === 'main' ? state.phase : 'open-sent', reason: reasonOf(cause) });
  if (slot === 'second') {
    delete state.second;
    turn.clearTimers('second-hold');
    return;
  }
  const { second } = state;
  const isEstablished = state.phase === 'established';
  if (second === undefined || (isEstablished && cause.by !== 'network')) return fall(turn, cause);
  if (isEstablished) loseSession(turn, cause);
  delete state.bargain;
  delete state.second;
  state.main = second;
  state.lastReason = reasonOf(cause);
  turn.clearTimers('second-hold', 'keepalive');
  if (second.phase === 'open-delayed') openMain(turn);
  else holdForOpen(turn);
}

/** The tables hear that an established session is no more. */
function loseSession(turn: Turn, cause: Cause): void {
  turn.tell({ type: 'down', keepsRoutes: keepsRoutes(turn, cause), reason: reasonOf(cause) });
  turn.clearTimers('settled');
  delete turn.state.decoder;
}

/** To Idle from wherever; while the session is started, the next attempt comes by itself (DampPeerOscillations). */
export function fall(turn: Turn, cause: Cause): void {
  const { state } = turn;
  const reason = reasonOf(cause);
  if (state.second !== undefined) turn.dismiss(state.second, ceaseOf(CEASE.rejected));
  if (state.isDialing) turn.do({ type: 'cancel-connect' });
  if (state.phase === 'established') loseSession(turn, cause);
  turn.clearTimers(...ALL_TIMERS);
  delete state.main;
  delete state.second;
  delete state.bargain;
  state.phase = 'idle';
  state.isDialing = false;
  state.lastReason = reason;
  if (!state.isStarted) return;
  const { initial, max } = state.config.idleHoldSec;
  const options = { initialMs: initial * 1000, maxMs: max * 1000, jitter: 0.25 };
  turn.setTimer('idle-hold', backoffMs(state.failures, options, turn.random) / 1000);
  state.failures += 1;
}

/** RFC 8538 section 3: where NOTIFICATIONs leave routes in place, one that is not to do so says it. */
function softened({ state }: Turn, notification: Notification): Notification {
  const { code, subcode } = notification;
  const isFinal = code === ERROR.cease && HARD_SUBCODES.has(subcode);
  return isFinal && state.bargain?.keepsAfterNotification === true ? hardResetOf(notification) : notification;
}

/** RFC 8538 section 5.1: of these the routes would not come back the same. */
const HARD_SUBCODES: ReadonlySet<number> = new Set([CEASE.maxPrefixes, CEASE.shutdown, CEASE.deconfigured]);

function keepsRoutes(turn: Turn, cause: Cause): boolean {
  const { bargain } = turn.state;
  const restart = bargain?.agreed.restart;
  if (restart === undefined || restart.families.size === 0) return false;
  // RFC 4724 section 4.2: the connection went, and nobody said why.
  if (cause.by === 'network') return true;
  // RFC 8538 section 4: a NOTIFICATION of either side, unless it is a hard reset.
  if (bargain?.keepsAfterNotification !== true) return false;
  return !isHardReset(cause.by === 'us' ? softened(turn, cause.notification) : cause.notification);
}

function reasonOf(cause: Cause): string {
  if (cause.by === 'network') return cause.reason;
  const said = describeNotification(cause.notification);
  if (cause.by === 'peer') return `the peer says: ${said}`;
  return cause.reason === undefined ? said : `${said}: ${cause.reason}`;
}
