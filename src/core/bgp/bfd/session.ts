/**
 * A BFD session in asynchronous mode as a state machine (RFC 5880 section 6.8). Demand mode and echo are not asked for; a peer in demand
 * mode is left in peace.
 */
import type { Random } from '#base/clock.ts';
import { type BfdPacket, type BfdPhase, DIAGNOSTIC } from './packet.ts';
import type { BfdAction, BfdConfig, BfdEvent, BfdState, BfdStep } from './types.ts';

type Draft = { -readonly [K in keyof BfdState]: BfdState[K] };

/** RFC 5880 section 6.8.3: as long as the session is not up. */
const SLOW_US = 1_000_000;

/** One that is administratively down. */
export function newBfd(config: BfdConfig): BfdState {
  if (config.discriminator === 0) throw new RangeError('a discriminator of 0');
  if (config.multiplier < 1 || config.multiplier > 255)
    throw new RangeError(`detect multiplier ${config.multiplier}: it is 1 to 255`);
  const slow = Math.max(SLOW_US, config.minTxMs * 1000);
  return {
    config,
    phase: 'admin-down',
    diagnostic: DIAGNOSTIC.adminDown,
    remotePhase: 'down',
    remoteDiscriminator: 0,
    remoteMinRxUs: 1,
    isRemoteDemand: false,
    remoteMinTxUs: 0,
    remoteMultiplier: 0,
    minTxUs: slow,
    minRxUs: config.minRxMs * 1000,
    usedTxUs: slow,
    usedRxUs: config.minRxMs * 1000,
    isPolling: false,
  };
}

export function stepBfd(state: BfdState, event: BfdEvent, random: Random): BfdStep {
  const turn = new Turn(state, random);
  switch (event.type) {
    case 'start':
      turn.start();
      break;
    case 'stop':
      turn.stop();
      break;
    case 'timer':
      if (event.timer === 'transmit') turn.transmit();
      else turn.expire();
      break;
    case 'packet':
      turn.receive(event.packet);
      break;
    case 'change':
      turn.change(event.minTxMs * 1000, event.minRxMs * 1000);
  }
  return { state: turn.state, actions: turn.actions };
}

class Turn {
  readonly state: Draft;
  readonly actions: BfdAction[] = [];
  readonly #random: Random;

  constructor(state: BfdState, random: Random) {
    this.state = { ...state };
    this.#random = random;
  }

  start(): void {
    if (this.state.phase !== 'admin-down') return;
    this.#enter('down', DIAGNOSTIC.none);
    this.transmit();
  }

