import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { DecodeError } from '#core/codec/index.ts';
import {
  type FdbEntry,
  type KernelObject,
  keyOf,
  type Link,
  type Route,
  USUAL_OWNERS,
} from '#core/kernel/index.ts';
import { arbitraryOf } from '#testing/codec-arbitrary.ts';
import { thrownBy } from '#testing/thrown.ts';
import { decodeMessage, dumpRequests, encodeMessage, encodeOp, NLM_F, RouteMirror } from '../index.ts';
import { type AddressMessage, addressMessage, RTM_ADDRESS } from './address.ts';
import { applyAll } from './apply-all.ts';
import { BRIDGE_FLAGS, BRIDGE_VLAN_INFO, bridgeMessage } from './bridge-message.ts';
import { linkOf, referencesOf } from './decode.ts';
import { type LinkMessage, linkMessage, RTM_LINK, seenLinkMessage } from './link.ts';
import { RTM_NEIGHBOUR } from './neighbour.ts';
import { type RouteMessage, RTM_ROUTE, routeMessage } from './route.ts';

const UP = 1;
const indexes: Readonly<Record<string, number>> = {
  lo: 1,
  eth0: 2,
  cni0: 3,
  vx0: 4,
  veth1: 5,
  new0: 2,
  gone: 99,
};
const links = { indexOf: (name: string) => indexes[name], netnsFd: () => 0 };

let mirror: RouteMirror;

function link(
  name: string,
  over: Partial<LinkMessage['attributes']> & { flags?: number; index?: number } = {},
): Uint8Array {
  const { flags = UP, index = indexes[name] ?? 0, ...attributes } = over;
  return encodeMessage(linkMessage, {
    type: RTM_LINK.NEW,
    flags: 0,
    payload: {
      family: 0,
      deviceType: 1,
      index,
      flags,
      change: 0,
      attributes: { name, mtu: 1500, ...attributes },
    },
  });
}

const VXLAN = { kind: { kind: 'vxlan', data: { id: 1, port: 8472, learning: 0 } } } as const;
const deleted = (message: Uint8Array, type: number) => {
  const copy = message.slice();
  copy[4] = type;
  return copy;
};
const gone = (name: string) => deleted(link(name), RTM_LINK.DEL);

function address(name: string, text: string, over: Partial<AddressMessage> = {}): Uint8Array {
  const [local = '', length] = text.split('/');
  return encodeMessage(addressMessage, {
    type: RTM_ADDRESS.NEW,
    flags: 0,
    payload: {
      family: text.includes(':') ? 10 : 2,
      prefixLength: Number(length),
      flags: 0,
      scope: 'global',
      index: indexes[name] ?? 0,
      attributes: { address: local, local },
      ...over,
    },
  });
}

/** What the kernel would tell of an object of ours: the message that makes it, without the flags of a request. */
function told(object: KernelObject, flags = 0): Uint8Array {
  const bytes = encodeOp({ verb: 'add', object }, links)[0] as Uint8Array;
  bytes[6] = flags & 0xff;
  bytes[7] = flags >> 8;
  return bytes;
}

const V4: Route = {
  kind: 'route',
  dst: '10.1.0.0/24',
  nextHops: [{ via: '10.0.0.1', link: 'eth0' }],
  metric: 0,
  protocol: 112,
  scope: 'global',
};
const V6: Route = {
  kind: 'route',
  dst: 'fd01::/64',
  nextHops: [{ via: 'fd00::1', link: 'eth0' }],
  metric: 1024,
  protocol: 112,
};
const MULTI4: Route = {
  ...V4,
  dst: '10.2.0.0/24',
  nextHops: [
    { via: '10.0.0.1', link: 'eth0' },
    { via: '10.3.0.1', link: 'cni0' },
  ],
};
const MULTI6: Route = {
  ...V6,
  dst: 'fd02::/64',
  nextHops: [
    { via: 'fd03::1', link: 'cni0', weight: 2 },
    { via: 'fd00::1', link: 'eth0' },
  ],
};
const LOCAL4: Route = {
  ...V4,
  dst: '10.4.0.0/24',
  type: 'local',
  scope: 'host',
  table: 300,
  nextHops: [{ link: 'eth0' }],
};
const NEIGHBOUR = {
  kind: 'neighbour',
  link: 'vx0',
  address: '10.1.0.0',
  mac: '0a:00:00:00:00:01',
  protocol: 112,
} as const;
const FDB: FdbEntry = { kind: 'fdb', link: 'vx0', mac: '0a:00:00:00:00:01', dst: '192.0.2.1' };

