import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isDecodeError } from '#core/codec/index.ts';
import { runs } from '#testing/soak.ts';
import { type BfdPacket, type BfdPhase, decodeBfd, encodeBfd } from './packet.ts';
import { newBfd, stepBfd } from './session.ts';
import type { BfdAction, BfdConfig, BfdEvent, BfdState, BfdTimer } from './types.ts';

const CONFIG: BfdConfig = { discriminator: 1, minTxMs: 100, minRxMs: 100, multiplier: 3, isPassive: false };

const packetOf = (changes: Partial<BfdPacket> = {}): BfdPacket => ({
  phase: 'down',
  diagnostic: 0,
  isPoll: false,
  isFinal: false,
  isIndependent: false,
  isDemand: false,
  detectMultiplier: 3,
  myDiscriminator: 2,
  yourDiscriminator: 1,
  desiredMinTxUs: 50_000,
  requiredMinRxUs: 200_000,
  requiredMinEchoRxUs: 0,
  ...changes,
});
const hears = (changes: Partial<BfdPacket> = {}): BfdEvent => ({ type: 'packet', packet: packetOf(changes) });
const START: BfdEvent = { type: 'start' };

/** A session after the events, and what the last of them made it do. */
function walk(
  config: BfdConfig,
  ...events: readonly BfdEvent[]
): { state: BfdState; actions: readonly BfdAction[] } {
  let step: { state: BfdState; actions: readonly BfdAction[] } = { state: newBfd(config), actions: [] };
  for (const event of events) step = stepBfd(step.state, event, () => 1);
  return step;
}

const sent = (actions: readonly BfdAction[]) =>
  actions.flatMap((action) => (action.type === 'send' ? [action.packet] : []));
const timerOf = (actions: readonly BfdAction[], timer: BfdTimer) =>
  actions
    .flatMap((action) => (action.type === 'set-timer' && action.timer === timer ? [action.ms] : []))
    .at(-1);

const REACH: Readonly<Record<BfdPhase, readonly BfdEvent[]>> = {
  'admin-down': [],
  down: [START],
  init: [START, hears()],
  up: [START, hears(), hears({ phase: 'init' })],
};
const PHASES = Object.keys(REACH) as BfdPhase[];

describe('a packet', () => {
  const bit = fc.boolean();
  const number = fc.integer({ min: 1, max: 0xffff_ffff });
  const packet: fc.Arbitrary<BfdPacket> = fc.record(
    {
      phase: fc.constantFrom(...PHASES),
      diagnostic: fc.nat(31),
      isPoll: bit,
      isFinal: bit,
      isIndependent: bit,
      isDemand: bit,
      detectMultiplier: fc.integer({ min: 1, max: 255 }),
      myDiscriminator: number,
      yourDiscriminator: number,
      desiredMinTxUs: number,
      requiredMinRxUs: number,
      requiredMinEchoRxUs: number,
    },
    { noNullPrototype: true },
  );

  test('is the same, written and read again', () => {
    fc.assert(
      fc.property(packet, (each) => {
        expect(decodeBfd(encodeBfd(each))).toEqual(each);
      }),
    );
  });

  test('of any bytes throws nothing but DecodeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          decodeBfd(bytes);
        } catch (error) {
          if (!isDecodeError(error)) throw error;
        }
      }),
      runs(1000, 100_000),
    );
  });

  test.each([
    ['version 2', 0, 0x40, 'version'],
    ['a length of 23', 3, 23, 'length'],
    ['a length past the end', 3, 25, 'length'],
    ['multiplier 0', 2, 0, 'detect multiplier 0'],
    ['the multipoint bit', 1, 0x41, 'multipoint'],
    ['authentication', 1, 0x44, 'authenticated'],
  ])('with %s is discarded', (_name, at, value, reason) => {
    expect(() => decodeBfd(encodeBfd(packetOf()).with(at, value))).toThrow(reason);
  });

  test.each([
    ['no discriminator', { myDiscriminator: 0 }, 'discriminator 0'],
    ['none of ours in up', { yourDiscriminator: 0, phase: 'up' }, 'discriminator 0 in up'],
    ['none of ours in init', { yourDiscriminator: 0, phase: 'init' }, 'discriminator 0 in init'],
  ] as const)('with %s is discarded', (_name, changes, reason) => {
    expect(() => decodeBfd(encodeBfd(packetOf(changes)))).toThrow(reason);
  });
});

