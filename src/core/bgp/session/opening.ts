/** From Idle to a connection on which our OPEN is out (RFC 4271 section 8.2.2, states Idle, Connect and Active). */
import type { IpAddress } from '#base/ip/index.ts';
import { CEASE, ceaseOf } from '../wire/index.ts';
import { ownOpen } from './negotiation.ts';
import type { Turn } from './turn.ts';
import type { Connection, SessionState } from './types.ts';

/** RFC 4271 section 8.2.2: a large value, 4 minutes, until the peer's OPEN has come. */
const OPEN_HOLD_SEC = 240;

/** Leaves Idle. */
export function begin(turn: Turn): void {
  if (turn.state.config.isPassive) turn.state.phase = 'active';
  else dial(turn);
}

export function dial(turn: Turn): void {
  const { state } = turn;
  if (state.isDialing) turn.do({ type: 'cancel-connect' });
  state.phase = 'connect';
  state.isDialing = true;
  turn.do({ type: 'connect' });
  turn.setSpreadTimer('connect-retry', state.config.connectRetrySec);
}

/**
 * The attempt to connect has failed. RFC 4271 would have Connect go to Idle, where the peer's own attempts are refused; as other speakers
 * do, it waits in Active for the next one.
 */
export function onConnectFailed(turn: Turn, reason: string): void {
  const { state } = turn;
  state.isDialing = false;
  if (state.phase !== 'connect') return;
  turn.do({ type: 'ended', phase: 'connect', reason });
  state.lastReason = reason;
  if (state.main === undefined) wait(turn);
}

/** In Active until it is time to connect again. */
export function wait(turn: Turn): void {
  const { state } = turn;
  delete state.main;
  state.phase = 'active';
  if (!state.config.isPassive) turn.setSpreadTimer('connect-retry', state.config.connectRetrySec);
}

/** A connection has come up, whoever made it. */
export function onConnection(turn: Turn, id: number, isOutgoing: boolean, localAddress: IpAddress): void {
  const { state } = turn;
  if (isOutgoing) state.isDialing = false;
  const connection: Connection = { id, isOutgoing, localAddress, phase: 'open-delayed' };
  if (state.phase === 'idle' || state.second !== undefined) return turn.dismiss(connection);
  const isEstablished = state.phase === 'established';
  // RFC 4271 section 6.8: one that is established stays; RFC 4724 section 5: unless the peer has restarted, which its OPEN will tell.
  if (isEstablished && (isOutgoing || !canPeerRestart(state)))
    return turn.dismiss(connection, ceaseOf(CEASE.collision));
  if (!isEstablished) turn.clearTimers('connect-retry');
  if (state.main !== undefined) {
    // It is followed until the peer's OPEN tells which of both stays.
    // Beside an established one ours waits for it: a peer that has not come so far yet might prefer this connection for it.
    state.second = isEstablished ? connection : sendOpen(turn, connection);
    turn.setTimer('second-hold', OPEN_HOLD_SEC);
    return;
  }
  state.main = connection;
  if (state.config.openDelaySec > 0) turn.setTimer('delay-open', state.config.openDelaySec);
  else openMain(turn);
}

function canPeerRestart({ bargain }: SessionState): boolean {
  return (bargain?.agreed.restart?.families.size ?? 0) > 0;
}

/** Our OPEN on the main connection. */
export function openMain(turn: Turn): void {
  const { state } = turn;
  if (state.main?.phase !== 'open-delayed') return;
  turn.clearTimers('delay-open');
  state.main = sendOpen(turn, state.main);
  holdForOpen(turn);
}

export function holdForOpen(turn: Turn): void {
  turn.state.phase = 'open-sent';
  turn.setTimer('hold', OPEN_HOLD_SEC);
}

function sendOpen(turn: Turn, connection: Connection): Connection {
  const { config, isRestarting } = turn.state;
  turn.send(connection, { type: 'open', open: ownOpen(config, isRestarting) });
  return { ...connection, phase: 'open-sent' };
}
