/**
 * Who the router at the other end of a link is, heard from its advertisements, and what we say so that it hears of us (RFC 4861). A pure
 * state machine: the socket and the timers are others'. A link is taken to have one other router; the one heard last counts.
 */
import type { Random } from '#base/clock.ts';
import type { IpAddress } from '#base/ip/index.ts';
import type { DiscoveryMessage } from './message.ts';

export type DiscoveryTimer = 'solicit' | 'advertise';

export interface DiscoveryState {
  readonly isUp: boolean;
  /** The router that was heard last since the link came up. */
  readonly router?: IpAddress;
  /** Those that were heard before it. */
  readonly former: readonly IpAddress[];
  readonly solicitations: number;
  readonly advertisements: number;
  /** An advertisement is due that somebody asked for. */
  readonly isAsked: boolean;
  /** The last one went out less than MIN_BETWEEN_MS ago. */
  readonly isRecent: boolean;
}

export type DiscoveryEvent =
  | { readonly type: 'up' }
  | { readonly type: 'down' }
  | { readonly type: 'heard'; readonly message: DiscoveryMessage; readonly from: IpAddress }
  | { readonly type: 'timer'; readonly timer: DiscoveryTimer };

export type DiscoveryAction =
  | { readonly type: 'send'; readonly message: DiscoveryMessage }
  | { readonly type: 'set-timer'; readonly timer: DiscoveryTimer; readonly ms: number }
  | { readonly type: 'clear-timers' }
  | { readonly type: 'router'; readonly address: IpAddress }
  /** More than one router is on the link, and they take turns in being heard. */
  | { readonly type: 'crowd'; readonly addresses: readonly IpAddress[] };

// RFC 4861 section 10.
const MAX_SOLICITATIONS = 3;
const SOLICITATION_INTERVAL_MS = 4_000;
const MAX_INITIAL_ADVERTISEMENTS = 3;
const MIN_BETWEEN_MS = 3_000;
const MAX_ANSWER_DELAY_MS = 500;
/** Section 6.2.1 leaves MaxRtrAdvInterval to whoever runs the router, from 4 s up; what else speaks BGP by links has 10 s. */
const INTERVAL_MS = 10_000;

/** Whoever is on the link may speak from as many addresses as it likes. */
const MAX_FORMER = 8;

export const NEW_DISCOVERY: DiscoveryState = {
  isUp: false,
  former: [],
  solicitations: 0,
  advertisements: 0,
  isAsked: false,
  isRecent: false,
};

export function stepDiscovery(
  state: DiscoveryState,
  event: DiscoveryEvent,
  random: Random,
): { readonly state: DiscoveryState; readonly actions: readonly DiscoveryAction[] } {
  switch (event.type) {
    case 'up':
      return begin();
    case 'down':
      return { state: NEW_DISCOVERY, actions: [{ type: 'clear-timers' }] };
    case 'heard':
      if (!state.isUp) return { state, actions: [] };
      return event.message === 'advertisement' ? onRouter(state, event.from) : onQuestion(state, random);
    case 'timer':
      if (!state.isUp) return { state, actions: [] };
      return event.timer === 'solicit' ? solicit(state) : onAdvertiseTimer(state, random);
  }
}

type Step = ReturnType<typeof stepDiscovery>;

function begin(): Step {
  const state = { ...NEW_DISCOVERY, isUp: true, solicitations: 1, advertisements: 1, isRecent: true };
  return {
    state,
    actions: [
      { type: 'clear-timers' },
      { type: 'send', message: 'advertisement' },
      { type: 'send', message: 'solicitation' },
      { type: 'set-timer', timer: 'solicit', ms: SOLICITATION_INTERVAL_MS },
      { type: 'set-timer', timer: 'advertise', ms: MIN_BETWEEN_MS },
    ],
  };
}

function onRouter(state: DiscoveryState, from: IpAddress): Step {
  if (state.router === from) return { state, actions: [] };
  const { router, former } = state;
  const known =
    router === undefined ? former : [...former.filter((each) => each !== router), router].slice(-MAX_FORMER);
  const isCrowd = former.includes(from);
  return {
    state: { ...state, router: from, former: known },
    actions: [
      { type: 'router', address: from },
      ...(isCrowd ? [{ type: 'crowd', addresses: known.toSorted() } as const] : []),
    ],
  };
}

// RFC 4861 section 6.2.6: an answer after a random delay, to all, and no two of them within MIN_DELAY_BETWEEN_RAS.
function onQuestion(state: DiscoveryState, random: Random): Step {
  if (state.isAsked) return { state, actions: [] };
  const asked = { ...state, isAsked: true };
  if (state.isRecent) return { state: asked, actions: [] };
  return {
    state: asked,
    actions: [{ type: 'set-timer', timer: 'advertise', ms: random() * MAX_ANSWER_DELAY_MS }],
  };
}

/** RFC 4861 section 6.3.7: until somebody has been heard. */
function solicit(state: DiscoveryState): Step {
  if (state.router !== undefined || state.solicitations >= MAX_SOLICITATIONS) return { state, actions: [] };
  return {
    state: { ...state, solicitations: state.solicitations + 1 },
    actions: [
      { type: 'send', message: 'solicitation' },
      { type: 'set-timer', timer: 'solicit', ms: SOLICITATION_INTERVAL_MS },
    ],
  };
}

/** The timer runs in two halves: MIN_BETWEEN_MS behind each advertisement, and then until the next one is due. */
function onAdvertiseTimer(state: DiscoveryState, random: Random): Step {
  const isInitial = state.advertisements < MAX_INITIAL_ADVERTISEMENTS;
  if (state.isRecent && !state.isAsked && !isInitial) {
    // RFC 4861 section 6.2.4: spread, so that routers do not speak in step.
    const ms = INTERVAL_MS * (0.75 + random() / 4) - MIN_BETWEEN_MS;
    return { state: { ...state, isRecent: false }, actions: [{ type: 'set-timer', timer: 'advertise', ms }] };
  }
  const advertisements = Math.min(state.advertisements + 1, MAX_INITIAL_ADVERTISEMENTS);
  return {
    state: { ...state, advertisements, isAsked: false, isRecent: true },
    actions: [
      { type: 'send', message: 'advertisement' },
      { type: 'set-timer', timer: 'advertise', ms: MIN_BETWEEN_MS },
    ],
  };
}