describe('the state machine of RFC 5880 section 6.2', () => {
  /** From, then what the peer says, in the order of PHASES. */
  const table: Readonly<Record<BfdPhase, readonly [BfdPhase, BfdPhase, BfdPhase, BfdPhase]>> = {
    'admin-down': ['admin-down', 'admin-down', 'admin-down', 'admin-down'],
    down: ['down', 'init', 'up', 'down'],
    init: ['down', 'init', 'up', 'up'],
    up: ['down', 'down', 'up', 'up'],
  };
  const cases = PHASES.flatMap((from) =>
    PHASES.map((heard, at) => [from, heard, table[from][at] as BfdPhase] as const),
  );

  test.each(cases)('%s, hearing %s, is %s', (from, heard, to) => {
    const before = walk(CONFIG, ...REACH[from]).state;
    expect(before.phase).toBe(from);
    const { state, actions } = walk(CONFIG, ...REACH[from], hears({ phase: heard }));
    expect(state.phase).toBe(to);
    expect(actions.some(({ type }) => type === 'phase')).toBe(from !== to);
    if (from !== 'admin-down' && from !== 'down' && to === 'down') expect(state.diagnostic).toBe(3);
  });

  test.each([
    ['admin-down', 'admin-down'],
    ['down', 'down'],
    ['init', 'down'],
    ['up', 'down'],
  ] as const)('%s, hearing nothing, is %s', (from, to) => {
    const { state } = walk(CONFIG, ...REACH[from], { type: 'timer', timer: 'detect' });
    expect([state.phase, state.remoteDiscriminator]).toEqual([to, 0]);
    if (from === 'up') expect(state.diagnostic).toBe(1);
  });

  test.each(PHASES)('%s, stopped, tells the peer once and is silent', (from) => {
    const { state, actions } = walk(CONFIG, ...REACH[from], { type: 'stop' });
    expect(state.phase).toBe('admin-down');
    expect(sent(actions).map(({ phase, diagnostic }) => [phase, diagnostic])).toEqual(
      from === 'admin-down' ? [] : [['admin-down', 7]],
    );
    expect(stepBfd(state, { type: 'timer', timer: 'transmit' }, () => 1).actions).toEqual([]);
  });
});

describe('intervals', () => {
  test('are a second at least until the session is up, and then polled for', () => {
    const down = walk(CONFIG, START);
    expect(sent(down.actions)[0]).toMatchObject({ desiredMinTxUs: 1_000_000, isPoll: false });
    expect(timerOf(down.actions, 'transmit')).toBe(1000);
    const up = walk(CONFIG, ...REACH.up);
    expect(sent(up.actions).at(-1)).toMatchObject({ phase: 'up', desiredMinTxUs: 100_000, isPoll: true });
    // The peer wants none more often than every 200 ms; it sends every 50 ms, of which we bear one in 100 ms.
    expect(timerOf(up.actions, 'transmit')).toBe(200);
    expect(timerOf(up.actions, 'detect')).toBe(300);
    const confirmed = stepBfd(up.state, hears({ phase: 'up', isFinal: true }), () => 1);
    expect(confirmed.state.isPolling).toBe(false);
    expect(
      sent(stepBfd(confirmed.state, { type: 'timer', timer: 'transmit' }, () => 1).actions)[0]?.isPoll,
    ).toBe(false);
  });

  test('that grow are used when the peer has confirmed them, and that shrink at once', () => {
    const up = walk(CONFIG, ...REACH.up, hears({ phase: 'up', isFinal: true, requiredMinRxUs: 1000 })).state;
    const slower = stepBfd(up, { type: 'change', minTxMs: 400, minRxMs: 50 }, () => 1);
    expect(sent(slower.actions)[0]).toMatchObject({
      isPoll: true,
      desiredMinTxUs: 400_000,
      requiredMinRxUs: 50_000,
    });
    expect(timerOf(slower.actions, 'transmit')).toBe(100);
    const heard = stepBfd(slower.state, hears({ phase: 'up', requiredMinRxUs: 1000 }), () => 1);
    expect(timerOf(heard.actions, 'detect')).toBe(300);
    const final = stepBfd(heard.state, hears({ phase: 'up', isFinal: true, requiredMinRxUs: 1000 }), () => 1);
    expect([timerOf(final.actions, 'transmit'), timerOf(final.actions, 'detect')]).toEqual([400, 150]);
  });

  test('are spread from 75 to 100 per cent, to 90 where one is all', () => {
    const last = (multiplier: number, random: number) => {
      const { state } = walk({ ...CONFIG, multiplier }, START);
      return timerOf(stepBfd(state, { type: 'timer', timer: 'transmit' }, () => random).actions, 'transmit');
    };
    expect([last(3, 0), last(3, 1), last(1, 0), last(1, 1)]).toEqual([750, 1000, 750, 900]);
  });

  test('a poll is answered at once, in any state but admin-down', () => {
    for (const phase of PHASES) {
      const { actions } = walk(CONFIG, ...REACH[phase], hears({ phase: 'up', isPoll: true }));
      const finals = sent(actions).filter(({ isFinal }) => isFinal);
      expect(finals).toHaveLength(phase === 'admin-down' ? 0 : 1);
      expect(finals.every(({ isPoll }) => !isPoll)).toBe(true);
    }
  });

  test.each<[string, readonly BfdEvent[], BfdConfig]>([
    ['that wants nothing', [hears({ phase: 'up', requiredMinRxUs: 0, isFinal: true })], CONFIG],
    ['in demand mode', [hears({ phase: 'up', isDemand: true, isFinal: true })], CONFIG],
  ])('a peer %s is sent nothing', (_name, events, config) => {
    const { state } = walk(config, ...REACH.up, ...events);
    expect(sent(stepBfd(state, { type: 'timer', timer: 'transmit' }, () => 1).actions)).toEqual([]);
  });

  test('a passive session speaks when it is spoken to', () => {
    const config = { ...CONFIG, isPassive: true };
    expect(sent(walk(config, START).actions)).toEqual([]);
    expect(sent(walk(config, START, hears()).actions)).toHaveLength(1);
  });

  test.each([
    [{ ...CONFIG, discriminator: 0 }, 'a discriminator of 0'],
    [{ ...CONFIG, multiplier: 0 }, 'detect multiplier 0'],
    [{ ...CONFIG, multiplier: 256 }, 'detect multiplier 256'],
  ])('%j is refused', (config, reason) => {
    expect(() => newBfd(config)).toThrow(reason);
  });
});

