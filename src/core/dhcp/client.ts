/**
 * A DHCP client as a state machine (RFC 2131 section 4.4 and figure 5). It keeps no time and sends nothing: events come with the
 * time, actions are the caller's to carry out. Its randomness is given.
 */
import type { Random } from '#base/clock.ts';
import type { DhcpAction, DhcpClientConfig, DhcpEvent, DhcpState, DhcpStep } from './client-types.ts';
import { type DhcpLease, leasedAddress, leaseOf } from './lease.ts';
import { type DhcpMessage, optionOf } from './message.ts';
import { MESSAGE_TYPE } from './options.ts';
import { BOOT_REPLY } from './packet.ts';
import { BROADCAST, NO_ADDRESS, requestOf } from './request.ts';

/**
 * RFC 2131 section 4.1 begins with 4 s; the port of a bridge may not forward yet when the first message is sent, so the
 * second comes sooner. The last repeats.
 */
const RESEND_SECONDS = [1, 2, 4, 8, 16, 32, 64];
/** Then the offer is forgotten. */
const REQUESTS_MAX = 4;
/** An address of before is not confirmed: it is asked for as any other. */
const REBOOTS_MAX = 3;
/** RFC 2131 section 4.4.5: renewals are not sent more often. */
const RENEWAL_MIN_MS = 60_000;
/** RFC 2131 section 3.1, step 5. */
const DECLINE_WAIT_MS = 10_000;

/** A client that has not begun. */
export function newDhcpClient(config: DhcpClientConfig): DhcpState {
  return { phase: 'init', config, xid: 0, attempts: 0, refusals: 0, startedAtMs: 0, sentAtMs: 0 };
}

export function stepDhcp(state: DhcpState, event: DhcpEvent, random: Random): DhcpStep {
  switch (event.type) {
    case 'start':
      return start(state, event.atMs, event.lease, random);
    case 'resume':
      return onTime(holding(state, event.lease), event.atMs, random);
    case 'time':
      return onTime(state, event.atMs, random);
    case 'message':
      return onMessage(state, event.message, event.atMs, random);
    case 'conflict':
      return decline(state, event.atMs);
    case 'release':
      return release(state, event.atMs, random);
  }
}

function start(state: DhcpState, atMs: number, lease: DhcpLease | undefined, random: Random): DhcpStep {
  if (lease === undefined) return discover(state, atMs, random);
  const wanted = leasedAddress(lease);
  if (lease.expiresAtMs !== undefined && lease.expiresAtMs <= atMs)
    return discover({ ...state, wanted }, atMs, random);
  return resend(begin({ ...state, wanted }, 'rebooting', atMs, random), atMs, random);
}

function onTime(state: DhcpState, atMs: number, random: Random): DhcpStep {
  const { lease, phase } = state;
  if (lease !== undefined && phase !== 'released') {
    if (isPast(lease.expiresAtMs, atMs)) return lose(state, lease, 'it expired', atMs, random);
    if (phase !== 'rebinding' && isPast(lease.rebindAtMs, atMs))
      return resend(begin(state, 'rebinding', atMs, random), atMs, random);
    if (phase === 'bound' && isPast(lease.renewAtMs, atMs))
      return resend(begin(state, 'renewing', atMs, random), atMs, random);
  }
  if (state.wakeAtMs === undefined || atMs < state.wakeAtMs) return { state, actions: [] };
  const isTired =
    (phase === 'requesting' && state.attempts >= REQUESTS_MAX) ||
    (phase === 'rebooting' && state.attempts >= REBOOTS_MAX);
  if (phase === 'init' || isTired) return discover(state, atMs, random);
  return resend(state, atMs, random);
}

function onMessage(state: DhcpState, message: DhcpMessage, atMs: number, random: Random): DhcpStep {
  if (message.op !== BOOT_REPLY || message.xid !== state.xid || message.mac !== state.config.mac)
    return { state, actions: [] };
  const type = optionOf(message.options, 'messageType');
  const serverId = optionOf(message.options, 'serverId');
  const { phase } = state;
  if (phase === 'selecting')
    return type === MESSAGE_TYPE.offer ? select(state, message, atMs, random) : stay(state);
  const isWaiting =
    phase === 'requesting' || phase === 'rebooting' || phase === 'renewing' || phase === 'rebinding';
  if (!isWaiting || (type !== MESSAGE_TYPE.ack && type !== MESSAGE_TYPE.nak)) return stay(state);
  const asked =
    phase === 'requesting' ? state.offer?.serverId : phase === 'renewing' ? state.lease?.serverId : undefined;
  if (asked !== undefined && serverId !== asked)
    return refuse(state, `an answer of ${serverId ?? 'an unnamed server'}, asked was ${asked}`);
  if (type === MESSAGE_TYPE.nak) return refused(state, message, atMs, random);
  return acknowledge(state, message);
}

/** The first offer that can be a lease is taken. */
function select(state: DhcpState, offer: DhcpMessage, atMs: number, random: Random): DhcpStep {
  const lease = leaseOf(offer, atMs);
  if (typeof lease === 'string') return refuse(state, `offer: ${lease}`);
  const requesting: DhcpState = {
    ...state,
    phase: 'requesting',
    attempts: 0,
    offer: { address: leasedAddress(lease), serverId: lease.serverId },
  };
  return resend(requesting, atMs, random);
}

