/**
 * A session with one peer as a state machine (RFC 4271 section 8). It keeps no time and touches no socket: events come in, actions go out.
 * A timer that expires where the RFC has none running is ignored, for it was set off before it was cleared.
 */
import type { Random } from '#base/clock.ts';
import {
  type AttributeMemory,
  CEASE,
  ceaseOf,
  ERROR,
  type Message,
  type Notification,
  notificationOf,
  STATE_MACHINE_ERROR,
} from '../wire/index.ts';
import { endConnection, fall } from './ending.ts';
import { onRefresh, onSend, onUpdate } from './established.ts';
import { confirm, establish, onOpen, restartHold, restartKeepalive } from './opened.ts';
import { begin, dial, onConnectFailed, onConnection, openMain, wait } from './opening.ts';
import { type Slot, Turn } from './turn.ts';
import type { SessionConfig, SessionEvent, SessionState, SessionStep, TimerName } from './types.ts';

/** One that has not been started. `attributeMemory`: shared with sessions of the same configuration, with peers of one AS; absent: its own. */
export function newSession(config: SessionConfig, attributeMemory?: AttributeMemory): SessionState {
  const { holdTimeSec } = config;
  if (holdTimeSec !== 0 && holdTimeSec < 3)
    throw new RangeError(`hold time ${holdTimeSec} s: it is 0, or 3 and more`);
  return {
    config,
    phase: 'idle',
    isStarted: false,
    isDialing: false,
    failures: 0,
    isRestarting: config.restart?.isRestarting === true,
    ...(attributeMemory === undefined ? {} : { attributeMemory }),
  };
}

export function stepSession(state: SessionState, event: SessionEvent, random: Random): SessionStep {
  const turn = new Turn(state, random);
  handle(turn, event);
  if (turn.state.main?.isConfirmed === true && turn.state.second === undefined) establish(turn);
  return { state: turn.state, actions: turn.actions };
}

function handle(turn: Turn, event: SessionEvent): void {
  const { state } = turn;
  switch (event.type) {
    case 'start':
      return start(turn);
    case 'stop':
      return stop(turn, event.notification ?? ceaseOf(CEASE.shutdown));
    case 'reset':
      if (state.phase === 'idle') return;
      return state.main === undefined
        ? fall(turn, { by: 'us', notification: event.notification })
        : endAll(turn, event.notification);
    case 'timer':
      return onTimer(turn, event.timer);
    case 'accepted':
      return onConnection(turn, event.connection, false, event.localAddress);
    case 'connected':
      return onConnection(turn, event.connection, true, event.localAddress);
    case 'connect-failed':
      return onConnectFailed(turn, event.reason);
    case 'closed':
      return onClosed(turn, event.connection, event.reason);
    case 'message':
      return onMessage(turn, event.connection, event.message);
    case 'malformed': {
      const slot = turn.slotOf(event.connection);
      const { notification, reason } = event;
      return slot && endConnection(turn, slot, { by: 'us', notification, reason });
    }
    case 'send':
      return onSend(turn, event.send);
  }
}

function start(turn: Turn): void {
  const { state } = turn;
  if (state.phase !== 'idle') return;
  state.isStarted = true;
  state.failures = 0;
  turn.clearTimers('idle-hold');
  begin(turn);
}

function stop(turn: Turn, notification: Notification): void {
  const { state } = turn;
  state.isStarted = false;
  turn.clearTimers('idle-hold');
  if (state.phase !== 'idle') endAll(turn, notification);
}

/** Both connections, and the attempt at one. */
function endAll(turn: Turn, notification: Notification): void {
  const { state } = turn;
  if (state.second !== undefined) turn.dismiss(state.second, notification);
  delete state.second;
  const cause = { by: 'us', notification } as const;
  if (state.main === undefined) fall(turn, cause);
  else endConnection(turn, 'main', cause);
}

/** RFC 4271 section 8.2.2, event 18. */
function onClosed(turn: Turn, id: number, reason: string): void {
  const { state } = turn;
  const slot = turn.slotOf(id);
  if (slot === undefined) return;
  const isEarly = state.phase === 'connect' || state.phase === 'open-sent';
  if (slot === 'second' || state.second !== undefined || !isEarly)
    return endConnection(turn, slot, { by: 'network', reason });
  turn.do({ type: 'close', connection: id });
  turn.do({ type: 'ended', phase: state.phase, reason });
  turn.clearTimers('hold', 'delay-open');
  delete state.main;
  state.lastReason = reason;
  if (state.isDialing) state.phase = 'connect';
  else wait(turn);
}

function onTimer(turn: Turn, timer: TimerName): void {
  const { state } = turn;
  const expired: Notification = notificationOf(ERROR.holdTimer);
  switch (timer) {
    case 'connect-retry':
      if ((state.phase === 'connect' || state.phase === 'active') && state.main === undefined) dial(turn);
      return;
    case 'hold':
      return endConnection(turn, 'main', { by: 'us', notification: expired });
    case 'second-hold':
      return endConnection(turn, 'second', { by: 'us', notification: expired });
    case 'keepalive':
      if (state.main === undefined || state.bargain === undefined) return;
      turn.send(state.main, { type: 'keepalive' });
      return restartKeepalive(turn);
    case 'delay-open':
      return openMain(turn);
    case 'idle-hold':
      if (state.phase === 'idle' && state.isStarted) begin(turn);
      return;
    case 'settled':
      state.failures = 0;
  }
}

function onMessage(turn: Turn, id: number, message: Message): void {
  const { state } = turn;
  const slot = turn.slotOf(id);
  const phase = slot && state[slot]?.phase;
  if (slot === undefined || phase === undefined) return;
  const isTalking = message.type === 'update' || message.type === 'refresh';
  if (isTalking && state[slot]?.isConfirmed === true) establish(turn);
  const isEstablished = state[slot]?.phase === 'established';
  switch (message.type) {
    case 'notification':
      return endConnection(turn, slot, { by: 'peer', notification: message.notification });
    case 'open':
      if (phase === 'open-delayed' || phase === 'open-sent') return onOpen(turn, slot, message.open);
      break;
    case 'keepalive':
      if (phase === 'open-confirm') return confirm(turn);
      if (isEstablished) return restartHold(turn);
      break;
    case 'update':
      if (isEstablished) return onUpdate(turn, message.body);
      break;
    case 'refresh':
      if (isEstablished) return onRefresh(turn, message.refresh);
      break;
  }
  onUnexpected(turn, slot, phase, message.type);
}

/** RFC 6608: the subcode names the state. Before our OPEN nothing may be said. */
function onUnexpected(
  turn: Turn,
  slot: Slot,
  phase: NonNullable<SessionState['main']>['phase'],
  type: string,
): void {
  const reason = `${type} in ${phase}`;
  if (phase === 'open-delayed') return endConnection(turn, slot, { by: 'network', reason });
  const notification = notificationOf(ERROR.stateMachine, STATE_MACHINE_ERROR[phase]);
  endConnection(turn, slot, { by: 'us', notification, reason });
}
