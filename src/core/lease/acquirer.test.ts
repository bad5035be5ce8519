import { describe, expect, test } from 'vitest';
import { type KubeObject, StoreError } from '#core/store/index.ts';
import { stepLease } from './acquirer.ts';
import type { LeaseState } from './acquirer-types.ts';
import {
  DUAL,
  HOUR,
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
import { callFailure, initialLeaseState, leaseEndMs, leaseInUse } from './lease-state.ts';
import { type Happening, LeaseWorld } from './lease-world.fixture.ts';

describe('a node that starts', () => {
  test('lists, creates the lowest subnet, lists to confirm, and sleeps until an hour before the end', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    world.store.nowMs = 5000;
    startAll(world, node);
    expect(types(node)).toEqual(['list', 'create', 'list', 'held', 'wake']);
    expect(ofType(node, 'held')[0]?.lease).toEqual({
      node: 'node-0',
      ownerUid: 'uid-of-node-0',
      ipv4: { subnet: '10.0.0.4/30', publicIp: '192.0.2.1' },
      backendType: 'vxlan',
      renewedAtMs: 5000,
      durationSec: 86_400,
      reserved: false,
    });
    expect(node.wakeAtMs).toBe(5000 + 23 * HOUR);
    expect(leaseEndMs(node.state as LeaseState)).toBe(5000 + 24 * HOUR);
    expect(leaseInUse(node.state as LeaseState)).toEqual(ofType(node, 'held')[0]?.lease);
  });

  test('sleeps as long as duration and margin say', () => {
    const world = new LeaseWorld(1, V4);
    world.start(world.node(0), { durationSec: 600, renewMarginSec: 60 });
    world.drain();
    expect(world.node(0).wakeAtMs).toBe(540 * SECOND);
  });

  test('holds both families before it says so', () => {
    const world = new LeaseWorld(1, DUAL);
    const node = world.node(0);
    world.start(node);
    for (let calls = 0; calls < 3; calls++) {
      world.deliver(node);
      expect(types(node)).not.toContain('held');
    }
    world.drain();
    const lease = ofType(node, 'held')[0]?.lease;
    expect([lease?.ipv4?.subnet, lease?.ipv6?.subnet]).toEqual(['10.0.0.4/30', 'fd00::4/126']);
  });

  test('comes back to its subnet after a restart without writing anything', () => {
    const world = new LeaseWorld(3, V4);
    startAll(world, ...world.nodes);
    const node = world.node(1);
    world.crash(node);
    node.log.length = 0;
    node.previous = {};
    startAll(world, node);
    expect(types(node)).toEqual(['list', 'held', 'wake']);
    expect(ofType(node, 'held')[0]?.lease.ipv4?.subnet).toBe('10.0.0.8/30');
  });

  test('asks for its previous subnet when the lease is gone but the subnet is free', () => {
    const world = new LeaseWorld(1, WIDE);
    world.start(world.node(0), { previous: { ipv4: '10.1.9.0/24' } });
    world.drain();
    expect(owners(world)).toEqual({ 'subnet-10.1.9.0-24': 'node-0' });
  });

  test('takes one of the first hundred at random after a lost race', () => {
    const world = new LeaseWorld(2, WIDE);
    const [a, b] = [world.node(0), world.node(1)];
    world.start(a);
    world.start(b);
    world.drain();
    const [subnet] = world.confirmed(b);
    expect(world.confirmed(a)).toEqual(['10.1.1.0/24']);
    expect(Number(subnet?.split('.')[2])).toBeGreaterThan(1);
    expect(Number(subnet?.split('.')[2])).toBeLessThanOrEqual(101);
  });

  test('lets fifty nodes that start at once all get a subnet', () => {
    const world = new LeaseWorld(50, WIDE);
    for (const node of world.nodes) world.start(node);
    world.settle(HOUR);
    expect(new Set(world.nodes.flatMap((node) => world.confirmed(node))).size).toBe(50);
  });

  test('adopts its own lease when the answer to the create was lost', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    world.start(node);
    world.deliver(node);
    world.deliver(node, 'lost-answer');
    world.advance(2 * SECOND);
    world.drain();
    expect(types(node)).toEqual(['list', 'create', 'problem', 'wake', 'list', 'held', 'wake']);
    expect(owners(world)).toEqual({ 'subnet-10.0.0.4-30': 'node-0' });
  });

  test('gives back a second subnet that a late call brought', () => {
    const world = new LeaseWorld(2, V4);
    const [a, b] = [world.node(0), world.node(1)];
    world.start(a);
    world.deliver(a);
    world.deliver(a, 'late');
    startAll(world, b);
    world.store.objects.clear();
    world.landLate(0);
    put(world, leaseToObject(record({ subnet: '10.0.0.8/30', node: 'node-0', ownerUid: 'uid-of-node-0' })));
    world.advance(2 * SECOND);
    world.drain();
    expect(owners(world)).toEqual({ 'subnet-10.0.0.4-30': 'node-0' });
  });

  test('refuses a margin that is no part of the duration', () => {
    const config = { node: 'a', ownerUid: 'u', netConf: V4, offer: { backendType: 'vxlan' } };
    expect(() => initialLeaseState({ ...config, renewMarginSec: 86_400 })).toThrow(
      'renew margin 86400 s must be',
    );
    expect(() => initialLeaseState({ ...config, renewMarginSec: 0 })).toThrow(RangeError);
  });
});

