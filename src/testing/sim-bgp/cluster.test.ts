import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { IS_SOAK } from '../soak.ts';
import { SimCluster } from './index.ts';

const MESH = { fullMeshLimit: 20, clientsPerReflector: 20 };
const upTo = (count: number): readonly number[] => Array.from({ length: count }, (_, at) => at);

function cluster(count: number, mesh = MESH): SimCluster {
  return new SimCluster({ mesh }).add(...upTo(count)).run(60);
}

describe('a cluster of speakers', () => {
  test('knows all its prefixes in a full mesh', () => {
    const small = cluster(12);
    expect(small.faults()).toEqual([]);
    expect(new Set(small.sessionCounts())).toEqual(new Set([11]));
  });

  test('knows all its prefixes by reflectors, with two sessions for most', () => {
    const large = cluster(40);
    expect(large.faults()).toEqual([]);
    expect(large.reflectors).toHaveLength(4);
    expect(large.sessionCounts().filter((count) => count === 2)).toHaveLength(36);
    const full = cluster(40, { ...MESH, fullMeshLimit: 40 });
    expect(large.wire.messages).toBeLessThan(full.wire.messages);
    const line = (name: string, it: SimCluster) =>
      `${name}: ${Math.max(...it.sessionCounts())} sessions at most, ${it.wire.messages} messages, ${it.wire.bytes} bytes`;
    process.stdout.write(`40 speakers, ${line('reflectors', large)}; ${line('full mesh', full)}\n`);
  });

  test('grows from one to the other, and shrinks again, without a gap', () => {
    const it = cluster(20);
    expect(it.reflectors).toEqual([]);
    it.watch(upTo(20)).add(20, 21, 22).run(60);
    expect(it.reflectors).not.toEqual([]);
    expect([it.faults(), [...it.gaps]]).toEqual([[], []]);
    expect(it.sessionCounts().filter((count) => count === 2).length).toBeGreaterThan(15);
    it.remove(20, 21, 22).run(60);
    expect([it.faults(), [...it.gaps], it.reflectors]).toEqual([[], [], []]);
    expect(new Set(it.sessionCounts())).toEqual(new Set([19]));
  });

  test('loses a reflector, and no route of anybody else', () => {
    const it = cluster(40);
    const lost = it.reflectors.slice(0, 1).map((name) => Number(name.slice(1)));
    it.watch(upTo(40).filter((number) => !lost.includes(number)));
    it.crash(...lost).run(400);
    expect([it.faults(), [...it.gaps]]).toEqual([[], []]);
    expect(it.reflectors).toHaveLength(4);
    it.restart(...lost).run(60);
    expect([it.faults(), [...it.gaps]]).toEqual([[], []]);
  });
});

/** Things that happen to a cluster, drawn by lot; gives the numbers that are there afterwards. */
function churn(it: SimCluster, count: number, steps: number): void {
  const there = new Set(upTo(count));
  const crashed = new Set<number>();
  let next = count;
  const draw = (numbers: Iterable<number>): number => {
    const list = [...numbers];
    return list[Math.floor(it.random() * list.length)] ?? 0;
  };
  const happenings: readonly (() => void)[] = [
    () => {
      there.add(next);
      it.add(next++);
    },
    () => {
      const number = draw(there);
      there.delete(number);
      it.remove(number);
    },
    () => {
      // One that reflects, every other time.
      const reflectors = it.reflectors
        .map((name) => Number(name.slice(1)))
        .filter((number) => there.has(number));
      const number = it.random() < 0.5 && reflectors.length > 0 ? draw(reflectors) : draw(there);
      there.delete(number);
      crashed.add(number);
      it.crash(number);
    },
    () => {
      const number = draw(crashed);
      if (!crashed.delete(number)) return;
      there.add(number);
      it.restart(number);
    },
    () => {
      const half = Math.floor(it.random() * 3);
      it.partition((number) => (number % 3 === half ? 1 : 0)).run(Math.floor(it.random() * 200));
      it.heal();
    },
    () => it.run(100),
  ];
  for (let step = 0; step < steps; step++) {
    happenings[Math.floor(it.random() * happenings.length)]?.();
    it.run(Math.floor(it.random() * 30));
  }
  it.restart(...crashed).run(600);
}

describe('after churn, partitions and the loss of reflectors', () => {
  const seeds = IS_SOAK ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [1];
  test.each(seeds)('tables are those of a fresh start (seed %d)', (seed) => {
    const it = new SimCluster({ mesh: MESH, seed }).add(...upTo(30)).run(30);
    churn(it, 30, IS_SOAK ? 60 : 15);
    expect(it.faults()).toEqual([]);
    const numbers = [...it.nodes.keys()].map((name) => Number(name.slice(1)));
    const fresh = new SimCluster({ mesh: MESH }).add(...numbers).run(60);
    expect(new Map(it.tables())).toEqual(new Map(fresh.tables()));
  });

  test.each(IS_SOAK ? [60, 1000] : [60])('%d speakers, too', (count) => {
    const mesh = count > 200 ? { fullMeshLimit: 100, clientsPerReflector: 200 } : MESH;
    const { numbers, digests } = churned(count, mesh);
    const fresh = new SimCluster({ mesh, families: [4] }).add(...numbers).run(60);
    expect(digests).toEqual(digestsOf(fresh));
  });
});

/** What is left of a cluster after churn; the cluster itself is gone, since two of a thousand nodes are too large for one process. */
function churned(count: number, mesh: typeof MESH) {
  const it = new SimCluster({ mesh, families: [4] }).add(...upTo(count)).run(60);
  expect(it.faults()).toEqual([]);
  const counts = it.sessionCounts().toSorted((a, b) => a - b);
  const { messages } = it.wire;
  const inFullMesh = (messagesOfSession() * count * (count - 1)) / 2;
  process.stdout.write(
    `${count} speakers: ${counts[0]} to ${counts.at(-1)} sessions each, half have ${counts[count / 2]} (full mesh: ${count - 1}); ${messages} messages in the first minute, ${(messages / count).toFixed(0)} a speaker (full mesh: ${inFullMesh.toFixed(0)}, ${(inFullMesh / count).toFixed(0)} a speaker)\n`,
  );
  expect(messages).toBeLessThan(inFullMesh);
  churn(it, count, IS_SOAK ? 20 : 5);
  expect(it.faults()).toEqual([]);
  const numbers = [...it.nodes.keys()].map((name) => Number(name.slice(1)));
  return { numbers, digests: digestsOf(it) };
}

/** Of one session of a full mesh in its first minute: the same for each, however many nodes there are. */
function messagesOfSession(): number {
  const it = new SimCluster({ mesh: MESH, families: [4] }).add(...upTo(20)).run(60);
  expect(it.reflectors).toEqual([]);
  return it.wire.messages / ((20 * 19) / 2);
}

function digestsOf(it: SimCluster): ReadonlyMap<string, string> {
  const digests = new Map<string, string>();
  for (const [name, lines] of it.tables())
    digests.set(name, createHash('sha256').update(lines.join('\n')).digest('hex'));
  return digests;
}