const keys = () => [...mirror.state.keys()];
const has = (object: KernelObject) => mirror.state.has(keyOf(object));

beforeEach(() => {
  mirror = new RouteMirror();
  for (const name of ['lo', 'eth0', 'cni0']) mirror.apply(link(name));
  mirror.apply(link('vx0', VXLAN));
  mirror.takeChanged();
});

describe('links', () => {
  test('appear, change and vanish, and each change is told once', () => {
    mirror.apply(link('veth1', { mtu: 1400, alias: 'poplin:cni', master: 3 }));
    expect(mirror.state.get('link veth1')).toEqual({
      kind: 'link',
      name: 'veth1',
      detail: { type: 'other', linkKind: 'physical' },
      allMulticast: false,
      up: true,
      promiscuous: false,
      mtuBytes: 1400,
      master: 'cni0',
      alias: 'poplin:cni',
    });
    expect(mirror.indexOf('veth1')).toBe(5);
    expect([...mirror.takeChanged()]).toEqual(['link veth1']);
    mirror.apply(link('veth1', { mtu: 1400, alias: 'poplin:cni', master: 3 }));
    expect(mirror.takeChanged().size).toBe(0);
    mirror.apply(gone('veth1'));
    expect(mirror.indexOf('veth1')).toBeUndefined();
    expect([...mirror.takeChanged()]).toEqual(['link veth1']);
  });

  test('that are made are told of several times in a row, and the last word counts', () => {
    const made = link('veth1', { flags: 0, mtu: 1400 });
    const later = link('veth1', { flags: 0, mtu: 1400, alias: 'poplin:cni' });
    applyAll(mirror, [made, later, address('veth1', '10.0.0.1/24'), link('veth1', { alias: 'poplin:cni' })]);
    expect(mirror.state.get('link veth1')).toMatchObject({ mtuBytes: 1500, alias: 'poplin:cni', up: true });
    const lying = keyOf({ kind: 'address', link: 'veth1', address: '10.0.0.1/24' });
    expect(mirror.state.has(lying)).toBe(true);
    // What lies on a link goes with it, even if it comes again at once.
    applyAll(mirror, [gone('veth1'), made, later]);
    expect(mirror.state.has(lying)).toBe(false);
    expect(mirror.state.get('link veth1')).toMatchObject({ mtuBytes: 1400, alias: 'poplin:cni', up: false });
    // Two links, and the end of one: none is taken for another.
    applyAll(mirror, [
      link('veth2', { index: 71 }),
      link('veth3', { index: 72 }),
      deleted(link('veth2', { index: 71 }), RTM_LINK.DEL),
    ]);
    expect([mirror.indexOf('veth2'), mirror.indexOf('veth3')]).toEqual([undefined, 72]);
  });

  test('are seen alike whether all of their message is read or only what there are words for', () => {
    const nameOf = (index: number) => (index % 2 === 0 ? `link${index}` : undefined);
    fc.assert(
      fc.property(arbitraryOf(linkMessage), (payload) => {
        const bytes = encodeMessage(linkMessage, { type: RTM_LINK.NEW, flags: 0, payload });
        const whole = decodeMessage(linkMessage, bytes).payload;
        const seen = decodeMessage(seenLinkMessage, bytes).payload;
        expect(linkOf(seen, nameOf)).toEqual(linkOf(whole, nameOf));
        expect(referencesOf(seen)).toEqual(referencesOf(whole));
      }),
    );
  });

  test('that are garbled give a DecodeError and nothing else', () => {
    fc.assert(
      fc.property(arbitraryOf(linkMessage), fc.nat(), fc.nat(255), (payload, place, value) => {
        const bytes = encodeMessage(linkMessage, { type: RTM_LINK.NEW, flags: 0, payload });
        bytes[16 + (place % (bytes.length - 16))] = value;
        thrownBy(DecodeError, () => decodeMessage(seenLinkMessage, bytes));
      }),
    );
  });

  test('whose master or underlay is told later learn its name then', () => {
    mirror.apply(link('veth1', { master: 70, kind: { kind: 'vxlan', data: { id: 1, port: 1, link: 70 } } }));
    expect(mirror.state.get('link veth1')).not.toHaveProperty('master');
    mirror.apply(link('br0', { index: 70 }));
    expect(mirror.state.get('link veth1')).toMatchObject({ master: 'br0', detail: { underlay: 'br0' } });
    mirror.apply(link('br1', { index: 70 }));
    expect(mirror.state.get('link veth1')).toMatchObject({ master: 'br1', detail: { underlay: 'br1' } });
  });

  test('in another namespace are not mistaken for ones here', () => {
    mirror.apply(
      link('veth1', { link: 3, linkNetnsId: 0, kind: { kind: 'macvlan', data: { mode: 'bridge' } } }),
    );
    expect(mirror.state.get('link veth1')).toMatchObject({ detail: { type: 'macvlan', parent: '' } });
  });

  test('that are renamed take along what lies on them', () => {
    for (const object of [V4, MULTI4, V6]) mirror.apply(told(object));
    mirror.apply(address('eth0', '10.0.0.2/24'));
    mirror.takeChanged();
    mirror.apply(link('new0'));
    expect(keys().filter((key) => key.includes('eth0'))).toEqual([]);
    expect(mirror.state.get(keyOf(V4))).toEqual({ ...V4, nextHops: [{ via: '10.0.0.1', link: 'new0' }] });
    expect(mirror.state.has('address 10.0.0.2/24 dev new0')).toBe(true);
    expect(mirror.takeChanged()).toEqual(
      new Set([
        'link eth0',
        'link new0',
        keyOf(V4),
        keyOf(V6),
        keyOf(MULTI4),
        'address 10.0.0.2/24 dev eth0',
        'address 10.0.0.2/24 dev new0',
      ]),
    );
    mirror.apply(gone('new0'));
    expect(has(V4)).toBe(false);
  });

  test('that take over a name push out the link that had it', () => {
    mirror.apply(told(V4));
    mirror.apply(link('eth0', { index: 50 }));
    expect(mirror.indexOf('eth0')).toBe(50);
    expect(has(V4)).toBe(false);
    mirror.apply(gone('eth0'));
    expect(mirror.indexOf('eth0')).toBe(50);
  });

  const inBridge = { master: 3, kind: { slaveKind: 'bridge', slaveData: { hairpin: 0 } } } as const;
  /** What a bridge tells of a link. */
  const bridged = (
    name: string,
    attributes: Parameters<typeof bridgeMessage.encode>[1]['attributes'],
  ): Uint8Array =>
    encodeMessage(bridgeMessage, {
      type: RTM_LINK.NEW,
      flags: 0,
      payload: { family: 7, deviceType: 1, index: indexes[name] ?? 0, flags: 1, change: 0, attributes },
    });
  const native = { id: 1, flags: BRIDGE_VLAN_INFO.PVID | BRIDGE_VLAN_INFO.UNTAGGED };

  test('hear from their bridge, and leaving it is not leaving', () => {
    mirror.apply(link('veth1', inBridge));
    const port = bridged('veth1', { port: { hairpin: 1 } });
    mirror.apply(port);
    expect(mirror.state.get('link veth1')).toMatchObject({ hairpin: true });
    mirror.apply(deleted(port, RTM_LINK.DEL));
    expect(mirror.state.has('link veth1')).toBe(true);
  });

  test('keep their VLANs from message to message and name to name, and lose them with their bridge', () => {
    const vlans = () => (mirror.state.get('link veth1') as Link).vlans;
    mirror.apply(link('veth1', inBridge));
    expect(vlans()).toBeUndefined();
    const ranges = [
      native,
      { id: 20, flags: BRIDGE_VLAN_INFO.RANGE_BEGIN },
      { id: 29, flags: BRIDGE_VLAN_INFO.RANGE_END },
    ];
    mirror.apply(bridged('veth1', { port: { hairpin: 0 }, bridge: { vlans: ranges } }));
    const seen = [
      { from: 1, pvid: true, untagged: true },
      { from: 20, to: 29 },
    ];
    expect(vlans()).toEqual(seen);
    mirror.apply(link('veth1', { ...inBridge, mtu: 1400 }));
    expect(vlans()).toEqual(seen);
    mirror.apply(link('other', { ...inBridge, index: indexes['veth1'] as number }));
    mirror.apply(link('veth1', inBridge));
    expect(vlans()).toEqual(seen);
    mirror.apply(bridged('veth1', { port: { hairpin: 0 } }));
    expect(vlans()).toBeUndefined();
    mirror.apply(bridged('veth1', { bridge: { vlans: [native] } }));
    mirror.apply(link('veth1'));
    expect(vlans()).toBeUndefined();
  });

  test('a bridge has VLANs of its own, and its new default is the reason to ask for those of all ports', () => {
    const bridge = (vlanDefaultPvid: number) =>
      link('cni0', { kind: { kind: 'bridge', data: { vlanDefaultPvid } } });
    mirror.apply(gone('cni0'));
    mirror.apply(bridge(1));
    expect(mirror.state.get('link cni0')).toMatchObject({
      detail: { vlanDefaultPvid: 1 },
      vlans: [{ from: 1, pvid: true, untagged: true }],
    });
    mirror.apply(bridged('cni0', { master: 3, bridge: { vlans: [{ ...native, id: 4 }] } }));
    expect(mirror.state.get('link cni0')).toMatchObject({
      vlans: [{ from: 4, pvid: true, untagged: true }],
    });
    mirror.takeNeedsDump();
    mirror.apply(bridge(1));
    expect(mirror.takeNeedsDump()).toBeUndefined();
    mirror.apply(bridge(7));
    expect(mirror.takeNeedsDump()).toEqual(['vlan']);
  });

  test('a card that switches by itself, and links without a bridge, have no VLANs here', () => {
    mirror.apply(link('veth1', inBridge));
    mirror.apply(bridged('veth1', { bridge: { flags: BRIDGE_FLAGS.SELF, vlans: [native] } }));
    expect(mirror.state.get('link veth1')).not.toHaveProperty('vlans');
    mirror.apply(bridged('eth0', { bridge: { vlans: [native] } }));
    expect(mirror.state.get('link eth0')).not.toHaveProperty('vlans');
  });

  test('with odd names break nothing', () => {
    const message = link('odd?', { index: 9 });
    message[message.indexOf(0x3f)] = 0xff;
    mirror.apply(message);
    expect(mirror.state.has('link odd\udcff')).toBe(true);
  });
});

