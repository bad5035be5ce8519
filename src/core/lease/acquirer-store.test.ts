import { describe, expect, test } from 'vitest';
import type { LeaseState } from './acquirer-types.ts';
import {
  DUAL,
  HOUR,
  ipv4,
  OWN,
  ofType,
  owners,
  problems,
  put,
  record,
  SECOND,
  startAll,
  types,
  V4,
  WIDE,
} from './lease-cases.fixture.ts';
import { leaseFromObject, leaseToObject } from './lease-object.ts';
import { leaseEndMs, leaseInUse } from './lease-state.ts';
import { LeaseWorld } from './lease-world.fixture.ts';
import type { LeaseRecord } from './model.ts';

describe('a store that is away', () => {
  test('costs no state: the lease is kept, told once as expired, and renewed on return', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    startAll(world, node);
    node.log.length = 0;
    world.isDown = true;
    world.advance(23 * HOUR);
    world.drain();
    const waits: number[] = [];
    while (world.store.nowMs < 25 * HOUR) {
      waits.push((node.wakeAtMs as number) - world.store.nowMs);
      world.advance((node.wakeAtMs as number) - world.store.nowMs);
      world.drain();
    }
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(SECOND);
    expect(Math.max(...waits)).toBeLessThanOrEqual(60 * SECOND);
    expect(Math.max(...waits.slice(10))).toBeGreaterThan(30 * SECOND);
    expect(ofType(node, 'expired').map((action) => action.subnet)).toEqual(['10.0.0.4/30']);
    expect(problems(node)).toEqual(['store: lease store: list: no answer']);
    expect(types(node)).not.toContain('lost');
    expect(world.isConfirmed(node)).toBe(false);
    expect(leaseInUse(node.state as LeaseState)?.ipv4?.subnet).toBe('10.0.0.4/30');
    world.isDown = false;
    world.advance(61 * SECOND);
    world.drain();
    expect(types(node).slice(-4)).toEqual(['list', 'replace', 'renewed', 'wake']);
    expect(world.isConfirmed(node)).toBe(true);
  });

  test('is waited for with growing pauses where it refuses every write', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    world.store.apply = (call) =>
      call.type === 'list' ? { ok: true, items: [] } : { ok: false, failure: 'not-found' };
    world.start(node);
    const waits: number[] = [];
    for (let tries = 0; tries < 8; tries++) {
      world.drain();
      waits.push((node.wakeAtMs as number) - world.store.nowMs);
      world.advance(waits.at(-1) as number);
    }
    expect(waits[7]).toBeGreaterThanOrEqual(30 * SECOND);
    expect(ofType(node, 'list').length).toBe(9);
  });

  test('steps back after ten lost races', () => {
    const world = new LeaseWorld(1, WIDE);
    const node = world.node(0);
    world.store.apply = (call) =>
      call.type === 'list' ? { ok: true, items: [] } : { ok: false, failure: 'already-exists' };
    world.start(node);
    world.drain();
    expect(ofType(node, 'create').length).toBe(10);
    expect(types(node).at(-1)).toBe('wake');
    expect(new Set(ofType(node, 'create').map((action) => action.object.metadata.name)).size).toBe(10);
  });
});

