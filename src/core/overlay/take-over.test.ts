import { describe, expect, test } from 'vitest';
import {
  describeOp,
  type KernelObject,
  type KernelOp,
  type KernelState,
  keyOf,
  type Link,
  OVERLAY,
  type Route,
  stateOf,
} from '#core/kernel/index.ts';
import type { NetConf } from '#core/lease/index.ts';
import type { Underlay } from './backend.ts';
import { hostGwBackend } from './host-gw.ts';
import { planTakeOver, standingVtepMac } from './take-over.ts';
import { vxlanBackend } from './vxlan-backend.ts';

const UNDERLAY: Underlay = {
  link: 'eth0',
  mtuBytes: 1500,
  prefixes: ['192.0.2.0/24', '2001:db8::/64'],
  advertisedLinks: [],
};
const CONFIG: Extract<NetConf['backend'], { type: 'vxlan' }> = {
  type: 'vxlan',
  vni: 1,
  port: 8472,
  learning: false,
  gbp: false,
  directRouting: false,
};
const FAMILIES = [4, 6] as const;
const SIDES = {
  4: { own: '10.244.1.0/24', other: '10.244.2.0/24', publicIp: '192.0.2.2', gone: '10.244.9.0/24' },
  6: {
    own: 'fd00:10:244:1::/64',
    other: 'fd00:10:244:2::/64',
    publicIp: '2001:db8::2',
    gone: 'fd00:10:244:9::/64',
  },
} as const;
const MACS = { 4: '9a:00:00:00:00:01', 6: '9a:00:00:00:00:02' } as const;
const OTHER_MAC = '9a:00:00:00:00:22';
const GONE_MAC = '9a:00:00:00:00:99';
const eth0: Link = { kind: 'link', name: 'eth0', detail: { type: 'other', linkKind: 'physical' }, up: true };
const nameOf = (family: 4 | 6) => (family === 4 ? 'flannel.1' : 'flannel-v6.1');
const vtepOf = (subnet: string) => subnet.slice(0, subnet.indexOf('/'));

function wantedVxlan(): KernelObject[] {
  const backend = vxlanBackend(CONFIG, UNDERLAY, (family) => MACS[family]);
  return [
    ...backend.planLocal(
      FAMILIES.map((family) => ({
        node: 'node-1',
        family,
        subnet: SIDES[family].own,
        publicIp: family === 4 ? '192.0.2.1' : '2001:db8::1',
      })),
    ),
    ...FAMILIES.flatMap((family) => {
      const { other: subnet, publicIp } = SIDES[family];
      const planned = backend.planRemote({
        node: 'node-2',
        family,
        subnet,
        publicIp,
        backendData: { VNI: 1, VtepMAC: OTHER_MAC },
      });
      if (typeof planned === 'string') throw new Error(planned);
      return planned;
    }),
  ];
}

/** One remote subnet as flannel has it. */
function remote(family: 4 | 6, subnet: string, mac: string, dst: string): KernelObject[] {
  const link = nameOf(family);
  const via = vtepOf(subnet);
  const route: Route = {
    kind: 'route',
    dst: subnet,
    nextHops: [{ via, link, onlink: true }],
    protocol: 3,
    metric: family === 4 ? 0 : 1024,
    ...(family === 4 && { scope: 'global' }),
  };
  return [
    route,
    { kind: 'neighbour', link, address: via, mac, protocol: 0 },
    { kind: 'fdb', link, mac, dst },
  ];
}

function flannelVxlan(vni = 1): Map<string, KernelObject> {
  return stateOf([
    eth0,
    ...FAMILIES.flatMap((family): KernelObject[] => {
      const { own, other, publicIp, gone } = SIDES[family];
      const name = nameOf(family);
      return [
        {
          kind: 'link',
          name,
          detail: {
            type: 'vxlan',
            vni,
            port: 8472,
            local: family === 4 ? '192.0.2.1' : '2001:db8::1',
            underlay: 'eth0',
            learning: false,
            gbp: false,
            udpChecksum: true,
          },
          mac: MACS[family],
          mtuBytes: 1450,
          up: true,
        },
        {
          kind: 'address',
          link: name,
          address: `${vtepOf(own)}/${family === 4 ? 32 : 128}`,
          scope: 'global',
        },
        ...remote(family, other, OTHER_MAC, publicIp),
        ...remote(family, gone, GONE_MAC, family === 4 ? '192.0.2.9' : '2001:db8::9'),
      ];
    }),
  ]);
}