describe('what carries no mark is not held', () => {
  test.each<[string, Uint8Array]>([
    ['a route of another protocol', told({ ...V4, protocol: 4 })],
    ['a neighbour of another protocol', told({ ...NEIGHBOUR, protocol: 4 })],
    ['a rule of another protocol', told({ kind: 'rule', family: 4, priority: 1, table: 7, protocol: 4 })],
    ['a forwarding entry of a bridge', told({ ...FDB, link: 'cni0' })],
  ])('%s', (_name, message) => {
    mirror.apply(message);
    expect(mirror.takeChanged().size).toBe(0);
  });

  test('a cached copy of a route', () => {
    const { payload } = decodeMessage(routeMessage, told(V6));
    mirror.apply(
      encodeMessage(routeMessage, { type: RTM_ROUTE.NEW, flags: 0, payload: { ...payload, flags: 0x200 } }),
    );
    expect(has(V6)).toBe(false);
  });

  test('another’s route in the place of ours makes ours vanish', () => {
    mirror.apply(told(V4));
    mirror.apply(told({ ...V4, protocol: 4 }, NLM_F.APPEND));
    expect(has(V4)).toBe(true);
    mirror.apply(deleted(told({ ...V4, protocol: 4 }), RTM_ROUTE.DEL));
    expect(has(V4)).toBe(true);
    mirror.apply(told({ ...V4, protocol: 4 }, NLM_F.REPLACE));
    expect(has(V4)).toBe(false);
  });

  test('a neighbour that is permanent no more vanishes', () => {
    mirror.apply(told(NEIGHBOUR));
    expect(mirror.state.get(keyOf(NEIGHBOUR))).toEqual(NEIGHBOUR);
    const stale = told(NEIGHBOUR);
    stale[24] = 4;
    mirror.apply(stale);
    expect(has(NEIGHBOUR)).toBe(false);
  });
});