describe('leases that should not be', () => {
  test('that cannot be read are told once and left alone', () => {
    const world = new LeaseWorld(1, V4);
    const broken = leaseToObject(record({}));
    put(world, { ...broken, spec: { holderIdentity: 'x', leaseDurationSeconds: 1, renewTime: 'now' } });
    const node = world.node(0);
    startAll(world, node);
    world.advance(23 * HOUR);
    world.drain();
    expect(problems(node)).toEqual([
      'malformed-lease: lease subnet-10.0.0.4-30 is left alone: spec.renewTime is "now", not an RFC 3339 time',
    ]);
    expect(world.confirmed(node)).toEqual(['10.0.0.8/30']);
  });

  test('that do not fit the network are told, and respected where they overlap it', () => {
    const world = new LeaseWorld(1, V4);
    put(world, leaseToObject(record({ subnet: '10.0.0.0/29' })));
    put(world, leaseToObject(record({ subnet: '172.16.0.0/24' })));
    startAll(world, world.node(0));
    expect(problems(world.node(0))).toEqual([
      'unfit-lease: lease subnet-10.0.0.0-29 of node other: 10.0.0.0/29 is a /29, the network gives out /30',
      'unfit-lease: lease subnet-172.16.0.0-24 of node other: 172.16.0.0/24 is a /24, the network gives out /30',
    ]);
    expect(world.confirmed(world.node(0))).toEqual(['10.0.0.8/30']);
  });

  test('that overlap each other are named with both nodes', () => {
    const world = new LeaseWorld(1, V4);
    put(world, leaseToObject(record({ subnet: '10.0.0.8/29', node: 'a' })));
    put(world, leaseToObject(record({ subnet: '10.0.0.12/30', node: 'b' })));
    startAll(world, world.node(0));
    expect(ofType(world.node(0), 'problem').filter((action) => action.code === 'duplicate-subnet')).toEqual([
      {
        type: 'problem',
        code: 'duplicate-subnet',
        message: '10.0.0.8/29 of node a and 10.0.0.12/30 of node b overlap',
        names: ['subnet-10.0.0.8-29', 'subnet-10.0.0.12-30'],
      },
    ]);
  });

  const born: readonly [string, number, string[]][] = [
    ['that came later, and stays', 2000, ['10.0.0.4/30']],
    ['that was there before, and gives way', 0, ['10.0.0.8/30']],
  ];
  test.each(born)("overlap this node's lease: it sees one %s", (_, otherMs, confirmed) => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    world.store.nowMs = 1000;
    startAll(world, node);
    world.store.nowMs = otherMs;
    const intruder = leaseToObject(record({ subnet: '10.0.0.0/29' }));
    put(world, intruder);
    world.store.nowMs = 3000;
    world.feed(node, { type: 'changed', object: intruder });
    world.drain();
    expect(world.confirmed(node)).toEqual(confirmed);
    expect(problems(node)).toContain(
      'duplicate-subnet: 10.0.0.0/29 of node other and 10.0.0.4/30 of node node-0 overlap',
    );
    expect(types(node).includes('lost')).toBe(confirmed[0] !== '10.0.0.4/30');
  });

  test('of this node no longer fit a changed configuration: they are given up for another', () => {
    const world = new LeaseWorld(1, V4);
    const old = record({ subnet: '10.9.0.0/24', node: 'node-0', ownerUid: 'uid-of-node-0' });
    put(world, leaseToObject(old));
    startAll(world, world.node(0));
    expect(owners(world)).toEqual({ 'subnet-10.0.0.4-30': 'node-0' });
  });

  test('of this node beside the one in use are given back as soon as they are seen', () => {
    const world = new LeaseWorld(1, V4);
    startAll(world, world.node(0));
    const second = leaseToObject(record({ ...OWN, subnet: '10.0.0.8/30' }));
    put(world, second);
    world.feed(world.node(0), { type: 'changed', object: second });
    world.drain();
    expect(owners(world)).toEqual({ 'subnet-10.0.0.4-30': 'node-0' });
  });

  test('overlap a lease this node let run out: the live one has it, whoever was first', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    startAll(world, node);
    node.paused = true;
    world.advance(50 * HOUR);
    put(world, leaseToObject(record({ subnet: '10.0.0.0/29', renewedAtMs: 50 * HOUR })));
    world.resume(node);
    world.drain();
    expect(ofType(node, 'lost').map((action) => action.message)).toEqual([
      'subnet 10.0.0.4/30 is given up: 10.0.0.0/29 of node other overlaps it',
    ]);
    expect(world.confirmed(node)).toEqual(['10.0.0.8/30']);
  });

  test('overlap a subnet just created: the newcomer yields even if clocks make it look older', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    world.start(node, { previous: { ipv4: '10.0.0.4/30' } });
    world.deliver(node);
    put(world, leaseToObject(record({ subnet: '10.0.0.0/29', acquiredAtMs: 100, renewedAtMs: 100 })));
    world.deliver(node, 'lost-answer');
    world.advance(2 * SECOND);
    world.drain();
    expect(world.confirmed(node)).toEqual(['10.0.0.8/30']);
  });

  test('and that the list does not show block a subnet only for a while', () => {
    const world = new LeaseWorld(1, { ...V4, ipv4: { ...ipv4, subnetMax: '10.0.0.4' } });
    const node = world.node(0);
    const hidden = leaseToObject(record({}));
    put(world, hidden);
    const apply = world.store.apply.bind(world.store);
    world.store.apply = (call) => (call.type === 'list' ? { ok: true, items: [] } : apply(call));
    startAll(world, node);
    expect(problems(node)[0]).toMatch(/^out-of-subnets/);
    world.store.objects.clear();
    world.store.apply = apply;
    world.advance(60 * SECOND);
    world.drain();
    expect(world.confirmed(node)).toEqual(['10.0.0.4/30']);
  });

  test('do not vanish under a node because of a delete that lands late', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    put(world, leaseToObject(record({ ...OWN, subnet: '10.0.0.4/30' })));
    put(world, leaseToObject(record({ ...OWN, subnet: '10.0.0.8/30' })));
    world.start(node);
    world.deliver(node);
    world.deliver(node, 'late');
    world.store.objects.delete('subnet-10.0.0.4-30');
    put(world, leaseToObject(record({ subnet: '10.0.0.4/30' })));
    world.advance(2 * SECOND);
    world.drain();
    expect(world.confirmed(node)).toEqual(['10.0.0.8/30']);
    world.landLate(0);
    expect(owners(world)['subnet-10.0.0.8-30']).toBe('node-0');
  });
});

