/** One step in the making: a state that may still change, the actions so far, and the small moves that all transitions are made of. */
import type { Random } from '#base/clock.ts';
import type { SessionNews } from '../ports.ts';
import { encodeMessage, type Message, type Notification } from '../wire/index.ts';
import type { Connection, SessionAction, SessionState, TimerName } from './types.ts';

type Draft = { -readonly [K in keyof SessionState]: SessionState[K] };

export type Slot = 'main' | 'second';

/** RFC 4271 section 10: what is due at the same time everywhere is spread, down to three quarters. */
const JITTER = 0.25;

export class Turn {
  readonly state: Draft;
  readonly actions: SessionAction[] = [];
  readonly random: Random;

  constructor(state: SessionState, random: Random) {
    this.state = { ...state };
    this.random = random;
  }

  do(action: SessionAction): void {
    this.actions.push(action);
  }

  tell(news: SessionNews): void {
    this.do({ type: 'news', news });
  }

  send(connection: Connection, message: Message): void {
    this.do({ type: 'send', connection: connection.id, bytes: encodeMessage(message) });
  }

  /** Says why, and closes. */
  dismiss(connection: Connection, notification?: Notification): void {
    if (notification !== undefined) this.send(connection, { type: 'notification', notification });
    this.do({ type: 'close', connection: connection.id });
  }

  setTimer(timer: TimerName, seconds: number): void {
    this.do({ type: 'set-timer', timer, ms: Math.round(seconds * 1000) });
  }

  setSpreadTimer(timer: TimerName, seconds: number): void {
    this.setTimer(timer, seconds * (1 - JITTER * this.random()));
  }

  clearTimers(...timers: readonly TimerName[]): void {
    for (const timer of timers) this.do({ type: 'clear-timer', timer });
  }

  /** Where a connection is kept; undefined if it is none of ours any more. */
  slotOf(id: number): Slot | undefined {
    if (this.state.main?.id === id) return 'main';
    return this.state.second?.id === id ? 'second' : undefined;
  }
}
