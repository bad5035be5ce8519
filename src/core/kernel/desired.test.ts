import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DesiredState } from './desired.ts';
import { keyOf } from './key.ts';
import type { KernelObject } from './state.ts';

const sysctl = (path: string, value: string): KernelObject => ({ kind: 'sysctl', path, value });
const KEYS = ['a', 'b', 'c'];
const PARTS = ['one', 'two', 'three'];

const objects = fc.uniqueArray(
  fc
    .tuple(fc.constantFrom(...KEYS), fc.constantFrom('0', '1', '2'))
    .map(([path, value]) => sysctl(path, value)),
  { selector: keyOf },
);
const changes = fc.array(fc.tuple(fc.constantFrom(...PARTS), objects), { maxLength: 20 });

function contentOf(state: DesiredState): unknown {
  return {
    objects: [...state.state.values()].map((object) => JSON.stringify(object)).sort(),
    parts: [...state.partNames()].sort().map((part) => [part, [...state.keysOf(part)].sort()]),
    contended: [...state.contendedKeys()].sort(),
  };
}

describe('DesiredState', () => {
  it('is what its parts say, whatever was said before and in whatever order', () => {
    fc.assert(
      fc.property(changes, fc.infiniteStream(fc.nat()), (walk, order) => {
        const walked = new DesiredState();
        for (const [part, list] of walk) walked.set(part, list);
        const last = [...new Map(walk)];
        const shuffled = last.map((each) => [order.next().value, each] as const).sort(([a], [b]) => a - b);
        const fresh = new DesiredState();
        for (const [, [part, list]] of shuffled) fresh.set(part, list);
        expect(contentOf(walked)).toEqual(contentOf(fresh));
      }),
      { numRuns: 1000 },
    );
  });

  it('is the same whether a part is replaced or amended', () => {
    const amended = new Set<string>();
    fc.assert(
      fc.property(changes, fc.infiniteStream(fc.boolean()), (walk, choice) => {
        const replaced = new DesiredState();
        const mixed = new DesiredState();
        for (const each of [replaced, mixed]) each.settle();
        for (const [part, list] of walk) {
          replaced.set(part, list);
          if (choice.next().value) {
            const wanted = new Set(list.map(keyOf));
            const removed = [...mixed.keysOf(part)].filter((key) => !wanted.has(key));
            mixed.amend(part, { put: list, removed: [...removed, 'sysctl never'] });
            amended.add(part);
          } else mixed.set(part, list);
          expect(contentOf(mixed)).toEqual(contentOf(replaced));
          expect(mixed.isDirty).toBe(replaced.isDirty);
          expect(mixed.takeDirty()).toEqual(replaced.takeDirty());
        }
      }),
      { numRuns: 500 },
    );
    expect(amended.size).toBe(PARTS.length);
  });

  it('puts what an amendment both removes and puts', () => {
    const state = new DesiredState();
    state.set('one', [sysctl('a', '0')]);
    state.settle();
    state.amend('one', { put: [sysctl('a', '0')], removed: ['sysctl a'] });
    expect([...state.state.values()]).toEqual([sysctl('a', '0')]);
  });

  it('gives a contended key to the part that is first in the alphabet', () => {
    fc.assert(
      fc.property(changes, (walk) => {
        const state = new DesiredState();
        for (const [part, list] of walk) state.set(part, list);
        const parts = [...new Map(walk)].sort(([a], [b]) => (a < b ? -1 : 1));
        for (const key of KEYS) {
          const wish = parts.flatMap(([, list]) => list).find((object) => keyOf(object) === `sysctl ${key}`);
          expect(state.state.get(`sysctl ${key}`)).toEqual(wish);
        }
      }),
    );
  });

  it('gives a WireGuard peer to the wish with the lowest rank, then to the first part, in whatever order they come and go', () => {
    const peer = (rank: number, port: number): KernelObject => ({
      kind: 'wireguard-peer',
      link: 'wg0',
      publicKey: 'public',
      endpoint: { address: '192.0.2.2', port },
      rank,
    });
    const wishes: Readonly<Record<string, KernelObject>> = {
      a: peer(4, 1),
      b: peer(0, 2),
      c: peer(0, 3),
      d: peer(1, 4),
    };
    const winner = (parts: readonly string[]) =>
      parts.includes('b') ? 2 : parts.includes('c') ? 3 : parts.includes('d') ? 4 : 1;
    const walk = fc.array(fc.tuple(fc.constantFrom(...Object.keys(wishes)), fc.boolean()), { minLength: 1 });
    fc.assert(
      fc.property(walk, (steps) => {
        const state = new DesiredState();
        for (const [part, wanted] of steps) {
          state.set(part, wanted ? [wishes[part] as KernelObject] : []);
          const parts = [...state.partNames()];
          const found = state.state.get('wireguard peer public dev wg0');
          expect(found?.kind === 'wireguard-peer' ? found.endpoint?.port : undefined).toBe(
            parts.length === 0 ? undefined : winner(parts),
          );
        }
      }),
    );
  });

  it('names as dirty every key whose object differs from when they were last taken', () => {
    fc.assert(
      fc.property(changes, changes, (first, second) => {
        const state = new DesiredState();
        for (const [part, list] of first) state.set(part, list);
        state.takeDirty();
        const before = new Map(state.state);
        for (const [part, list] of second) state.set(part, list);
        const dirty = state.takeDirty();
        for (const key of new Set([...before.keys(), ...state.state.keys()])) {
          if (JSON.stringify(before.get(key)) !== JSON.stringify(state.state.get(key)))
            expect([...dirty]).toContain(key);
        }
        expect(state.takeDirty().size).toBe(0);
      }),
    );
  });

  it('has nothing dirty where a part is set to what it is', () => {
    const state = new DesiredState();
    state.set('one', [sysctl('a', '1'), sysctl('b', '1')]);
    state.takeDirty();
    state.set('one', [sysctl('b', '1'), sysctl('a', '1')]);
    expect(state.takeDirty().size).toBe(0);
  });

  it('takes the last of two objects with one key in a part, and leaves the other part its own', () => {
    const state = new DesiredState();
    state.set('two', [sysctl('a', '2')]);
    state.set('one', [sysctl('a', '0'), sysctl('a', '1')]);
    expect([state.keysOf('one'), [...state.state.values()]]).toEqual([['sysctl a'], [sysctl('a', '1')]]);
    state.set('one', [sysctl('b', '1')]);
    expect([...state.state.values()]).toEqual([sysctl('a', '2'), sysctl('b', '1')]);
  });

  it('has everything dirty until somebody has looked at all, and then what changes', () => {
    const state = new DesiredState();
    state.set('one', [sysctl('a', '1'), sysctl('b', '1')]);
    expect([...state.takeDirty()]).toEqual(['sysctl a', 'sysctl b']);
    state.set('two', [sysctl('c', '1')]);
    state.settle();
    expect([...state.takeDirty()]).toEqual([]);
    state.set('one', [sysctl('a', '2'), sysctl('b', '1')]);
    expect([...state.takeDirty()]).toEqual(['sysctl a']);
  });

  it('forgets a part that is set to nothing', () => {
    const state = new DesiredState();
    state.set('one', [sysctl('a', '1')]);
    state.settle();
    state.set('one', []);
    expect([state.has('one'), [...state.partNames()], [...state.state]]).toEqual([false, [], []]);
    expect([...state.takeDirty()]).toEqual(['sysctl a']);
  });

  it('falls back to the other wish when the winner leaves', () => {
    const state = new DesiredState();
    state.set('b', [sysctl('x', 'of b')]);
    state.set('a', [sysctl('x', 'of a')]);
    state.takeDirty();
    expect([...state.contendedKeys()]).toEqual(['sysctl x']);
    state.set('a', []);
    expect(state.state.get('sysctl x')).toEqual(sysctl('x', 'of b'));
    expect([...state.takeDirty()]).toEqual(['sysctl x']);
    expect([...state.contendedKeys()]).toEqual([]);
  });
});