describe('renewal', () => {
  test('replaces the lease with a new renewal and the old acquisition', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    world.store.nowMs = SECOND;
    startAll(world, node);
    node.log.length = 0;
    world.advance(23 * HOUR);
    world.drain();
    expect(types(node)).toEqual(['list', 'replace', 'renewed', 'wake']);
    const reading = leaseFromObject([...world.store.objects.values()][0]);
    expect(reading.ok && reading.record).toMatchObject({
      acquiredAtMs: SECOND,
      renewedAtMs: 23 * HOUR + SECOND,
    });
    expect(node.wakeAtMs).toBe(46 * HOUR + SECOND);
  });

  test('keeps what others wrote into the object', () => {
    const world = new LeaseWorld(1, V4);
    startAll(world, world.node(0));
    const [object] = world.store.objects.values();
    const metadata = { ...object?.metadata, annotations: { ...object?.metadata.annotations, note: 'mine' } };
    world.store.apply({
      type: 'replace',
      call: 0,
      object: { ...(object as KubeObject), metadata } as KubeObject,
    });
    world.advance(23 * HOUR);
    world.drain();
    expect([...world.store.objects.values()][0]?.metadata.annotations?.['note']).toBe('mine');
    expect(world.isConfirmed(world.node(0))).toBe(true);
  });

  test('never overwrites another owner of the same subnet', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    startAll(world, node);
    world.store.objects.clear();
    put(world, leaseToObject(record({ renewedAtMs: 23 * HOUR })));
    node.log.length = 0;
    world.advance(23 * HOUR);
    world.drain();
    expect(types(node)).toEqual(['list', 'lost', 'create', 'list', 'held', 'wake']);
    expect(ofType(node, 'lost')).toEqual([
      {
        type: 'lost',
        family: 'ipv4',
        subnet: '10.0.0.4/30',
        message:
          'subnet 10.0.0.4/30 was given to node other (lease subnet-10.0.0.4-30) while this node was away',
      },
    ]);
    expect(owners(world)).toEqual({ 'subnet-10.0.0.4-30': 'other', 'subnet-10.0.0.8-30': 'node-0' });
  });

  test('takes a machine of the same name and another UID for another owner, and says so', () => {
    const world = new LeaseWorld(1, V4);
    put(world, leaseToObject(record({ node: 'node-0', ownerUid: 'uid-of-twin' })));
    startAll(world, world.node(0));
    expect(world.confirmed(world.node(0))).toEqual(['10.0.0.8/30']);
    expect(problems(world.node(0))).toEqual([
      'other-owner: 10.0.0.4/30 is leased to another machine named node-0 (owner uid-of-twin, this one is uid-of-node-0): ' +
        'give the machines different names, or delete lease subnet-10.0.0.4-30 if that machine is gone',
    ]);
  });

  test('is done at once when the offer changes', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    startAll(world, node);
    node.log.length = 0;
    const backendData = { VNI: 1, VtepMAC: '0a:00:00:00:00:01' };
    world.feed(node, {
      type: 'offer',
      offer: { backendType: 'vxlan', ipv4: { publicIp: '192.0.2.9', backendData } },
    });
    world.drain();
    expect(types(node)).toEqual(['list', 'replace', 'renewed', 'wake']);
    expect(ofType(node, 'renewed')[0]?.lease.ipv4).toEqual({
      subnet: '10.0.0.4/30',
      publicIp: '192.0.2.9',
      backendData,
    });
  });

  test('puts right a renewal time that lies in the future', () => {
    const world = new LeaseWorld(1, V4);
    put(world, leaseToObject(record({ ...OWN, renewedAtMs: 9000 * HOUR })));
    startAll(world, world.node(0));
    expect(types(world.node(0))).toContain('replace');
    expect(world.node(0).wakeAtMs).toBe(23 * HOUR);
  });
});

