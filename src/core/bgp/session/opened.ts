/** The peer's OPEN, and which of two connections stays (RFC 4271 sections 6.2 and 6.8), up to Established. */
import { CEASE, ceaseOf, type Open, UpdateDecoder } from '../wire/index.ts';
import { endConnection } from './ending.ts';
import { bargainOf, isNotification } from './negotiation.ts';
import { openMain } from './opening.ts';
import type { Slot, Turn } from './turn.ts';
import type { SessionConfig } from './types.ts';

/** Failures are forgotten after a session of so many seconds. */
const SETTLED_SEC = 60;
/** So long a connection waits for another that would be preferred to it. */
const DOUBT_SEC = 3;

export function onOpen(turn: Turn, slot: Slot, open: Open): void {
  const { state } = turn;
  const connection = state[slot];
  if (connection === undefined) return;
  const bargain = bargainOf(state.config, open, connection.localAddress);
  if (isNotification(bargain)) return endConnection(turn, slot, { by: 'us', notification: bargain });
  if (state.phase === 'established' && !takesOver(turn, open)) return;
  if (state.main !== undefined && state.second !== undefined && !survives(turn, slot, open)) return;
  // What is left is the main connection. With DelayOpen ours has yet to be sent.
  openMain(turn);
  const { main } = state;
  if (main === undefined) return;
  state.main = { ...main, phase: 'open-confirm' };
  state.bargain = bargain;
  state.phase = 'open-confirm';
  turn.send(main, { type: 'keepalive' });
  turn.do({ type: 'limit', connection: main.id, maxMessageBytes: bargain.agreed.maxMessageBytes });
  restartHold(turn);
  restartKeepalive(turn);
  if (bargain.holdTimeSec === 0) turn.clearTimers('hold', 'keepalive');
}

/**
 * A second connection beside an established one. RFC 4724 section 5 has any take its place; one that says nothing of a restart may as well be
 * the late end of a collision, and if it is not, the old connection breaks by itself as soon as we send something. True if it is the main one now.
 */
function takesOver(turn: Turn, open: Open): boolean {
  if (open.capabilities.restart?.isRestarting !== true) {
    endConnection(turn, 'second', { by: 'us', notification: ceaseOf(CEASE.collision) });
    return false;
  }
  endConnection(turn, 'main', { by: 'network', reason: 'the peer has restarted' });
  return true;
}

/**
 * RFC 4271 section 6.8, RFC 6286 section 2.3: the connection made by the side with the greater identifier stays, the greater AS number if they
 * are equal. Both sides come to the same end whichever OPEN is read first. True if it is the one in the slot, which then is the main one.
 */
function survives(turn: Turn, slot: Slot, open: Open): boolean {
  const { state } = turn;
  const { config } = state;
  const isKept = state[slot]?.isOutgoing === staysOutgoing(config, open);
  const other: Slot = slot === 'main' ? 'second' : 'main';
  // Two connections of one direction: the first is a relic of the peer's past.
  const isSame = state.main?.isOutgoing === state.second?.isOutgoing;
  const loser = isSame ? 'main' : isKept ? other : slot;
  endConnection(turn, loser, { by: 'us', notification: ceaseOf(CEASE.collision) });
  return loser !== slot;
}

function staysOutgoing(config: SessionConfig, open: Open): boolean {
  const difference = config.routerId - open.routerId || config.localAsn - open.asn;
  return difference > 0;
}

/**
 * OpenConfirm and a KEEPALIVE. If there is a second connection, and it is the one to stay, the peer may be about to close this one: it is
 * established when the second goes, or when the peer says something that shows it is for the peer.
 */
export function confirm(turn: Turn): void {
  const { state } = turn;
  const { main, second, bargain, config } = state;
  if (main === undefined || bargain === undefined) return;
  const isDoomed = second !== undefined && second.isOutgoing === staysOutgoing(config, bargain.open);
  if (!isDoomed || main.isOutgoing === second.isOutgoing) return establish(turn);
  restartHold(turn);
  if (main.isConfirmed === true) return;
  state.main = { ...main, isConfirmed: true };
  turn.setTimer('second-hold', DOUBT_SEC);
}

export function establish(turn: Turn): void {
  const { state } = turn;
  const { main, bargain, config } = state;
  if (main === undefined || bargain === undefined) return;
  // RFC 4271 section 6.8: a second connection has no chance any more.
  if (state.second !== undefined)
    endConnection(turn, 'second', { by: 'us', notification: ceaseOf(CEASE.collision) });
  if (state.isDialing) turn.do({ type: 'cancel-connect' });
  state.isDialing = false;
  const { isConfirmed: _waited, ...connection } = main;
  state.main = { ...connection, phase: 'established' };
  state.phase = 'established';
  state.isRestarting = false;
  const context = {
    ...bargain.agreed,
    ...(config.isFirstAsnChecked !== undefined && { isFirstAsnChecked: config.isFirstAsnChecked }),
  };
  state.decoder = new UpdateDecoder(context, state.attributeMemory);
  restartHold(turn);
  turn.setTimer('settled', SETTLED_SEC);
  turn.tell({ type: 'established', agreed: bargain.agreed });
}

export function restartHold(turn: Turn): void {
  const { bargain } = turn.state;
  if (bargain !== undefined && bargain.holdTimeSec > 0) turn.setTimer('hold', bargain.holdTimeSec);
}

/** RFC 4271 section 10: a third of the hold time. */
export function restartKeepalive(turn: Turn): void {
  const { bargain } = turn.state;
  if (bargain !== undefined && bargain.holdTimeSec > 0)
    turn.setSpreadTimer('keepalive', Math.max(1, bargain.holdTimeSec / 3));
}
