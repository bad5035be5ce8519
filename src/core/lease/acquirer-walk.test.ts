/** Walks of many nodes, clocks and failures over one store: no walk may make two nodes sure of one subnet. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { runs } from '#testing/soak.ts';
import { type Delivery, LeaseWorld } from './lease-world.fixture.ts';
import type { NetConf } from './net-conf.ts';

const backend = { type: 'alloc' } as const;
const ipv4 = { network: '10.0.0.0/28', subnetLen: 30, subnetMin: '10.0.0.0', subnetMax: '10.0.0.12' };
const ipv6 = { network: 'fd00::/124', subnetLen: 126, subnetMin: 'fd00::', subnetMax: 'fd00::c' };
const CAPACITY = 4;
const DUAL: NetConf = { ipv4, ipv6, enableNFTables: false, backend };
const V4: NetConf = { ipv4, enableNFTables: false, backend };
const V6: NetConf = { ipv6, enableNFTables: false, backend };
const HOUR = 3_600_000;
const HALF_SKEW = 149_000;

type Command = fc.Command<object, LeaseWorld>;

function command(text: string, run: (world: LeaseWorld) => void): Command {
  return {
    check: () => true,
    toString: () => text,
    run: (_, world) => {
      run(world);
      expect(world.doubleOwners()).toEqual([]);
    },
  };
}

const node = fc.nat({ max: 4 });
const commands: fc.Arbitrary<Command>[] = [
  node.map((i) => command(`start ${i}`, (world) => world.start(world.node(i)))),
  node.map((i) => command(`crash ${i}`, (world) => world.crash(world.node(i)))),
  node.map((i) =>
    command(`leave ${i}`, (world) => world.feed(world.node(i), { type: 'stop', release: true })),
  ),
  node.map((i) =>
    command(`pause ${i}`, (world) => {
      world.node(i).paused = true;
    }),
  ),
  node.map((i) => command(`resume ${i}`, (world) => world.resume(world.node(i)))),
  fc
    .constantFrom(
      1000,
      30_000,
      61_000,
      305_000,
      HOUR,
      12 * HOUR,
      23 * HOUR,
      24 * HOUR,
      24 * HOUR - 200_000,
      24 * HOUR + 301_000,
      50 * HOUR,
    )
    .map((ms) => command(`advance ${ms / 1000} s`, (world) => world.advance(ms))),
  fc.boolean().map((down) =>
    command(`store ${down ? 'down' : 'up'}`, (world) => {
      world.isDown = down;
    }),
  ),
  fc
    .tuple(
      node,
      fc.constantFrom<Delivery>('told', 'told', 'told', 'told', 'lost-answer', 'lost-call', 'late'),
    )
    .map(([i, how]) => command(`deliver ${i} ${how}`, (world) => world.deliver(world.node(i), how))),
  fc.nat({ max: 9 }).map((k) => command(`late call ${k} lands`, (world) => world.landLate(k))),
  fc.constant(command('drain', (world) => world.drain())),
  fc.tuple(node, fc.nat({ max: 9 })).map(([i, k]) =>
    command(`node ${i} is told of object ${k}`, (world) => {
      const objects = [...world.store.objects.values()];
      const object = objects[k % Math.max(1, objects.length)];
      if (object !== undefined) world.feed(world.node(i), { type: 'changed', object });
    }),
  ),
  node.map((i) =>
    command(`node ${i} is told of a removal`, (world) =>
      world.feed(world.node(i), { type: 'removed', name: 'subnet-10.0.0.4-30' }),
    ),
  ),
];

function walk(world: LeaseWorld, list: Iterable<Command>): void {
  fc.modelRun(() => ({ model: {}, real: world }), list);
}

const walks = fc.commands(
  [...commands, ...commands.slice(7, 8), ...commands.slice(7, 8), ...commands.slice(9, 10)],
  {
    maxCommands: 60,
    size: 'max',
  },
);

describe('any walk of nodes over one store', () => {
  const cases: readonly [string, NetConf][] = [
    ['IPv4', V4],
    ['IPv6', V6],
    ['dual stack', DUAL],
  ];
  test.each(cases)('never has two owners of one subnet and ends with every node served: %s', (_, netConf) => {
    fc.assert(
      fc.property(walks, fc.nat(), (list, seed) => {
        const world = new LeaseWorld(5, netConf, seed, HALF_SKEW);
        walk(world, list);
        world.settle(26 * HOUR);
        expect(world.doubleOwners()).toEqual([]);
        const running = world.running();
        if (running.length > CAPACITY) return;
        for (const running_ of running) expect(world.isConfirmed(running_), running_.name).toBe(true);
        // Whatever late calls and crashes left over is gone after the leases' lifetime.
        while (world.late.length > 0) world.landLate(0);
        for (let hours = 0; hours < 50; hours++) {
          world.advance(HOUR);
          world.drain();
        }
        for (const one of running) {
          const mine = [...world.store.objects.values()].filter(
            (object) => (object as { spec?: { holderIdentity?: string } }).spec?.holderIdentity === one.name,
          );
          expect(mine.length, one.name).toBe(Object.keys(one.state?.families ?? {}).length);
        }
      }),
      runs(60, 10_000),
    );
  });

  test('stays safe where nodes disagree about the length of subnets', () => {
    const wide = { ...ipv4, subnetLen: 29, subnetMin: '10.0.0.0', subnetMax: '10.0.0.8' };
    fc.assert(
      fc.property(walks, fc.nat(), (list, seed) => {
        const world = new LeaseWorld(5, (index) => (index % 2 ? V4 : { ...V4, ipv4: wide }), seed, HALF_SKEW);
        walk(world, list);
      }),
      runs(60, 10_000),
    );
  });
});
