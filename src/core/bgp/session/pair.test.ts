import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '#testing/soak.ts';
import { decodeMessage, HEADER_BYTES } from '../wire/index.ts';
import { newSession, stepSession } from './session.ts';
import type { SessionConfig, SessionEvent, SessionState } from './types.ts';

const PLAIN = { addPathSend: false, addPathReceive: false, extendedNextHop: false };

interface Side {
  state: SessionState;
  readonly timers: Map<string, number>;
  /** How often an established session was lost. */
  losses: number;
}

/** Two sessions and a network between them whose every delay is given: who dials when, and how long bytes are under way. */
class World {
  readonly sides: readonly [Side, Side];
  readonly #queue: { at: number; order: number; run: () => void }[] = [];
  readonly #delays: readonly number[];
  #used = 0;
  #order = 0;
  now = 0;
  #nextConnection = 1;
  /** When bytes that were sent before arrive: a connection keeps their order. */
  readonly #arrivals = new Map<string, number>();
  readonly #gone = new Set<number>();

  constructor(configs: readonly [SessionConfig, SessionConfig], delays: readonly number[]) {
    this.#delays = delays;
    this.sides = [
      { state: newSession(configs[0]), timers: new Map(), losses: 0 },
      { state: newSession(configs[1]), timers: new Map(), losses: 0 },
    ];
    for (const side of [0, 1] as const) this.#after(this.#delay(), () => this.step(side, { type: 'start' }));
  }

  /** Until nothing is left to do before the time. */
  runUntil(end: number): void {
    for (;;) {
      this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#queue[0];
      if (next === undefined || next.at > end) break;
      this.#queue.shift();
      this.now = next.at;
      next.run();
    }
    this.now = end;
  }

  step(which: 0 | 1, event: SessionEvent): void {
    const side = this.sides[which];
    const { state, actions } = stepSession(side.state, event, () => this.#delay() / 1000);
    side.state = state;
    for (const action of actions) {
      switch (action.type) {
        case 'connect':
          this.#connect(which);
          break;
        case 'send':
          this.#send(which, action.connection, action.bytes);
          break;
        case 'close':
          this.#arrive(which, action.connection, () => this.#close(which, action.connection));
          break;
        case 'set-timer': {
          const due = this.now + action.ms;
          side.timers.set(action.timer, due);
          this.#after(action.ms, () => {
            if (side.timers.get(action.timer) === due)
              this.step(which, { type: 'timer', timer: action.timer });
          });
          break;
        }
        case 'news':
          if (action.news.type === 'down') side.losses += 1;
          break;
        case 'clear-timer':
          side.timers.delete(action.timer);
          break;
        default:
          break;
      }
    }
  }

  #connect(which: 0 | 1): void {
    const connection = this.#nextConnection++;
    const other = which === 0 ? 1 : 0;
    this.#after(this.#delay(), () => {
      const handshake = this.#delay();
      // What the other side sends at once arrives behind the handshake.
      this.#arrivals.set(`${other} ${connection}`, this.now + handshake);
      this.#after(handshake, () => {
        if (!this.sides[which].state.isDialing) return this.#close(which, connection);
        const isGone = this.#gone.has(connection);
        this.step(
          which,
          isGone
            ? { type: 'connect-failed', reason: 'ECONNRESET' }
            : { type: 'connected', connection, localAddress: '10.0.0.8' },
        );
      });
      this.step(other, { type: 'accepted', connection, localAddress: '10.0.0.9' });
    });
  }

  #send(which: 0 | 1, connection: number, bytes: Uint8Array): void {
    expect(bytes.length).toBeGreaterThanOrEqual(HEADER_BYTES);
    const message = decodeMessage(bytes);
    this.#arrive(which, connection, () => {
      if (!this.#gone.has(connection))
        this.step(which === 0 ? 1 : 0, { type: 'message', connection, message });
    });
  }

  #close(which: 0 | 1, connection: number): void {
    if (this.#gone.has(connection)) return;
    this.#gone.add(connection);
    this.step(which === 0 ? 1 : 0, { type: 'closed', connection, reason: 'closed' });
  }

  /** Behind all that was sent on the connection before; no sooner than the connection is known to the other side. */
  #arrive(which: 0 | 1, connection: number, run: () => void): void {
    const key = `${which} ${connection}`;
    const at = Math.max(this.#arrivals.get(key) ?? 0, this.now + this.#delay());
    this.#arrivals.set(key, at);
    this.#after(at - this.now, run);
  }

  #after(ms: number, run: () => void): void {
    this.#queue.push({ at: this.now + ms, order: this.#order++, run });
  }

  #delay(): number {
    return this.#delays[this.#used++ % this.#delays.length] as number;
  }
}

const configOf = (localAsn: number, peerAsn: number, routerId: number): SessionConfig => ({
  localAsn,
  peerAsn,
  routerId,
  peerAddress: '10.0.0.1',
  isPassive: false,
  families: new Map([[4, PLAIN]]),
  holdTimeSec: 90,
  connectRetrySec: 5,
  openDelaySec: 0,
  idleHoldSec: { initial: 1, max: 8 },
  hasExtendedMessages: true,
});

describe('two speakers that dial each other', () => {
  const delays = fc.array(fc.integer({ min: 1, max: 600 }), { minLength: 7, maxLength: 40 });

  test('whatever the delays, end with one connection, the same for both', () => {
    fc.assert(
      fc.property(delays, fc.boolean(), (each, isGreater) => {
        const [a, b] = isGreater ? [2, 1] : [1, 2];
        const world = new World([configOf(65_001, 65_002, a), configOf(65_002, 65_001, b)], each);
        world.runUntil(120_000);
        const [left, right] = world.sides.map(({ state }) => state) as [SessionState, SessionState];
        expect([left.phase, right.phase]).toEqual(['established', 'established']);
        expect(left.main?.id).toBe(right.main?.id);
        expect([left.second, right.second]).toEqual([undefined, undefined]);
        expect(world.sides.map(({ losses }) => losses)).toEqual([0, 0]);
      }),
      runs(300, 20_000),
    );
  });

  test('who can restart do not take a late connection for a restart, over and over', () => {
    const families = new Map([[4, { isForwardingKept: true }] as const]);
    const restart = { restartTimeSec: 9, isRestarting: false, keepsAfterNotification: true, families };
    fc.assert(
      fc.property(delays, (each) => {
        const world = new World(
          [
            { ...configOf(65_001, 65_002, 1), restart },
            { ...configOf(65_002, 65_001, 2), restart },
          ],
          each,
        );
        world.runUntil(120_000);
        for (const { state, losses } of world.sides) {
          expect(state.phase).toBe('established');
          expect(losses).toBe(0);
        }
      }),
      runs(300, 20_000),
    );
  });

  test('find each other again after the network was gone', () => {
    fc.assert(
      fc.property(delays, (each) => {
        const world = new World([configOf(65_001, 65_002, 1), configOf(65_002, 65_001, 2)], each);
        world.runUntil(120_000);
        for (const which of [0, 1] as const) {
          const { main } = world.sides[which].state;
          if (main !== undefined)
            world.step(which, { type: 'closed', connection: main.id, reason: 'ECONNRESET' });
        }
        expect(world.sides.map(({ state }) => state.phase)).toEqual(['idle', 'idle']);
        world.runUntil(240_000);
        expect(world.sides.map(({ state }) => state.phase)).toEqual(['established', 'established']);
      }),
      runs(100, 10_000),
    );
  });
});