describe('the machine', () => {
  const stamp = { nowMs: 100 * HOUR, random: 0.5 };
  const lease = leaseToObject(record({}));
  const mine = leaseToObject(
    record({ subnet: '10.0.0.8/30', node: 'n', ownerUid: 'u', renewedAtMs: stamp.nowMs }),
  );
  const mine6 = leaseToObject(
    record({ family: 6, subnet: 'fd00::8/126', node: 'n', ownerUid: 'u', renewedAtMs: stamp.nowMs }),
  );
  const failures = ['already-exists', 'conflict', 'not-found', 'unavailable', 'refused'] as const;
  const happenings = (state: LeaseState): Happening[] => [
    { type: 'start' },
    { type: 'wake' },
    ...[...state.calls.map((call) => call.id), 999].flatMap((call): Happening[] => [
      { type: 'listed', call, items: [lease] },
      { type: 'listed', call, items: [lease, mine, mine6] },
      { type: 'stored', call, object: mine },
      { type: 'deleted', call },
      ...failures.map((failure): Happening => ({ type: 'failed', call, failure, message: 'm' })),
    ]),
    { type: 'changed', object: lease },
    { type: 'changed', object: {} as KubeObject },
    { type: 'removed', name: 'subnet-10.0.0.4-30' },
    { type: 'offer', offer: { backendType: 'alloc' } },
    { type: 'stop', release: false },
    { type: 'stop', release: true },
  ];

  test('takes every event in every phase, changes no state in place, and always has something to wait for', () => {
    let states = [
      initialLeaseState({ node: 'n', ownerUid: 'u', netConf: DUAL, offer: { backendType: 'vxlan' } }),
    ];
    const phases = new Set<string>();
    for (let depth = 0; depth < 5; depth++) {
      const next = new Map<string, LeaseState>();
      for (const state of states) {
        phases.add(state.phase);
        for (const happening of happenings(state)) {
          const before = JSON.stringify(state);
          const step = stepLease(state, { ...happening, ...stamp });
          expect(JSON.stringify(state)).toBe(before);
          const { phase, calls } = step.state;
          expect(calls.length > 0).toBe(phase === 'listing' || phase === 'writing' || phase === 'releasing');
          next.set(JSON.stringify(step.state), step.state);
        }
      }
      states = [...next.values()].slice(0, 300);
    }
    expect([...phases].sort()).toEqual(['listing', 'new', 'releasing', 'stopped', 'waiting', 'writing']);
  });

  test('goes back to sleep when woken early', () => {
    const world = new LeaseWorld(1, V4);
    const node = world.node(0);
    startAll(world, node);
    node.log.length = 0;
    world.feed(node, { type: 'wake' });
    expect(node.log).toEqual([{ type: 'wake', atMs: 23 * HOUR }]);
  });

  const errors: readonly [string, unknown, string][] = [
    ['an existing object', new StoreError(409, 'AlreadyExists', 'x'), 'already-exists'],
    ['a stale version', new StoreError(409, 'Conflict', 'x'), 'conflict'],
    ['a missing object', new StoreError(404, 'NotFound', 'x'), 'not-found'],
    ['a lack of rights', new StoreError(403, 'Forbidden', 'x'), 'refused'],
    ['an invalid object', new StoreError(422, 'Invalid', 'x'), 'refused'],
    ['too many requests', new StoreError(429, 'TooManyRequests', 'x'), 'unavailable'],
    ['an error of the server', new StoreError(500, 'InternalError', 'x'), 'unavailable'],
    ['a connection that broke', new Error('ECONNRESET'), 'unavailable'],
  ];
  test.each(errors)('takes %s for what it is', (_, error, failure) => {
    expect(callFailure(error)).toBe(failure);
  });
});