function acknowledge(state: DhcpState, message: DhcpMessage): DhcpStep {
  const lease = leaseOf(message, state.sentAtMs);
  if (typeof lease === 'string') return refuse(state, `acknowledgement: ${lease}`);
  const previous = state.lease;
  const asked = previous === undefined ? (state.offer?.address ?? state.wanted) : leasedAddress(previous);
  if (leasedAddress(lease) !== asked)
    return refuse(state, `acknowledgement: ${leasedAddress(lease)} is granted, ${asked} was asked for`);
  return {
    state: holding(state, lease),
    actions: [{ type: 'granted', lease, ...(previous !== undefined && { previous }) }],
  };
}

/** DHCPNAK: there is no lease, and everything begins anew. */
function refused(state: DhcpState, message: DhcpMessage, atMs: number, random: Random): DhcpStep {
  const said = optionOf(message.options, 'message');
  const reason = `the server refuses it${said === undefined ? '' : `: ${said}`}`;
  const { lease } = state;
  const refusals = state.refusals + 1;
  const waiting: DhcpState = {
    ...withoutLease(state),
    refusals,
    phase: 'init',
    wakeAtMs: atMs + (refusals === 1 ? 0 : resendMs(refusals - 2, random)),
  };
  const actions: DhcpAction[] = [
    lease === undefined ? { type: 'refused', reason } : { type: 'lost', lease, reason },
  ];
  return { state: waiting, actions };
}

function lose(state: DhcpState, lease: DhcpLease, reason: string, atMs: number, random: Random): DhcpStep {
  const next = discover({ ...withoutLease(state), wanted: leasedAddress(lease) }, atMs, random);
  return { state: next.state, actions: [{ type: 'lost', lease, reason }, ...next.actions] };
}

/** RFC 2131 section 3.1, step 5: the server is told, and after a while asked for another. */
function decline(state: DhcpState, atMs: number): DhcpStep {
  const { lease } = state;
  if (lease === undefined) return stay(state);
  const offer = { address: leasedAddress(lease), serverId: lease.serverId };
  const message = requestOf({ ...state, phase: 'init', offer }, 'decline', atMs);
  const { wanted: _taken, ...left } = withoutLease(state);
  return {
    state: { ...left, phase: 'init', wakeAtMs: atMs + DECLINE_WAIT_MS },
    actions: [
      { type: 'send', message, from: NO_ADDRESS, to: BROADCAST },
      { type: 'lost', lease, reason: 'somebody else uses it' },
    ],
  };
}

function release(state: DhcpState, atMs: number, random: Random): DhcpStep {
  const { lease } = state;
  const { wakeAtMs: _none, ...left } = withoutLease(state);
  const released: DhcpState = { ...left, phase: 'released' };
  if (lease === undefined) return { state: released, actions: [] };
  const message = requestOf({ ...state, xid: newXid(random) }, 'release', atMs);
  const from = leasedAddress(lease);
  return { state: released, actions: [{ type: 'send', message, from, to: lease.serverId }] };
}

function discover(state: DhcpState, atMs: number, random: Random): DhcpStep {
  const { offer: _old, ...left } = state;
  return resend(begin(left, 'selecting', atMs, random), atMs, random);
}

function begin(state: DhcpState, phase: DhcpState['phase'], atMs: number, random: Random): DhcpState {
  return { ...state, phase, xid: newXid(random), attempts: 0, startedAtMs: atMs };
}

/** Sends what the phase calls for, and sets when to do so again. */
function resend(state: DhcpState, atMs: number, random: Random): DhcpStep {
  const { phase, lease } = state;
  const message = requestOf(state, phase === 'selecting' ? 'discover' : 'request', atMs);
  const to = phase === 'renewing' && lease !== undefined ? lease.serverId : BROADCAST;
  return {
    state: {
      ...state,
      attempts: state.attempts + 1,
      sentAtMs: atMs,
      wakeAtMs: atMs + delayMs(state, atMs, random),
    },
    actions: [{ type: 'send', message, from: message.clientAddress, to }],
  };
}

function delayMs({ phase, lease, attempts }: DhcpState, atMs: number, random: Random): number {
  const until =
    phase === 'renewing' ? lease?.rebindAtMs : phase === 'rebinding' ? lease?.expiresAtMs : undefined;
  if (until === undefined) return resendMs(attempts, random);
  // RFC 2131 section 4.4.5: half of what is left, but a minute at least; the next phase comes in time.
  return Math.max(0, Math.min(until - atMs, Math.max(RENEWAL_MIN_MS, (until - atMs) / 2)));
}

/** RFC 2131 section 4.1: each delay differs by up to a second either way; the short ones by a quarter. */
function resendMs(attempt: number, random: Random): number {
  const seconds = RESEND_SECONDS[Math.min(attempt, RESEND_SECONDS.length - 1)] as number;
  return Math.round(1000 * (seconds + Math.min(1, seconds / 4) * (2 * random() - 1)));
}

function holding(state: DhcpState, lease: DhcpLease): DhcpState {
  const { wakeAtMs: _past, offer: _taken, ...left } = state;
  const wakeAtMs = lease.renewAtMs;
  return {
    ...left,
    phase: 'bound',
    attempts: 0,
    refusals: 0,
    lease,
    wanted: leasedAddress(lease),
    ...(wakeAtMs !== undefined && { wakeAtMs }),
  };
}

function withoutLease(state: DhcpState): DhcpState {
  const { lease: _lost, offer: _old, ...left } = state;
  return left;
}

function stay(state: DhcpState): DhcpStep {
  return { state, actions: [] };
}

function refuse(state: DhcpState, reason: string): DhcpStep {
  return { state, actions: [{ type: 'refused', reason }] };
}

function isPast(time: number | undefined, atMs: number): boolean {
  return time !== undefined && time <= atMs;
}

function newXid(random: Random): number {
  return Math.floor(random() * 2 ** 32) >>> 0;
}