describe('forwarding entries', () => {
  test('move with their destination, and a removal of the old one removes nothing', () => {
    mirror.apply(told(FDB));
    mirror.apply(told({ ...FDB, dst: '192.0.2.2' }));
    mirror.apply(deleted(told(FDB), RTM_NEIGHBOUR.DEL));
    expect(mirror.state.get(keyOf(FDB))).toEqual({ ...FDB, dst: '192.0.2.2' });
    mirror.apply(deleted(told({ ...FDB, dst: '192.0.2.2' }), RTM_NEIGHBOUR.DEL));
    expect(has(FDB)).toBe(false);
  });
});

describe('what the kernel does without a word', () => {
  beforeEach(() => {
    for (const object of [V4, V6, LOCAL4, NEIGHBOUR, FDB]) mirror.apply(told(object));
    mirror.takeChanged();
  });

  test('a link that goes down loses its routes, but for IPv4 ones of host scope', () => {
    mirror.apply(link('eth0', { flags: 0 }));
    expect([has(V4), has(V6), has(LOCAL4)]).toEqual([false, false, true]);
    expect(mirror.takeNeedsDump()).toBeUndefined();
  });

  test('of multipath routes over a link that goes down a dump must tell', () => {
    mirror.apply(told(MULTI4));
    mirror.apply(link('cni0', { flags: 0 }));
    expect(has(MULTI4)).toBe(true);
    expect(mirror.takeNeedsDump()).toEqual(['route']);
    expect(mirror.takeNeedsDump()).toBeUndefined();
  });

  test('a link that is removed takes all with it; of an IPv6 multipath route only its next hop', () => {
    mirror.apply(told(MULTI4));
    mirror.apply(told(MULTI6));
    mirror.apply(gone('eth0'));
    expect([V4, V6, LOCAL4, MULTI4].map(has)).toEqual([false, false, false, false]);
    expect(mirror.state.get(keyOf(MULTI6))).toEqual({
      ...MULTI6,
      nextHops: [{ via: 'fd03::1', link: 'cni0' }],
    });
    mirror.apply(gone('vx0'));
    expect([has(NEIGHBOUR), has(FDB)]).toEqual([false, false]);
  });

  test('a link that loses its last IPv4 address loses its IPv4 routes', () => {
    mirror.apply(address('eth0', '10.0.0.2/24'));
    mirror.apply(address('eth0', '10.0.0.3/24'));
    mirror.apply(address('eth0', 'fd00::2/64'));
    mirror.apply(deleted(address('eth0', '10.0.0.2/24'), RTM_ADDRESS.DEL));
    expect(has(V4)).toBe(true);
    mirror.apply(deleted(address('eth0', '10.0.0.3/24'), RTM_ADDRESS.DEL));
    expect([has(V4), has(LOCAL4), has(V6)]).toEqual([false, false, true]);
  });

  test('an address that routes prefer as source calls for a dump when it goes', () => {
    mirror.apply(address('cni0', 'fd03::2/64'));
    mirror.apply(told({ ...V6, preferredSource: 'fd03::2' }));
    mirror.apply(deleted(address('cni0', 'fd03::2/64'), RTM_ADDRESS.DEL));
    expect(mirror.takeNeedsDump()).toEqual(['route']);
    mirror.apply(told(V6));
    mirror.apply(address('cni0', 'fd03::2/64'));
    mirror.apply(deleted(address('cni0', 'fd03::2/64'), RTM_ADDRESS.DEL));
    expect(mirror.takeNeedsDump()).toBeUndefined();
  });

  test('a link too small for IPv6 calls for a dump', () => {
    mirror.apply(link('eth0', { mtu: 1000 }));
    expect(mirror.takeNeedsDump()).toEqual(['link', 'address', 'route']);
  });
});

