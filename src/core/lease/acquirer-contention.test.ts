import { describe, expect, test } from 'vitest';
import type { LeaseState } from './acquirer-types.ts';
import {
  DUAL,
  HOUR,
  ipv4,
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
import { leaseInUse } from './lease-state.ts';
import { LeaseWorld, type WorldNode } from './lease-world.fixture.ts';

describe('a node that was away', () => {
  test('loses a subnet that was given away, and acquires another', () => {
    const world = new LeaseWorld(4, V4);
    const [a, b, c, d] = world.nodes as [WorldNode, WorldNode, WorldNode, WorldNode];
    startAll(world, a, b, c);
    a.paused = true;
    for (let hour = 0; hour < 25; hour++) {
      world.advance(HOUR);
      world.drain();
    }
    startAll(world, d);
    expect(world.confirmed(d)).toEqual(['10.0.0.4/30']);
    world.feed(b, { type: 'stop', release: true });
    world.drain();
    world.resume(a);
    world.drain();
    expect(types(a).slice(-6)).toEqual(['expired', 'lost', 'create', 'list', 'held', 'wake']);
    expect(owners(world)).toEqual({
      'subnet-10.0.0.4-30': 'node-3',
      'subnet-10.0.0.8-30': 'node-0',
      'subnet-10.0.0.12-30': 'node-2',
    });
  });

  test('keeps a subnet that nobody took', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    startAll(world, node);
    node.paused = true;
    world.advance(50 * HOUR);
    world.resume(node);
    world.drain();
    expect(types(node)).not.toContain('lost');
    expect(world.confirmed(node)).toEqual(['10.0.0.4/30']);
  });

  test('writes its lease again when an operator deleted it and the subnet is still free', () => {
    const world = new LeaseWorld(1, WIDE);
    const node = world.node(0);
    startAll(world, node);
    world.store.objects.clear();
    node.log.length = 0;
    world.feed(node, { type: 'removed', name: 'subnet-10.1.1.0-24' });
    world.drain();
    expect(types(node)).toEqual(
      ['list', 'create', 'list', 'renewed', 'wake'].filter((type) => type !== 'renewed'),
    );
    expect(world.confirmed(node)).toEqual(['10.1.1.0/24']);
  });
});

describe('expired leases of others', () => {
  const expired = (subnet: string) => leaseToObject(record({ subnet, node: `was-${subnet}` }));

  test('are left alone while a subnet is free', () => {
    const world = new LeaseWorld(1, V4);
    put(world, expired('10.0.0.4/30'));
    world.store.nowMs = 100 * HOUR;
    startAll(world, world.node(0));
    expect(world.confirmed(world.node(0))).toEqual(['10.0.0.8/30']);
    expect(types(world.node(0))).not.toContain('delete');
  });

  test('are reclaimed by their version where none is free', () => {
    const world = new LeaseWorld(1, V4);
    for (const subnet of ['10.0.0.4/30', '10.0.0.8/30', '10.0.0.12/30']) put(world, expired(subnet));
    world.store.nowMs = 100 * HOUR;
    startAll(world, world.node(0));
    const deletes = ofType(world.node(0), 'delete').map(({ name, resourceVersion }) => ({
      name,
      resourceVersion,
    }));
    expect(deletes).toEqual([{ name: 'subnet-10.0.0.4-30', resourceVersion: '1' }]);
    expect(world.confirmed(world.node(0))).toEqual(['10.0.0.4/30']);
  });

  test("are reclaimed where exactly that subnet was this node's", () => {
    const world = new LeaseWorld(1, V4);
    put(world, expired('10.0.0.8/30'));
    world.store.nowMs = 100 * HOUR;
    world.start(world.node(0), { previous: { ipv4: '10.0.0.8/30' } });
    world.drain();
    expect(world.confirmed(world.node(0))).toEqual(['10.0.0.8/30']);
  });

  const skews: readonly [string, number, boolean][] = [
    ['not before the skew of clocks has passed', 24 * HOUR + 299_999, false],
    ['when it has passed', 24 * HOUR + 300_000, true],
  ];
  test.each(skews)('are reclaimed %s', (_, nowMs, isReclaimed) => {
    const world = new LeaseWorld(1, V4);
    for (const subnet of ['10.0.0.4/30', '10.0.0.8/30', '10.0.0.12/30']) put(world, expired(subnet));
    world.store.nowMs = nowMs;
    startAll(world, world.node(0));
    expect(world.isConfirmed(world.node(0))).toBe(isReclaimed);
  });

  test('are not reclaimed when their owner renews in between', () => {
    const world = new LeaseWorld(1, { ...V4, ipv4: { ...ipv4, subnetMax: '10.0.0.4' } });
    put(world, expired('10.0.0.4/30'));
    world.store.nowMs = 100 * HOUR;
    const node = world.node(0);
    world.start(node);
    world.deliver(node);
    const [object] = world.store.objects.values();
    const renewed = leaseToObject(record({ renewedAtMs: 100 * HOUR }), object);
    world.store.apply({ type: 'replace', call: 0, object: renewed });
    world.drain();
    expect(owners(world)).toEqual({ 'subnet-10.0.0.4-30': 'other' });
    expect(problems(node)[0]).toMatch(
      /^out-of-subnets: out of subnets: all 1 subnets of \/30 in 10.0.0.0\/28/,
    );
  });
});

