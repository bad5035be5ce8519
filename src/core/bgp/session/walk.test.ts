import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '#testing/soak.ts';
import {
  type Capabilities,
  ceaseOf,
  encodeMessage,
  isMessageError,
  type Message,
  MessageFramer,
  notificationOf,
} from '../wire/index.ts';
import { readEvents } from './reading.ts';
import { newSession, stepSession } from './session.ts';
import type { SessionAction, SessionConfig, SessionEvent, SessionState, TimerName } from './types.ts';

const PLAIN = { addPathSend: true, addPathReceive: true, extendedNextHop: true };
const restart = {
  restartTimeSec: 120,
  isRestarting: true,
  keepsAfterNotification: true,
  families: new Map([[4, { isForwardingKept: true }] as const]),
};
const CONFIG: SessionConfig = {
  localAsn: 65_001,
  routerId: 2,
  peerAddress: '10.0.0.2',
  isPassive: false,
  families: new Map([
    [4, PLAIN],
    [6, PLAIN],
  ]),
  holdTimeSec: 90,
  connectRetrySec: 10,
  openDelaySec: 0,
  idleHoldSec: { initial: 1, max: 60 },
  hasExtendedMessages: true,
  restart,
};

const capabilities: Capabilities = {
  families: [4, 6],
  hasRouteRefresh: true,
  hasEnhancedRefresh: true,
  hasExtendedMessages: true,
  fourOctetAsn: 65_002,
  extendedNextHop: [4],
  addPath: new Map([[4, { canReceive: true, canSend: true }]]),
  longLived: new Map(),
};

/** The numbers of connections are given in order; an event names one of the last few. */
type Step =
  | { readonly kind: 'event'; readonly event: SessionEvent }
  | { readonly kind: 'connection'; readonly isOutgoing: boolean }
  | { readonly kind: 'of'; readonly back: number; readonly what: 'closed' | 'malformed' | Message };

const open = fc
  .record({
    routerId: fc.constantFrom(1, 2, 3),
    holdTimeSec: fc.constantFrom(0, 9),
    isRestarting: fc.boolean(),
    asn: fc.constantFrom(65_001, 65_002),
  })
  .map(
    ({ routerId, holdTimeSec, isRestarting, asn }): Message => ({
      type: 'open',
      open: {
        asn,
        holdTimeSec,
        routerId,
        capabilities: { ...capabilities, fourOctetAsn: asn, restart: { ...restart, isRestarting } },
      },
    }),
  );
const message: fc.Arbitrary<Message> = fc.oneof(
  { arbitrary: open, weight: 4 },
  { arbitrary: fc.constant<Message>({ type: 'keepalive' }), weight: 4 },
  fc.constant<Message>({ type: 'notification', notification: ceaseOf(2) }),
  fc.constant<Message>({ type: 'refresh', refresh: { afi: 1, safi: 1, subtype: 'request' } }),
  fc.uint8Array({ maxLength: 30 }).map((body): Message => ({ type: 'update', body })),
  fc.constant<Message>({ type: 'update', body: new Uint8Array(4) }),
);
const timers: TimerName[] = [
  'connect-retry',
  'hold',
  'keepalive',
  'delay-open',
  'idle-hold',
  'second-hold',
  'settled',
];
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc
      .constantFrom<SessionEvent>(
        { type: 'start' },
        { type: 'start' },
        { type: 'stop' },
        { type: 'reset', notification: ceaseOf(4) },
        { type: 'connect-failed', reason: 'ECONNREFUSED' },
        { type: 'send', send: { type: 'end-of-rib', family: 6 } },
        ...timers.map((timer) => ({ type: 'timer', timer }) as const),
      )
      .map((event): Step => ({ kind: 'event', event })),
    weight: 3,
  },
  { arbitrary: fc.boolean().map((isOutgoing): Step => ({ kind: 'connection', isOutgoing })), weight: 3 },
  {
    arbitrary: fc
      .tuple(
        fc.nat(2),
        fc.oneof({ arbitrary: message, weight: 8 }, fc.constantFrom('closed' as const, 'malformed' as const)),
      )
      .map(([back, what]): Step => ({ kind: 'of', back, what })),
    weight: 8,
  },
);