describe('a reservation', () => {
  const reserve = (world: LeaseWorld, extra: Partial<LeaseRecord>) =>
    put(world, leaseToObject(record({ subnet: '10.0.0.12/30', reserved: true, ...extra })));

  test('made for a node by name is claimed by it and survives its restarts', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    reserve(world, { node: 'node-0', ownerUid: '' });
    startAll(world, node);
    expect(ofType(node, 'held')[0]?.lease).toMatchObject({
      ipv4: { subnet: '10.0.0.12/30' },
      reserved: true,
    });
    for (let restarts = 0; restarts < 3; restarts++) {
      world.crash(node);
      world.advance(100 * HOUR);
      startAll(world, node);
    }
    const reading = leaseFromObject(world.store.objects.get('subnet-10.0.0.12-30'));
    expect(reading.ok && reading.record).toMatchObject({ reserved: true, ownerUid: 'uid-of-node-0' });
    expect(leaseEndMs(node.state as LeaseState)).toBe(Number.POSITIVE_INFINITY);
  });

  test('of another node is never reclaimed', () => {
    const world = new LeaseWorld(1, { ...V4, ipv4: { ...ipv4, subnetMin: '10.0.0.12' } });
    reserve(world, {});
    world.store.nowMs = 9000 * HOUR;
    startAll(world, world.node(0));
    expect(types(world.node(0))).toEqual(['list', 'problem', 'wake']);
  });

  test('of a machine of this name that is gone is taken over, of one that lives it is not', () => {
    for (const [renewedAtMs, subnet] of [
      [0, '10.0.0.12/30'],
      [99 * HOUR, '10.0.0.4/30'],
    ] as const) {
      const world = new LeaseWorld(1, V4);
      reserve(world, { node: 'node-0', ownerUid: 'uid-of-twin', renewedAtMs });
      world.store.nowMs = 100 * HOUR;
      startAll(world, world.node(0));
      expect(world.confirmed(world.node(0))).toEqual([subnet]);
    }
  });

  test('of this node is not deleted when another lease is in use or it no longer fits', () => {
    const world = new LeaseWorld(1, V4);
    startAll(world, world.node(0));
    reserve(world, OWN);
    reserve(world, { ...OWN, subnet: '10.9.0.0/24' });
    world.advance(23 * HOUR);
    world.drain();
    expect(world.confirmed(world.node(0))).toEqual(['10.0.0.4/30']);
    expect(Object.keys(owners(world))).toHaveLength(3);
  });

  test('is not deleted by a release', () => {
    const world = new LeaseWorld(1, V4);
    reserve(world, { node: 'node-0', ownerUid: 'uid-of-node-0' });
    startAll(world, world.node(0));
    world.feed(world.node(0), { type: 'stop', release: true });
    world.drain();
    expect(types(world.node(0)).at(-1)).toBe('stopped');
    expect(owners(world)).toEqual({ 'subnet-10.0.0.12-30': 'node-0' });
  });
});

describe('stopping', () => {
  test('leaves the lease for the next start', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    startAll(world, node);
    world.feed(node, { type: 'stop', release: false });
    expect(types(node).at(-1)).toBe('stopped');
    expect(owners(world)).toEqual({ 'subnet-10.0.0.4-30': 'node-0' });
  });

  test('with release gives both families back', () => {
    const world = new LeaseWorld(1, DUAL);
    const node = world.node(0);
    startAll(world, node);
    world.feed(node, { type: 'stop', release: true });
    world.drain();
    expect(types(node).slice(-4)).toEqual(['list', 'delete', 'delete', 'stopped']);
    expect(world.store.objects.size).toBe(0);
  });

  test('with release in the middle of a create gives back what was created', () => {
    const world = new LeaseWorld(1, DUAL);
    const node = world.node(0);
    world.start(node);
    world.deliver(node);
    world.feed(node, { type: 'stop', release: true });
    world.drain();
    expect(world.store.objects.size).toBe(0);
    expect(types(node).at(-1)).toBe('stopped');
  });

  test('ends even if the store is away', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    startAll(world, node);
    world.isDown = true;
    world.feed(node, { type: 'stop', release: true });
    world.drain();
    expect(types(node).at(-1)).toBe('stopped');
  });
});
