import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isDecodeError } from '#core/codec/index.ts';
import { runs } from '#testing/soak.ts';
import {
  type DiscoveryAction,
  type DiscoveryEvent,
  type DiscoveryState,
  NEW_DISCOVERY,
  stepDiscovery,
} from './discovery.ts';
import { decodeDiscovery, encodeDiscovery } from './message.ts';

describe('a message', () => {
  test.each(['solicitation', 'advertisement'] as const)(
    'is the same, written and read again: %s',
    (message) => expect(decodeDiscovery(encodeDiscovery(message))).toBe(message),
  );

  test('of ours makes nobody a default router, and says nothing of hop limits and times', () => {
    expect([...encodeDiscovery('advertisement')]).toEqual([134, ...Array.from({ length: 15 }, () => 0)]);
  });

  test('with options behind it is read, whatever they are', () => {
    const option = [1, 1, 2, 2, 2, 2, 2, 2];
    const long = [25, 3, ...Array.from({ length: 22 }, () => 7)];
    const bytes = Uint8Array.from([...encodeDiscovery('advertisement'), ...option, ...long]);
    expect(decodeDiscovery(bytes)).toBe('advertisement');
  });

  test.each<[string, (bytes: Uint8Array) => Uint8Array, string]>([
    ['another type', (bytes) => bytes.with(0, 135), 'type 135'],
    ['a code', (bytes) => bytes.with(1, 1), 'code 1'],
    ['an end too early', (bytes) => bytes.subarray(0, 15), 'bytes'],
    ['an option of no length', (bytes) => Uint8Array.from([...bytes, 1, 0, 0, 0, 0, 0, 0, 0]), 'option of 0'],
    [
      'an option past the end',
      (bytes) => Uint8Array.from([...bytes, 1, 2, 0, 0, 0, 0, 0, 0]),
      'option of 16',
    ],
    ['half an option', (bytes) => Uint8Array.from([...bytes, 1]), 'option of 0'],
  ])('with %s is discarded', (_name, change, reason) => {
    expect(() => decodeDiscovery(change(encodeDiscovery('advertisement')))).toThrow(reason);
  });

  test('of any bytes throws nothing but DecodeError', () => {
    const bytes = fc.tuple(fc.constantFrom(133, 134), fc.uint8Array({ maxLength: 60 }));
    fc.assert(
      fc.property(bytes, ([type, rest]) => {
        try {
          decodeDiscovery(Uint8Array.from([type, ...rest]));
        } catch (error) {
          if (!isDecodeError(error)) throw error;
        }
      }),
      runs(1000, 100_000),
    );
  });
});

const UP: DiscoveryEvent = { type: 'up' };
const DOWN: DiscoveryEvent = { type: 'down' };
const heard = (from: string): DiscoveryEvent => ({ type: 'heard', message: 'advertisement', from });
const asked: DiscoveryEvent = { type: 'heard', message: 'solicitation', from: 'fe80::9' };
const due = (timer: 'solicit' | 'advertise'): DiscoveryEvent => ({ type: 'timer', timer });

function walk(...events: readonly DiscoveryEvent[]) {
  let state: DiscoveryState = NEW_DISCOVERY;
  let actions: readonly DiscoveryAction[] = [];
  for (const event of events) ({ state, actions } = stepDiscovery(state, event, () => 1));
  return { state, actions: actions.map((action) => textOf(action)) };
}

function textOf(action: DiscoveryAction): string {
  switch (action.type) {
    case 'send':
      return action.message;
    case 'set-timer':
      return `${action.timer} in ${action.ms}`;
    case 'router':
      return `router ${action.address}`;
    case 'crowd':
      return `crowd ${action.addresses.join(' ')}`;
    case 'clear-timers':
      return 'clear';
  }
}

describe('a link', () => {
  test('that comes up is told of us, and asked who is there', () => {
    expect(walk(UP).actions).toEqual([
      'clear',
      'advertisement',
      'solicitation',
      'solicit in 4000',
      'advertise in 3000',
    ]);
  });

  test('is asked three times at most, and not after somebody was heard', () => {
    expect(walk(UP, due('solicit')).actions).toEqual(['solicitation', 'solicit in 4000']);
    expect(walk(UP, due('solicit'), due('solicit')).actions).toEqual(['solicitation', 'solicit in 4000']);
    expect(walk(UP, due('solicit'), due('solicit'), due('solicit')).actions).toEqual([]);
    expect(walk(UP, heard('fe80::1'), due('solicit')).actions).toEqual([]);
  });

  test('is told of us three times soon, and every ten seconds at most from then on', () => {
    const tick = due('advertise');
    expect(walk(UP, tick).actions).toEqual(['advertisement', 'advertise in 3000']);
    expect(walk(UP, tick, tick).actions).toEqual(['advertisement', 'advertise in 3000']);
    expect(walk(UP, tick, tick, tick).actions).toEqual(['advertise in 7000']);
    expect(walk(UP, tick, tick, tick, tick).actions).toEqual(['advertisement', 'advertise in 3000']);
  });

  test('whose other end asks is answered, but not twice within three seconds', () => {
    const tick = due('advertise');
    const quiet = [UP, tick, tick, tick];
    expect(walk(...quiet, asked).actions).toEqual(['advertise in 500']);
    expect(walk(...quiet, asked, asked).actions).toEqual([]);
    expect(walk(...quiet, asked, tick).actions).toEqual(['advertisement', 'advertise in 3000']);
    expect(walk(...quiet, asked, tick, asked).actions).toEqual([]);
    expect(walk(...quiet, asked, tick, asked, tick).actions).toEqual(['advertisement', 'advertise in 3000']);
  });

  test('has the router that was heard last, told once', () => {
    expect(walk(UP, heard('fe80::1')).actions).toEqual(['router fe80::1']);
    expect(walk(UP, heard('fe80::1'), heard('fe80::1')).actions).toEqual([]);
    expect(walk(UP, heard('fe80::1'), heard('fe80::2')).actions).toEqual(['router fe80::2']);
  });

  test('with two routers that take turns is told of', () => {
    expect(walk(UP, heard('fe80::2'), heard('fe80::1'), heard('fe80::2')).actions).toEqual([
      'router fe80::2',
      'crowd fe80::1 fe80::2',
    ]);
  });

  test('whose other end speaks from ever new addresses is remembered for the last of them', () => {
    const crowd = Array.from({ length: 1000 }, (_, at) => heard(`fe80::${(at + 1).toString(16)}`));
    const { state, actions } = walk(UP, ...crowd);
    expect(actions).toEqual(['router fe80::3e8']);
    expect(state.former).toHaveLength(8);
    expect(state.former.at(-1)).toBe('fe80::3e7');
  });

  test('that is down knows nobody, hears nothing and says nothing', () => {
    expect(walk(UP, heard('fe80::1'), DOWN)).toEqual({ state: NEW_DISCOVERY, actions: ['clear'] });
    for (const event of [heard('fe80::1'), asked, due('solicit'), due('advertise')])
      expect(walk(UP, DOWN, event), JSON.stringify(event)).toEqual({ state: NEW_DISCOVERY, actions: [] });
    expect(walk(UP, heard('fe80::1'), DOWN, UP, heard('fe80::1')).actions).toEqual(['router fe80::1']);
  });
});