describe('next hops of IPv6', () => {
  test('leave one by one', () => {
    mirror.apply(told(MULTI6));
    mirror.apply(deleted(told({ ...MULTI6, nextHops: [{ via: 'fd00::1', link: 'eth0' }] }), RTM_ROUTE.DEL));
    expect(mirror.state.get(keyOf(MULTI6))).toMatchObject({ nextHops: [{ via: 'fd03::1', link: 'cni0' }] });
    mirror.apply(deleted(told({ ...MULTI6, nextHops: [{ via: 'fd03::1', link: 'cni0' }] }), RTM_ROUTE.DEL));
    expect(has(MULTI6)).toBe(false);
  });

  test('have no order', () => {
    mirror.apply(told(MULTI6));
    mirror.takeChanged();
    mirror.apply(told({ ...MULTI6, nextHops: [...MULTI6.nextHops].reverse() }));
    expect(mirror.takeChanged().size).toBe(0);
  });
});

describe('a resync', () => {
  test('keeps what the dumps show and drops the rest, telling only differences', () => {
    for (const object of [V4, V6, NEIGHBOUR]) mirror.apply(told(object));
    mirror.takeChanged();
    mirror.beginResync();
    for (const name of ['lo', 'eth0', 'cni0']) mirror.apply(link(name));
    mirror.apply(told(V4));
    mirror.endResync();
    expect(keys()).toEqual(['link lo', 'link eth0', 'link cni0', keyOf(V4)]);
    expect(mirror.takeChanged()).toEqual(new Set(['link vx0', keyOf(V6), keyOf(NEIGHBOUR)]));
  });

  test('of some kinds leaves the others alone', () => {
    for (const object of [V4, V6, NEIGHBOUR]) mirror.apply(told(object));
    mirror.beginResync(['route']);
    mirror.apply(told(V6));
    mirror.endResync();
    expect([V4, V6, NEIGHBOUR].map(has)).toEqual([false, true, true]);
  });

  test('in which a link appears after the dump of links holds what lies on it until it is told of', () => {
    mirror.beginResync();
    for (const name of ['lo', 'eth0', 'cni0']) mirror.apply(link(name));
    mirror.apply(address('gone', '10.7.0.1/24'));
    mirror.apply(told({ ...V4, nextHops: [{ link: 'gone' }] }));
    mirror.endResync();
    expect(has(V4)).toBe(false);
    mirror.apply(link('late0', { index: 99 }));
    expect(mirror.state.get(keyOf(V4))).toMatchObject({ nextHops: [{ link: 'late0' }] });
    expect(mirror.state.has('address 10.7.0.1/24 dev late0')).toBe(true);
  });

  test('leaves objects of other sources in a shared map alone', () => {
    const shared = new Map<string, KernelObject>([['sysctl a', { kind: 'sysctl', path: 'a', value: '1' }]]);
    const other = new RouteMirror(shared);
    other.beginResync();
    other.apply(link('lo'));
    other.endResync();
    expect([...shared.keys()]).toEqual(['sysctl a', 'link lo']);
    expect(other.state).toBe(shared);
  });
});