  /** RFC 5880 section 6.8.16: the peer is told once, and knows then that it is no failure. */
  stop(): void {
    if (this.state.phase === 'admin-down') return;
    this.#enter('admin-down', DIAGNOSTIC.adminDown);
    if (this.#maySend()) this.#send(false);
    this.actions.push({ type: 'clear-timer', timer: 'transmit' }, { type: 'clear-timer', timer: 'detect' });
  }

  /** A periodic packet, and the time of the next (section 6.8.7). */
  transmit(): void {
    if (this.state.phase === 'admin-down') return;
    if (this.#maySend()) this.#send(false);
    this.#scheduleTransmit();
  }

  /** Section 6.8.4: nothing has come for the detection time. */
  expire(): void {
    const { state } = this;
    state.remoteDiscriminator = 0;
    // Section 6.8.1: what was known of the peer is not known any more.
    state.remoteMinRxUs = 1;
    state.isRemoteDemand = false;
    if (state.phase !== 'init' && state.phase !== 'up') return;
    this.#enter('down', DIAGNOSTIC.expired);
    this.transmit();
  }

  /** Section 6.8.6, from where the session is known. */
  receive(packet: BfdPacket): void {
    const { state } = this;
    state.remoteDiscriminator = packet.myDiscriminator;
    state.remotePhase = packet.phase;
    state.isRemoteDemand = packet.isDemand;
    state.remoteMinTxUs = packet.desiredMinTxUs;
    state.remoteMultiplier = packet.detectMultiplier;
    const before = this.#transmitUs();
    state.remoteMinRxUs = packet.requiredMinRxUs;
    if (packet.isFinal && state.isPolling) this.#endPoll();
    if (state.phase === 'admin-down') return;
    const former = state.phase;
    this.#advance(packet.phase);
    this.#scheduleDetect();
    // Section 6.5: a poll is answered at once, whenever the next packet would be due.
    if (packet.isPoll) this.#send(true);
    // Section 6.8.3: what changes the interval counts from now on.
    if (state.phase !== former) this.transmit();
    else if (this.#transmitUs() !== before) this.#scheduleTransmit();
  }

  /** Section 6.8.3. */
  change(minTxUs: number, minRxUs: number): void {
    const { state } = this;
    state.config = { ...state.config, minTxMs: minTxUs / 1000, minRxMs: minRxUs / 1000 };
    this.#declare(state.phase === 'up' ? minTxUs : Math.max(SLOW_US, minTxUs), minRxUs);
    if (state.phase !== 'admin-down') this.transmit();
  }

  /** The state machine of section 6.2. */
  #advance(remote: BfdPhase): void {
    const { phase } = this.state;
    if (remote === 'admin-down') {
      if (phase !== 'down') this.#enter('down', DIAGNOSTIC.neighborDown);
    } else if (phase === 'down') {
      if (remote === 'down') this.#enter('init', DIAGNOSTIC.none);
      else if (remote === 'init') this.#enter('up', DIAGNOSTIC.none);
    } else if (phase === 'init') {
      if (remote !== 'down') this.#enter('up', DIAGNOSTIC.none);
    } else if (remote === 'down') {
      this.#enter('down', DIAGNOSTIC.neighborDown);
    }
  }

  #enter(phase: BfdPhase, diagnostic: number): void {
    const { state } = this;
    // Why it went down is told until it is up again.
    const isRising = phase === 'init' || phase === 'up';
    state.phase = phase;
    if (!isRising) state.diagnostic = diagnostic;
    if (phase === 'up') state.diagnostic = DIAGNOSTIC.none;
    const wanted = state.config.minTxMs * 1000;
    this.#declare(phase === 'up' ? wanted : Math.max(SLOW_US, wanted), state.minRxUs);
    this.actions.push({ type: 'phase', phase, diagnostic: state.diagnostic });
  }

  /** Says other intervals, and asks for confirmation; while the session is up none gets worse for the peer before that. */
  #declare(minTxUs: number, minRxUs: number): void {
    const { state } = this;
    if (minTxUs === state.minTxUs && minRxUs === state.minRxUs) return;
    const isUp = state.phase === 'up';
    if (!isUp || minTxUs < state.minTxUs) state.usedTxUs = minTxUs;
    if (!isUp || minRxUs > state.minRxUs) state.usedRxUs = minRxUs;
    state.minTxUs = minTxUs;
    state.minRxUs = minRxUs;
    state.isPolling = state.remoteDiscriminator !== 0;
    if (!state.isPolling) this.#endPoll();
  }

  #endPoll(): void {
    const { state } = this;
    state.isPolling = false;
    state.usedTxUs = state.minTxUs;
    state.usedRxUs = state.minRxUs;
  }

  /** Section 6.8.7: when periodic packets are not to be sent. */
  #maySend(): boolean {
    const { config, remoteDiscriminator, remoteMinRxUs, isRemoteDemand, phase, remotePhase, isPolling } =
      this.state;
    if (config.isPassive && remoteDiscriminator === 0) return false;
    if (remoteMinRxUs === 0) return false;
    return !(isRemoteDemand && phase === 'up' && remotePhase === 'up' && !isPolling);
  }

  #send(isFinal: boolean): void {
    const { config, phase, diagnostic, remoteDiscriminator, minTxUs, minRxUs, isPolling } = this.state;
    const packet: BfdPacket = {
      phase,
      diagnostic,
      // Section 6.5: never both.
      isPoll: isPolling && !isFinal,
      isFinal,
      isIndependent: false,
      isDemand: false,
      detectMultiplier: config.multiplier,
      myDiscriminator: config.discriminator,
      yourDiscriminator: remoteDiscriminator,
      desiredMinTxUs: minTxUs,
      requiredMinRxUs: minRxUs,
      requiredMinEchoRxUs: 0,
    };
    this.actions.push({ type: 'send', packet });
  }

  #transmitUs(): number {
    return Math.max(this.state.usedTxUs, this.state.remoteMinRxUs);
  }

  /** Section 6.8.7: 75 to 100 per cent of the interval, to 90 where one lost packet is one too many. */
  #scheduleTransmit(): void {
    const most = this.state.config.multiplier === 1 ? 0.9 : 1;
    const share = 0.75 + (most - 0.75) * this.#random();
    this.actions.push({ type: 'set-timer', timer: 'transmit', ms: (this.#transmitUs() * share) / 1000 });
  }

  /** Section 6.8.4: the peer's multiplier, the slower of what it sends and what we bear. */
  #scheduleDetect(): void {
    const { remoteMultiplier, usedRxUs, remoteMinTxUs } = this.state;
    const ms = (remoteMultiplier * Math.max(usedRxUs, remoteMinTxUs)) / 1000;
    this.actions.push({ type: 'set-timer', timer: 'detect', ms });
  }
}