function applied(state: KernelState, ops: readonly KernelOp[]): Map<string, KernelObject> {
  const next = new Map(state);
  for (const { verb, object } of ops) {
    if (verb === 'remove') next.delete(keyOf(object));
    else next.set(keyOf(object), object);
  }
  return next;
}

describe('of the VXLAN that flannel left', () => {
  test('what is wanted becomes ours, what nobody wants goes, and the devices are marked last', () => {
    const ops = planTakeOver(flannelVxlan(), wantedVxlan());
    expect(ops.map(({ verb, object }) => `${verb} ${keyOf(object)}`)).toEqual([
      'replace route 10.244.2.0/24 table 254 metric 0',
      'replace neighbour 10.244.2.0 dev flannel.1',
      'replace route fd00:10:244:2::/64 table 254 metric 1024',
      'replace neighbour fd00:10:244:2:: dev flannel-v6.1',
      'remove route 10.244.9.0/24 table 254 metric 0',
      'remove neighbour 10.244.9.0 dev flannel.1',
      `remove fdb ${GONE_MAC} dev flannel.1`,
      'remove route fd00:10:244:9::/64 table 254 metric 1024',
      'remove neighbour fd00:10:244:9:: dev flannel-v6.1',
      `remove fdb ${GONE_MAC} dev flannel-v6.1`,
      'replace link flannel.1',
      'replace link flannel-v6.1',
    ]);
    for (const { verb, object } of ops) {
      if (verb !== 'replace') continue;
      if (object.kind === 'link') expect(object.alias).toBe(OVERLAY.alias);
      else expect(object).toMatchObject({ protocol: OVERLAY.protocol });
    }
  });

  test('broken off after any operation, the rest is planned; in the end nothing is', () => {
    const wanted = wantedVxlan();
    const start = flannelVxlan();
    const ops = planTakeOver(start, wanted);
    for (let done = 0; done <= ops.length; done++) {
      const halfway = applied(start, ops.slice(0, done));
      expect(planTakeOver(halfway, wanted).map(describeOp)).toEqual(ops.slice(done).map(describeOp));
    }
  });

  test('a forwarding entry that leads elsewhere is corrected', () => {
    const state = applied(flannelVxlan(), [
      { verb: 'add', object: { kind: 'fdb', link: 'flannel.1', mac: OTHER_MAC, dst: '192.0.2.77' } },
    ]);
    expect(planTakeOver(state, wantedVxlan())).toContainEqual({
      verb: 'replace',
      object: { kind: 'fdb', link: 'flannel.1', mac: OTHER_MAC, dst: '192.0.2.2' },
      previous: { kind: 'fdb', link: 'flannel.1', mac: OTHER_MAC, dst: '192.0.2.77' },
    });
  });

  test("a node keeps the tunnel end's MAC, in the kernel and in what it offers; of another VNI it does not", () => {
    const state = flannelVxlan();
    const backend = vxlanBackend(CONFIG, UNDERLAY, (family) => standingVtepMac(state, family, 1));
    for (const family of FAMILIES)
      expect(backend.offer('node-1', family)).toEqual({ VNI: 1, VtepMAC: MACS[family] });
    expect(standingVtepMac(flannelVxlan(7), 4, 1)).toBeUndefined();
    expect(standingVtepMac(new Map(), 6, 1)).toBeUndefined();
  });
});