describe('a full network', () => {
  const fill = (world: LeaseWorld, family: 4 | 6) => {
    const subnets =
      family === 4
        ? ['10.0.0.4/30', '10.0.0.8/30', '10.0.0.12/30']
        : ['fd00::4/126', 'fd00::8/126', 'fd00::c/126'];
    for (const subnet of subnets) put(world, leaseToObject(record({ family, subnet })));
  };

  test('is told once, tried again each minute, and served as soon as a lease goes', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    fill(world, 4);
    startAll(world, node);
    for (let minutes = 0; minutes < 5; minutes++) {
      world.advance(60 * SECOND);
      world.drain();
    }
    expect(ofType(node, 'list').length).toBe(6);
    expect(problems(node)).toEqual([
      'out-of-subnets: out of subnets: all 3 subnets of /30 in 10.0.0.0/28 from 10.0.0.4 to 10.0.0.12 are taken; free one, or widen the range',
    ]);
    world.store.objects.delete('subnet-10.0.0.8-30');
    world.feed(node, { type: 'removed', name: 'subnet-10.0.0.8-30' });
    world.drain();
    expect(world.confirmed(node)).toEqual(['10.0.0.8/30']);
  });

  test('of one family takes nothing of the other', () => {
    const world = new LeaseWorld(1, DUAL);
    const node = world.node(0);
    fill(world, 6);
    startAll(world, node);
    expect(types(node)).toEqual(['list', 'problem', 'wake']);
    world.store.objects.delete('subnet-fd00--c-126');
    world.advance(60 * SECOND);
    world.drain();
    expect(world.confirmed(node)).toEqual(['10.0.0.4/30', 'fd00::c/126']);
  });

  test('of one family does not cost the other what it holds', () => {
    const world = new LeaseWorld(1, DUAL);
    const node = world.node(0);
    startAll(world, node);
    world.store.objects.delete('subnet-fd00--4-126');
    fill(world, 6);
    node.log.length = 0;
    world.feed(node, { type: 'removed', name: 'subnet-fd00--4-126' });
    world.drain();
    expect(types(node)).toEqual(['list', 'problem', 'lost', 'wake']);
    expect(leaseInUse(node.state as LeaseState)).toBeUndefined();
    expect(owners(world)['subnet-10.0.0.4-30']).toBe('node-0');
    for (let minutes = 0; minutes < 24 * 60; minutes++) {
      world.advance(60 * SECOND);
      world.drain();
    }
    const reading = leaseFromObject(world.store.objects.get('subnet-10.0.0.4-30'));
    expect(reading.ok && reading.record.renewedAtMs).toBe(23 * HOUR);
  });
});