describe('two sessions', () => {
  /** Both sides, the time, and a wire that may be cut; losses come from `lost`. */
  class Wire {
    now = 0;
    isCut = false;
    readonly states: [BfdState, BfdState];
    readonly #timers = [new Map<BfdTimer, number>(), new Map<BfdTimer, number>()] as const;
    readonly #random: () => number;
    #packets: { at: number; to: 0 | 1; bytes: Uint8Array }[] = [];
    readonly changes: { at: number; side: 0 | 1; phase: BfdPhase }[] = [];

    constructor(configs: readonly [BfdConfig, BfdConfig], random: () => number) {
      this.states = [newBfd(configs[0]), newBfd(configs[1])];
      this.#random = random;
      this.step(0, START);
      this.step(1, START);
    }

    step(side: 0 | 1, event: BfdEvent): void {
      const { state, actions } = stepBfd(this.states[side], event, this.#random);
      this.states[side] = state;
      for (const action of actions) {
        if (action.type === 'set-timer') this.#timers[side].set(action.timer, this.now + action.ms);
        else if (action.type === 'clear-timer') this.#timers[side].delete(action.timer);
        else if (action.type === 'phase') this.changes.push({ at: this.now, side, phase: action.phase });
        else if (!this.isCut) {
          const to = side === 0 ? 1 : 0;
          this.#packets.push({ at: this.now + 1 + this.#random() * 5, to, bytes: encodeBfd(action.packet) });
        }
      }
    }

    runUntil(end: number): void {
      for (;;) {
        const due: [number, () => void][] = this.#packets.map((each) => [
          each.at,
          () => {
            this.#packets = this.#packets.filter((other) => other !== each);
            if (!this.isCut) this.step(each.to, { type: 'packet', packet: decodeBfd(each.bytes) });
          },
        ]);
        for (const side of [0, 1] as const)
          for (const [timer, at] of this.#timers[side])
            due.push([
              at,
              () => {
                this.#timers[side].delete(timer);
                this.step(side, { type: 'timer', timer });
              },
            ]);
        const next = due.toSorted(([a], [b]) => a - b)[0];
        if (next === undefined || next[0] > end) break;
        this.now = next[0];
        next[1]();
      }
      this.now = end;
    }
  }

  const interval = fc.integer({ min: 20, max: 400 });
  const configOf = (discriminator: number) =>
    fc.record({
      discriminator: fc.constant(discriminator),
      minTxMs: interval,
      minRxMs: interval,
      multiplier: fc.integer({ min: 2, max: 5 }),
      isPassive: fc.constant(false),
    });
  const random = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 5, maxLength: 30 });

  test('come up, stay up, and notice a cut within the detection time, whatever the intervals', () => {
    fc.assert(
      fc.property(configOf(1), configOf(2), random, (left, right, numbers) => {
        let used = 0;
        const wire = new Wire([left, right], () => numbers[used++ % numbers.length] as number);
        wire.runUntil(20_000);
        expect(wire.states.map(({ phase }) => phase)).toEqual(['up', 'up']);
        const rises = wire.changes.length;
        wire.runUntil(60_000);
        expect(wire.changes).toHaveLength(rises);
        wire.isCut = true;
        wire.runUntil(70_000);
        const falls = wire.changes.slice(rises);
        for (const side of [0, 1] as const) {
          const [own, other] = side === 0 ? [left, right] : [right, left];
          const detection = other.multiplier * Math.max(own.minRxMs, other.minTxMs);
          const fall = falls.find((change) => change.side === side);
          expect(fall?.phase).toBe('down');
          expect((fall?.at ?? 0) - 60_000).toBeLessThanOrEqual(detection + 1);
        }
        wire.isCut = false;
        wire.runUntil(90_000);
        expect(wire.states.map(({ phase }) => phase)).toEqual(['up', 'up']);
      }),
      runs(60, 2000),
    );
  });
});