describe('what is not touched', () => {
  const route = (over: Partial<Route>): Route => ({
    kind: 'route',
    dst: '10.99.0.0/24',
    nextHops: [{ via: '10.99.0.0', link: 'flannel.1', onlink: true }],
    protocol: 3,
    ...over,
  });

  test('a device of another VNI or kind, and whatever leads over it', () => {
    expect(planTakeOver(flannelVxlan(7), wantedVxlan())).toEqual([]);
    const bridge: Link = { kind: 'link', name: 'flannel.1', detail: { type: 'bridge' } };
    const state = applied(flannelVxlan(), [{ verb: 'add', object: bridge }]);
    const touched = planTakeOver(state, wantedVxlan()).map(({ object }) => keyOf(object));
    expect(touched.filter((key) => key.includes('flannel.1') || key.includes(' 10.244.'))).toEqual([]);
    expect(touched).toContain('link flannel-v6.1');
  });

  test('a device that somebody gave an alias', () => {
    const state = flannelVxlan();
    for (const name of ['flannel.1', 'flannel-v6.1'])
      state.set(`link ${name}`, { ...(state.get(`link ${name}`) as Link), alias: 'mine' });
    expect(planTakeOver(state, wantedVxlan())).toEqual([]);
  });

  test.each<[string, Route]>([
    ['a route of the kernel', route({ protocol: 2 })],
    ['an administrator’s static route', route({ protocol: 4 })],
    ['a route of a routing daemon', route({ protocol: 186 })],
    ['a route in another table', route({ table: 100 })],
    ['a route by another link', route({ nextHops: [{ via: '192.0.2.200', link: 'eth0' }] })],
    [
      'a route by another link too',
      route({
        nextHops: [
          { via: '10.99.0.0', link: 'flannel.1' },
          { via: '192.0.2.9', link: 'eth0' },
        ],
      }),
    ],
    ['a blackhole', route({ type: 'blackhole', nextHops: [] })],
    ['a kernel route to a wanted subnet', route({ dst: '10.244.2.0/24', protocol: 2 })],
  ])('%s', (_, object) => {
    const state = applied(flannelVxlan(), [{ verb: 'add', object }]);
    const touched = planTakeOver(state, wantedVxlan()).map((op) => keyOf(op.object));
    expect(touched).not.toContain(keyOf(object));
    expect(touched).toContain('link flannel.1');
  });

  test('what others put on a device after it was taken over', () => {
    const wanted = wantedVxlan();
    const state = applied(flannelVxlan(), planTakeOver(flannelVxlan(), wanted));
    expect(planTakeOver(applied(state, [{ verb: 'add', object: route({}) }]), wanted)).toEqual([]);
  });

  test('anything, where no flannel was', () => {
    expect(planTakeOver(stateOf([eth0]), wantedVxlan())).toEqual([]);
  });
});

test.each(FAMILIES)('a route of host-gw becomes ours by replacement, IPv%i', (family) => {
  const { other: subnet, publicIp } = SIDES[family];
  const wanted = hostGwBackend({ type: 'host-gw' }, UNDERLAY).planRemote({
    node: 'node-2',
    family,
    subnet,
    publicIp,
  });
  if (typeof wanted === 'string') throw new Error(wanted);
  const found: Route = {
    kind: 'route',
    dst: subnet,
    nextHops: [{ via: publicIp, link: 'eth0' }],
    protocol: 3,
    metric: family === 4 ? 0 : 1024,
  };
  const stranger: Route = { ...found, dst: SIDES[family].gone };
  const state = stateOf([eth0, found, stranger]);
  const ops = planTakeOver(state, wanted);
  expect(ops).toEqual([{ verb: 'replace', object: wanted[0], previous: found }]);
  expect(planTakeOver(applied(state, ops), wanted)).toEqual([]);
});

test('where the device is made only later, a route of another backend makes room', () => {
  const found: Route = {
    kind: 'route',
    dst: '10.244.2.0/24',
    nextHops: [{ via: '192.0.2.2', link: 'eth0' }],
    protocol: 3,
  };
  expect(planTakeOver(stateOf([eth0, found]), wantedVxlan())).toEqual([{ verb: 'remove', object: found }]);
});