describe('messages', () => {
  test('the buffer may be used again once a message is applied', () => {
    const message = address('gone', '10.7.0.1/24');
    mirror.apply(message);
    message.fill(0xff);
    mirror.apply(link('late0', { index: 99 }));
    expect(mirror.state.has('address 10.7.0.1/24 dev late0')).toBe(true);
  });

  test('of no concern are passed over', () => {
    const before = keys();
    const family = link('eth0', { mtu: 1 });
    family[16] = 10;
    mirror.apply(family);
    const multicast = told(V4);
    multicast[16] = 128;
    mirror.apply(multicast);
    mirror.apply(Uint8Array.of(20, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    expect(keys()).toEqual(before);
    expect(mirror.takeChanged().size).toBe(0);
  });

  test('a link object reads as the message that made it', () => {
    const wanted: Link = {
      kind: 'link',
      name: 'vx0',
      detail: { type: 'vxlan', vni: 1, port: 8472, learning: false },
    };
    expect(mirror.state.get('link vx0')).toMatchObject(wanted);
  });
});

test('dumps ask for routes by owner, and for nothing that strict checking refuses', () => {
  const protocols = USUAL_OWNERS.map(({ protocol }) => protocol);
  const count = 2 * protocols.length;
  const requests = dumpRequests(['rule', 'route', 'link']);
  expect(requests.map((bytes) => bytes[4])).toEqual([18, ...Array<number>(count).fill(26), 34, 34]);
  const routes = requests.slice(1, 1 + count).map((bytes) => decodeMessage(routeMessage, bytes).payload);
  expect(routes.map(({ family, protocol }) => [family, protocol])).toEqual([
    ...protocols.map((protocol) => [2, protocol]),
    ...protocols.map((protocol) => [10, protocol]),
  ]);
  const nothing: Partial<RouteMessage> = {
    dstLength: 0,
    table: 0,
    scope: 'global',
    type: 'unspecified',
    flags: 0,
    attributes: {},
  };
  for (const route of routes) expect(route).toMatchObject(nothing);
  expect(dumpRequests().length).toBe(9 + count);
});