/** What must hold whatever has happened. */
class Witness {
  state: SessionState;
  #connections = 0;
  readonly #open = new Set<number>();
  #isUp = false;

  constructor(config: SessionConfig) {
    this.state = newSession(config);
  }

  take(each: Step): void {
    const event = this.#eventOf(each);
    if (event === undefined) return;
    if (event.type === 'closed') this.#open.delete(event.connection);
    const { state, actions } = stepSession(this.state, event, () => 0.5);
    this.state = state;
    for (const action of actions) this.#check(action);
    this.#checkState();
  }

  #eventOf(each: Step): SessionEvent | undefined {
    if (each.kind === 'event') return each.event;
    if (each.kind === 'connection') {
      // What was not asked for does not come up.
      if (each.isOutgoing && !this.state.isDialing) return undefined;
      const connection = ++this.#connections;
      this.#open.add(connection);
      return { type: each.isOutgoing ? 'connected' : 'accepted', connection, localAddress: '10.0.0.1' };
    }
    const connection = this.#connections - each.back;
    if (each.what === 'closed') return { type: 'closed', connection, reason: 'ECONNRESET' };
    if (each.what === 'malformed')
      return { type: 'malformed', connection, notification: notificationOf(1, 1), reason: 'no marker' };
    return { type: 'message', connection, message: each.what };
  }

  #check(action: SessionAction): void {
    if (action.type === 'send') expect(this.#open).toContain(action.connection);
    if (action.type === 'close') this.#open.delete(action.connection);
    if (action.type !== 'news') return;
    const { type } = action.news;
    expect(this.#isUp).toBe(type !== 'established');
    this.#isUp = type !== 'down';
  }

  #checkState(): void {
    const { phase, main, second, bargain, decoder, isDialing, isStarted } = this.state;
    expect(this.#isUp).toBe(phase === 'established');
    expect(main?.phase === 'established').toBe(phase === 'established');
    expect(decoder !== undefined).toBe(phase === 'established');
    expect(bargain !== undefined).toBe(phase === 'established' || phase === 'open-confirm');
    if (phase === 'open-sent' || phase === 'open-confirm') expect(main?.phase).toBe(phase);
    if (second !== undefined) expect(main).toBeDefined();
    if (phase === 'idle') expect([main, second, isDialing]).toEqual([undefined, undefined, false]);
    if (!isStarted) expect(phase).toBe('idle');
    // Nothing is left open that nobody knows of.
    const known = new Set([main?.id, second?.id].filter((id) => id !== undefined));
    expect([...this.#open].filter((id) => !known.has(id))).toEqual([]);
  }
}

describe.each<[string, SessionConfig]>([
  ['that dials', CONFIG],
  ['that waits', { ...CONFIG, isPassive: true }],
  ['that delays its OPEN', { ...CONFIG, openDelaySec: 5 }],
])('a session %s', (_name, config) => {
  test('is in order after any events in any order', () => {
    const phases = new Set<string>();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const witness = new Witness(config);
        witness.take({ kind: 'event', event: { type: 'start' } });
        for (const each of steps) {
          witness.take(each);
          phases.add(witness.state.phase);
        }
      }),
      runs(500, 50_000),
    );
    expect(phases.size).toBeGreaterThanOrEqual(5 - (config.isPassive ? 1 : 0));
  });
});

describe('bytes', () => {
  test('become events up to the first that is no message', () => {
    const framer = new MessageFramer();
    const keepalive = encodeMessage({ type: 'keepalive' });
    framer.push(Uint8Array.from([...keepalive, ...keepalive.with(18, 9), ...keepalive]));
    const events = [...readEvents(framer, 7)];
    expect(events.map(({ type }) => type)).toEqual(['message', 'malformed']);
    expect(events[1]).toMatchObject({ connection: 7, notification: { code: 1, subcode: 3 } });
  });

  test('of any kind are events, and never an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(6), (body, type) => {
        const framer = new MessageFramer();
        const header = encodeMessage({ type: 'update', body }).with(18, type);
        framer.push(header);
        try {
          expect([...readEvents(framer, 1)].length).toBeLessThanOrEqual(1);
        } catch (error) {
          expect(isMessageError(error)).toBe(true);
        }
      }),
      runs(1000, 100_000),
    );
  });
});
