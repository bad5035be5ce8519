import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { runs } from '#testing/soak.ts';
import { type HeldSession, type MeshNode, type MeshSession, nextSessions, planMesh } from './index.ts';

function nodes(count: number, more: (at: number) => Partial<MeshNode> = () => ({})): readonly MeshNode[] {
  return Array.from({ length: count }, (_, at) => ({
    name: `node-${at}`,
    isAlive: true,
    places: [`zone-${at % 3}`, `rack-${at % 12}`],
    ...more(at),
  }));
}

const LARGE = { fullMeshLimit: 10, clientsPerReflector: 20 };

describe('a small cluster', () => {
  test('is a full mesh, up to a size', () => {
    const plan = planMesh(nodes(100));
    expect(plan.reflectors).toEqual([]);
    expect(plan.sessionsOf('node-7')).toHaveLength(99);
    expect(plan.sessionsOf('node-7').every(({ role }) => role === 'mesh')).toBe(true);
    expect(planMesh(nodes(101)).reflectors).toHaveLength(3);
    expect(plan.sessionsOf('stranger')).toEqual([]);
  });
});

describe('a large cluster', () => {
  const anyNodes = fc
    .uniqueArray(
      fc.record({
        name: fc.integer({ min: 0, max: 300 }).map((number) => `n${number}`),
        isAlive: fc.boolean(),
        places: fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('r1', 'r2')),
        isNeverReflector: fc.boolean(),
      }),
      { minLength: 11, maxLength: 120, selector: ({ name }) => name },
    )
    .filter((list) => list.filter(({ isNeverReflector }) => !isNeverReflector).length >= 2);

  it('gives each session to both ends, and each node two reflectors, whatever the order of the nodes', () => {
    fc.assert(
      fc.property(anyNodes, fc.nat(), (list, seed) => {
        const plan = planMesh(list, LARGE);
        const other = planMesh(
          [...list.slice(seed % list.length), ...list.slice(0, seed % list.length)],
          LARGE,
        );
        const counterpart = { mesh: 'mesh', client: 'reflector', reflector: 'client' } as const;
        for (const { name } of list) {
          const sessions = plan.sessionsOf(name);
          expect(other.sessionsOf(name)).toEqual(sessions);
          for (const { peer, role } of sessions)
            expect(plan.sessionsOf(peer)).toContainEqual({ peer: name, role: counterpart[role] });
          if (!plan.reflectors.includes(name))
            expect(sessions.map(({ role }) => role)).toEqual(['reflector', 'reflector']);
        }
        for (const name of plan.reflectors)
          expect(list.find((node) => node.name === name)?.isNeverReflector).toBe(false);
      }),
      runs(200, 5000),
    );
  });

  test('spreads reflectors over zones and racks, and clients over reflectors', () => {
    const list = nodes(1000);
    const plan = planMesh(list);
    const places = plan.reflectors.map((name) => list.find((node) => node.name === name)?.places ?? []);
    const zones = Map.groupBy(places, ([zone]) => zone);
    expect([...zones.values()].map(({ length }) => length).toSorted()).toEqual([3, 3, 4]);
    expect(new Set(places.map(([, rack]) => rack)).size).toBe(10);
    const clients = plan.reflectors.map(
      (name) => plan.sessionsOf(name).filter(({ role }) => role === 'client').length,
    );
    expect(Math.min(...clients)).toBeGreaterThan(120);
    expect(Math.max(...clients)).toBeLessThan(300);
  });

  test('gives each node one reflector of its own zone and one of another', () => {
    const list = nodes(200);
    const zoneOf = new Map(list.map(({ name, places }) => [name, places[0]]));
    const plan = planMesh(list);
    for (const { name } of list) {
      if (plan.reflectors.includes(name)) continue;
      const zones = plan.sessionsOf(name).map(({ peer }) => zoneOf.get(peer));
      expect(zones).toContain(zoneOf.get(name));
      expect(new Set(zones).size).toBe(2);
    }
  });

  test('replaces a reflector that is lost, and moves its clients only', () => {
    const list = nodes(200);
    const plan = planMesh(list, LARGE);
    const lost = plan.reflectors[0];
    const after = planMesh(
      list.map((node) => (node.name === lost ? { ...node, isAlive: false } : node)),
      LARGE,
    );
    const gone = plan.reflectors.filter((name) => !after.reflectors.includes(name));
    const come = after.reflectors.filter((name) => !plan.reflectors.includes(name));
    expect([gone, come.length]).toEqual([[lost], 1]);
    const moved = list.filter(({ name }) => {
      const peers = (it: typeof plan) =>
        it
          .sessionsOf(name)
          .map(({ peer }) => peer)
          .join(' ');
      return (
        !after.reflectors.includes(name) && !plan.reflectors.includes(name) && peers(plan) !== peers(after)
      );
    });
    const leaning = plan.sessionsOf(lost ?? '').filter(({ role }) => role === 'client').length;
    // Its clients, and those that the new one is nearer to.
    expect(moved.length).toBeLessThan(leaning * 2.5);
  });

  test('has reflectors even if nobody seems to be alive', () => {
    const plan = planMesh(
      nodes(50, () => ({ isAlive: false })),
      LARGE,
    );
    expect(plan.reflectors).toHaveLength(5);
  });
});

describe('on the way from one plan to another', () => {
  const up = (peer: string, role: MeshSession['role'], more: Partial<HeldSession> = {}): HeldSession => ({
    peer,
    role,
    isEstablished: true,
    isComplete: true,
    isRedundant: true,
    ...more,
  });
  const want = (peer: string, role: MeshSession['role']): MeshSession => ({ peer, role });
  const BOTH = [want('r1', 'reflector'), want('r2', 'reflector')];

  test.each<[string, readonly MeshSession[], readonly HeldSession[], readonly string[]]>([
    ['what is wanted is begun', BOTH, [], ['r1 reflector', 'r2 reflector']],
    [
      'the old one is kept while the new one is not up',
      BOTH,
      [up('r1', 'reflector'), up('r0', 'reflector')],
      ['r0 reflector', 'r1 reflector', 'r2 reflector'],
    ],
    [
      'and until the new one has told all',
      BOTH,
      [up('r1', 'reflector'), up('r2', 'reflector', { isComplete: false }), up('r0', 'reflector')],
      ['r0 reflector', 'r1 reflector', 'r2 reflector'],
    ],
    [
      'and while something is known by it alone',
      BOTH,
      [up('r1', 'reflector'), up('r2', 'reflector'), up('m', 'mesh', { isRedundant: false })],
      ['m mesh', 'r1 reflector', 'r2 reflector'],
    ],
    [
      'then it goes',
      BOTH,
      [up('r1', 'reflector'), up('r2', 'reflector'), up('r0', 'reflector')],
      ['r1 reflector', 'r2 reflector'],
    ],
    [
      'one that is down goes at once',
      BOTH,
      [up('r0', 'reflector', { isEstablished: false })],
      ['r1 reflector', 'r2 reflector'],
    ],
    [
      'who leans on us is not dropped, nor other reflectors meanwhile',
      BOTH,
      [up('r1', 'mesh'), up('r2', 'mesh'), up('r3', 'mesh'), up('c', 'client')],
      ['c client', 'r1 reflector', 'r2 reflector', 'r3 mesh'],
    ],
    [
      'they go when the last client has left',
      BOTH,
      [up('r1', 'mesh'), up('r2', 'mesh'), up('r3', 'mesh')],
      ['r1 reflector', 'r2 reflector'],
    ],
  ])('%s', (_name, wanted, held, expected) => {
    expect(nextSessions(wanted, held).map(({ peer, role }) => `${peer} ${role}`)).toEqual(expected);
  });
});
