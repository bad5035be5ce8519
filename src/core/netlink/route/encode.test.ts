import { describe, expect, test } from 'vitest';
import type { KernelObject, KernelOp, Link } from '#core/kernel/index.ts';
import {
  decodeMessage,
  encodeOp,
  isMissingLink,
  type LinkIndex,
  linkRequest,
  linkSteps,
  messageType,
  NLM_F,
} from '../index.ts';
import { addressMessage } from './address.ts';
import { bridgeMessage } from './bridge-message.ts';
import { linkMessage } from './link.ts';
import { neighbourMessage } from './neighbour.ts';
import { routeMessage } from './route.ts';
import { ruleMessage } from './rule.ts';

const indexes: Readonly<Record<string, number>> = { eth0: 2, cni0: 3, vx0: 4 };
const links: LinkIndex = {
  indexOf: (name) => indexes[name],
  netnsFd: (path) => {
    if (path !== '/run/netns/pod') throw new Error(`no namespace ${path}`);
    return 9;
  },
};

const add = (object: KernelObject) => encodeOp({ verb: 'add', object }, links);
const only = (messages: Uint8Array[]) => {
  expect(messages.length).toBe(1);
  return messages[0] as Uint8Array;
};

describe('annotated bytes', () => {
  test('a route on link in a large table', () => {
    const bytes = only(
      add({
        kind: 'route',
        dst: '10.1.2.0/24',
        table: 1000,
        metric: 5,
        nextHops: [{ via: '10.1.2.0', link: 'vx0', onlink: true }],
        protocol: 112,
      }),
    );
    expect([...bytes]).toEqual([
      ...[68, 0, 0, 0, 24, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0], // nlmsghdr: RTM_NEWROUTE, CREATE | EXCL
      ...[2, 24, 0, 0, 252, 112, 0, 1, 4, 0, 0, 0], // rtmsg: AF_INET /24, RT_TABLE_COMPAT, protocol, universe, unicast, ONLINK
      ...[8, 0, 1, 0, 10, 1, 2, 0], // RTA_DST
      ...[8, 0, 4, 0, 4, 0, 0, 0], // RTA_OIF
      ...[8, 0, 5, 0, 10, 1, 2, 0], // RTA_GATEWAY
      ...[8, 0, 6, 0, 5, 0, 0, 0], // RTA_PRIORITY
      ...[8, 0, 15, 0, 0xe8, 3, 0, 0], // RTA_TABLE
    ]);
  });

  test('a multipath route', () => {
    const bytes = only(
      add({
        kind: 'route',
        dst: '0.0.0.0/0',
        nextHops: [{ via: '10.0.0.1', link: 'eth0', weight: 2 }, { link: 'cni0' }],
        protocol: 112,
      }),
    );
    expect([...bytes.subarray(28)]).toEqual([
      ...[8, 0, 1, 0, 0, 0, 0, 0], // RTA_DST
      ...[28, 0, 9, 0], // RTA_MULTIPATH
      ...[16, 0, 0, 1, 2, 0, 0, 0], // rtnexthop: 16 bytes, no flags, weight 2, eth0
      ...[8, 0, 5, 0, 10, 0, 0, 1], // RTA_GATEWAY
      ...[8, 0, 0, 0, 3, 0, 0, 0], // rtnexthop: 8 bytes, cni0
    ]);
  });

  test('a forwarding entry', () => {
    const bytes = only(add({ kind: 'fdb', link: 'vx0', mac: '0a:00:00:00:00:07', dst: '192.0.2.1' }));
    expect([...bytes]).toEqual([
      ...[48, 0, 0, 0, 28, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0], // nlmsghdr: RTM_NEWNEIGH, CREATE | REPLACE
      ...[7, 0, 0, 0, 4, 0, 0, 0, 0xc0, 0, 2, 0], // ndmsg: AF_BRIDGE, vx0, PERMANENT | NOARP, NTF_SELF
      ...[8, 0, 1, 0, 192, 0, 2, 1], // NDA_DST
      ...[10, 0, 2, 0, 10, 0, 0, 0, 0, 7, 0, 0], // NDA_LLADDR
    ]);
  });

  test('a VXLAN device', () => {
    const [bytes] = add({
      kind: 'link',
      name: 'v',
      detail: { type: 'vxlan', vni: 1, port: 8472, learning: false },
    });
    expect([...(bytes as Uint8Array)]).toEqual([
      ...[84, 0, 0, 0, 16, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0], // nlmsghdr: RTM_NEWLINK, CREATE | EXCL
      ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // ifinfomsg: not up
      ...[6, 0, 3, 0, 0x76, 0, 0, 0], // IFLA_IFNAME "v"
      ...[44, 0, 18, 0x80], // IFLA_LINKINFO
      ...[10, 0, 1, 0, 0x76, 0x78, 0x6c, 0x61, 0x6e, 0, 0, 0], // IFLA_INFO_KIND "vxlan"
      ...[28, 0, 2, 0x80], // IFLA_INFO_DATA
      ...[8, 0, 1, 0, 1, 0, 0, 0], // IFLA_VXLAN_ID
      ...[5, 0, 7, 0, 0, 0, 0, 0], // IFLA_VXLAN_LEARNING
      ...[6, 0, 15, 0, 0x21, 0x18, 0, 0], // IFLA_VXLAN_PORT, big-endian
    ]);
  });

  test('the question for one link', () => {
    expect([...linkRequest('a').subarray(16)]).toEqual([
      ...[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // ifinfomsg
      ...[6, 0, 3, 0, 0x61, 0, 0, 0], // IFLA_IFNAME
      ...[8, 0, 29, 0, 8, 0, 0, 0], // IFLA_EXT_MASK: RTEXT_FILTER_SKIP_STATS
    ]);
  });
});

describe('links', () => {
  const sent = (messages: Uint8Array[]) =>
    messages.map((bytes) => {
      const { type, flags, payload } = decodeMessage(linkMessage, bytes);
      return {
        type,
        flags,
        index: payload.index,
        up: payload.flags,
        change: payload.change,
        ...payload.attributes,
      };
    });
  const quiet = { flags: 0, index: 0, up: 0, change: 0 };

  test('a veth is made with its peer, then marked, then set up, and only then raised', () => {
    const link: Link = {
      kind: 'link',
      name: 'veth7',
      detail: {
        type: 'veth',
        peer: { name: 'eth0', netns: '/run/netns/pod', mac: '0a:00:00:00:00:02', mtuBytes: 1400 },
      },
      up: true,
      mtuBytes: 1400,
      mac: '0a:00:00:00:00:01',
      master: 'cni0',
      alias: 'poplin:cni',
      addressGeneration: 'none',
      hairpin: true,
    };
    const peer = {
      ...{ family: 0, deviceType: 0, index: 0, flags: 0, change: 0 },
      attributes: { name: 'eth0', address: '0a:00:00:00:00:02', mtu: 1400, netnsFd: 9 },
    };
    const name = 'veth7';
    expect(sent(add(link))).toEqual([
      {
        ...{ ...quiet, type: 16, flags: NLM_F.CREATE | NLM_F.EXCL, name, mtu: 1400 },
        ...{ address: '0a:00:00:00:00:01', master: 3, kind: { kind: 'veth', data: { peer } } },
      },
      { ...quiet, type: 19, name, alias: 'poplin:cni' },
      { ...quiet, type: 19, name, addressFamilies: { inet6: { addressGeneration: 'none' } } },
      { ...quiet, type: 16, name, kind: { slaveKind: 'bridge', slaveData: { hairpin: 1 } } },
      { ...quiet, type: 19, name, up: 1, change: 1 },
    ]);
  });

  test('a link that stays down is announced with what was set on it', () => {
    const messages = sent(add({ kind: 'link', name: 'd', detail: { type: 'dummy' }, alias: 'poplin:cni' }));
    expect(messages.at(-1)).toEqual({ ...quiet, type: 19, name: 'd', broadcast: 'ff:ff:ff:ff:ff:ff' });
    expect(sent(add({ kind: 'link', name: 'd', detail: { type: 'dummy' } })).length).toBe(1);
  });

  const base: Link = {
    kind: 'link',
    name: 'cni0',
    detail: { type: 'bridge', stp: false },
    up: true,
    mtuBytes: 1500,
    mac: '0a:00:00:00:00:01',
    master: '',
    alias: 'a',
    addressGeneration: 'none',
    promiscuous: false,
  };
  const replace = (wishes: Partial<Link>, previous: Partial<Link> = {}) =>
    sent(
      encodeOp(
        { verb: 'replace', object: { ...base, ...wishes }, previous: { ...base, ...previous } },
        links,
      ),
    );
  const set = { ...quiet, type: 19, index: 3 };

  test.each<[string, Partial<Link>, Partial<Link>, object[]]>([
    ['nothing', {}, {}, []],
    ['an MTU', { mtuBytes: 1400 }, {}, [{ ...set, mtu: 1400 }]],
    [
      'a MAC and an alias',
      { mac: '0a:00:00:00:00:02', alias: 'b' },
      {},
      [{ ...set, address: '0a:00:00:00:00:02', alias: 'b' }],
    ],
    ['no alias', { alias: '' }, {}, [{ ...set, alias: '' }]],
    ['no master', { master: '' }, { master: 'eth0' }, [{ ...set, master: 0 }]],
    [
      'down first',
      { up: false, mtuBytes: 1400 },
      {},
      [
        { ...set, change: 1 },
        { ...set, mtu: 1400 },
      ],
    ],
    [
      'up last',
      { up: true, mtuBytes: 1400 },
      { up: false },
      [
        { ...set, mtu: 1400 },
        { ...set, up: 1, change: 1 },
      ],
    ],
    ['promiscuity', { promiscuous: true }, {}, [{ ...set, up: 0x100, change: 0x100 }]],
    [
      'a bridge option',
      { detail: { type: 'bridge', stp: true } },
      {},
      [{ ...set, type: 16, kind: { kind: 'bridge', data: { stpState: 1 } } }],
    ],
    [
      'hairpin with its new master',
      { master: 'eth0', hairpin: true },
      { hairpin: true },
      [
        { ...set, master: 2 },
        { ...set, type: 16, kind: { slaveKind: 'bridge', slaveData: { hairpin: 1 } } },
      ],
    ],
    [
      'an alias while down, announced',
      { up: false, alias: 'b' },
      { up: false },
      [
        { ...set, alias: 'b' },
        { ...set, broadcast: 'ff:ff:ff:ff:ff:ff' },
      ],
    ],
  ])('are changed by differences: %s', (_name, wishes, previous, expected) => {
    expect(replace(wishes, previous)).toEqual(expected);
  });

  test('what cannot be changed in place, or made, says so', () => {
    const vxlan = (vni: number): Link => ({
      kind: 'link',
      name: 'vx0',
      detail: { type: 'vxlan', vni, port: 1, learning: false },
    });
    expect(() => encodeOp({ verb: 'replace', object: vxlan(1), previous: vxlan(2) }, links)).toThrow(
      'remove it and add it anew',
    );
    const tun: Link = { kind: 'link', name: 't', detail: { type: 'tun', mode: 'tun' } };
    expect(() => add({ ...tun, netns: '/run/netns/pod' })).toThrow('made by ioctl');
    expect(() => add({ kind: 'link', name: 'o', detail: { type: 'other', linkKind: 'ifb' } })).toThrow(
      'never made',
    );
    expect(() => add({ kind: 'sysctl', path: 'net/ipv4/ip_forward', value: '1' })).toThrow(
      'not made by rtnetlink',
    );
  });

  test('a tap that an ioctl has made is marked first, then set up, raised or at least announced', () => {
    const tap: Link = {
      kind: 'link',
      name: 'tap0',
      detail: { type: 'tun', mode: 'tap' },
      alias: 'a',
      mac: '0a:00:00:00:00:01',
      mtuBytes: 1400,
      master: 'cni0',
    };
    const set = { ...quiet, type: 19, name: 'tap0' };
    const settings = [
      { ...set, alias: 'a' },
      { ...set, address: '0a:00:00:00:00:01', mtu: 1400, master: 3 },
    ];
    const announcement = { ...set, broadcast: 'ff:ff:ff:ff:ff:ff' };
    expect(sent(add(tap))).toEqual([...settings, announcement]);
    expect(sent(add({ ...tap, up: true }))).toEqual([...settings, { ...set, up: 1, change: 1 }]);
    expect(sent(add({ kind: 'link', name: 'tap0', detail: tap.detail }))).toEqual([announcement]);
  });

  test('a veth peer may not carry flags: none of its are set', () => {
    const [create] = add({
      kind: 'link',
      name: 'v',
      detail: { type: 'veth', peer: { name: 'p' } },
      up: true,
    });
    const { kind } = decodeMessage(linkMessage, create as Uint8Array).payload.attributes;
    expect(kind?.data).toMatchObject({ peer: { flags: 0, change: 0, attributes: { name: 'p' } } });
  });
});

describe('removals name no more than the key and the owner', () => {
  const remove = (object: KernelObject) => only(encodeOp({ verb: 'remove', object }, links));

  test('of a route', () => {
    const bytes = remove({
      kind: 'route',
      dst: 'fd01::/64',
      nextHops: [{ link: 'gone' }],
      protocol: 112,
      mtuBytes: 1300,
    });
    expect(decodeMessage(routeMessage, bytes)).toMatchObject({
      type: 25,
      payload: { dstLength: 64, protocol: 112, attributes: { dst: 'fd01::', priority: 1024 } },
    });
    expect(Object.keys(decodeMessage(routeMessage, bytes).payload.attributes)).toEqual(['dst', 'priority']);
  });

  test('of a neighbour', () => {
    const bytes = remove({
      kind: 'neighbour',
      link: 'vx0',
      address: 'fd01::1',
      mac: '0a:00:00:00:00:01',
      protocol: 112,
    });
    expect(decodeMessage(neighbourMessage, bytes)).toMatchObject({
      type: 29,
      payload: { family: 10, index: 4, attributes: { dst: 'fd01::1' } },
    });
  });

  test('of a link', () => {
    expect(
      decodeMessage(linkMessage, remove({ kind: 'link', name: 'eth0', detail: { type: 'veth' } })),
    ).toMatchObject({
      type: 17,
      payload: { index: 2, attributes: {} },
    });
  });
});

describe('replacement', () => {
  const replace = (object: KernelObject, previous: KernelObject) =>
    encodeOp({ verb: 'replace', object, previous }, links);

  test('of an address is removal and addition', () => {
    const address: KernelObject = { kind: 'address', link: 'eth0', address: '10.0.0.1/24' };
    expect(replace(address, { ...address, scope: 'link' }).map(messageType)).toEqual([21, 20]);
  });

  test('of a rule is addition, then removal, so that there is no gap', () => {
    const rule: KernelObject = { kind: 'rule', family: 4, priority: 9, table: 7, protocol: 112 };
    const messages = replace(rule, { ...rule, protocol: 113 });
    expect(
      messages
        .map((bytes) => decodeMessage(ruleMessage, bytes))
        .map(({ type, payload }) => [type, payload.attributes.protocol]),
    ).toEqual([
      [32, 112],
      [33, 113],
    ]);
  });

  test('of a neighbour’s owner passes through another state', () => {
    const entry: KernelObject = {
      kind: 'neighbour',
      link: 'vx0',
      address: '10.0.0.1',
      mac: '0a:00:00:00:00:01',
      protocol: 112,
    };
    const states = (messages: Uint8Array[]) =>
      messages.map((bytes) => decodeMessage(neighbourMessage, bytes).payload.state);
    expect(states(replace(entry, { ...entry, mac: '0a:00:00:00:00:02' }))).toEqual(['permanent']);
    expect(states(replace(entry, { ...entry, protocol: 113 }))).toEqual(['noarp', 'permanent']);
  });

  test('by another kind of object is a mistake', () => {
    const rule: KernelObject = { kind: 'rule', family: 4, priority: 9, table: 7, protocol: 112 };
    expect(() => replace(rule, { kind: 'sysctl', path: 'a', value: 'b' })).toThrow(
      'a sysctl cannot become a rule',
    );
  });
});

test('an IPv6 address without duplicate detection is announced by a second message', () => {
  const messages = add({ kind: 'address', link: 'eth0', address: 'fd01::1/64', noDad: true }).map((bytes) =>
    decodeMessage(addressMessage, bytes),
  );
  expect(messages.map(({ flags, payload }) => [flags, payload.attributes])).toEqual([
    [NLM_F.CREATE | NLM_F.EXCL, { address: 'fd01::1', local: 'fd01::1', flags: 2 }],
    [NLM_F.REPLACE, { address: 'fd01::1', local: 'fd01::1', flags: 2 }],
  ]);
});

test.each<[string, KernelObject]>([
  ['address', { kind: 'address', link: 'gone', address: '10.0.0.1/24' }],
  ['route', { kind: 'route', dst: '10.0.0.0/24', nextHops: [{ link: 'gone' }], protocol: 112 }],
  [
    'multipath route',
    { kind: 'route', dst: '10.0.0.0/24', nextHops: [{ link: 'eth0' }, { link: 'gone' }], protocol: 112 },
  ],
  [
    'neighbour',
    { kind: 'neighbour', link: 'gone', address: '10.0.0.1', mac: '0a:00:00:00:00:01', protocol: 112 },
  ],
  ['fdb entry', { kind: 'fdb', link: 'gone', mac: '0a:00:00:00:00:01', dst: '10.0.0.1' }],
  ['master', { kind: 'link', name: 'a', detail: { type: 'dummy' }, master: 'gone' }],
  ['parent', { kind: 'link', name: 'a', detail: { type: 'macvlan', parent: 'gone', mode: 'bridge' } }],
  [
    'underlay',
    {
      kind: 'link',
      name: 'a',
      detail: { type: 'vxlan', vni: 1, port: 1, learning: false, underlay: 'gone' },
    },
  ],
])('a missing link is named: %s', (_name, object) => {
  const op: KernelOp = { verb: 'add', object };
  let error: unknown;
  try {
    encodeOp(op, links);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toSatisfy(isMissingLink);
  expect(error).toMatchObject({ link: 'gone', code: 'ENODEV' });
});

describe('VLANs of a bridge and its ports', () => {
  const port: Link = { kind: 'link', name: 'eth0', detail: { type: 'veth' }, master: 'cni0' };
  const told = (messages: Uint8Array[]) =>
    messages.map((bytes) => {
      const { type, payload } = decodeMessage(bridgeMessage, bytes);
      const { flags, vlans = [] } = payload.attributes.bridge ?? {};
      return [type, payload.index, flags, ...vlans.map(({ id, flags: each }) => `${id}/${each}`)];
    });
  const change = (object: Link, previous: Link) =>
    told(encodeOp({ verb: 'replace', object, previous }, links));

  test('are added before others are removed, ranges as their ends', () => {
    const previous: Link = { ...port, vlans: [{ from: 1, pvid: true, untagged: true }, { from: 9 }] };
    const wanted: Link = {
      ...port,
      vlans: [{ from: 100, pvid: true, untagged: true }, { from: 200, to: 300 }, { from: 9 }],
    };
    expect(change(wanted, previous)).toEqual([
      [19, 2, 1, '100/6', '200/8', '300/16'],
      [17, 2, 1, '1/0'],
    ]);
    expect(change(previous, previous)).toEqual([]);
    expect(change({ ...port, vlans: [] }, previous)).toEqual([[17, 2, 1, '1/0', '9/0']]);
    expect(change({ ...port, vlans: [{ from: 1 }, { from: 9 }] }, previous)).toEqual([[19, 2, 1, '1/0']]);
  });

  test('of a bridge are its own', () => {
    const bridge: Link = { kind: 'link', name: 'cni0', detail: { type: 'bridge' } };
    expect(change({ ...bridge, vlans: [{ from: 5 }] }, { ...bridge, vlans: [] })).toEqual([
      [19, 3, 2, '5/0'],
    ]);
  });

  test('are all set anew on a port that changes its master, and after a port was made, before it is raised', () => {
    const vlans = [{ from: 7, pvid: true, untagged: true }];
    const moved = encodeOp(
      { verb: 'replace', object: { ...port, vlans }, previous: { ...port, master: '', vlans } },
      links,
    );
    const all = [
      [19, 2, 1, '7/6'],
      [17, 2, 1, '1/8', '6/16', '8/8', '4094/16'],
    ];
    expect(told(moved.slice(-2))).toEqual(all);
    const made = { ...port, up: true, vlans };
    const [first, second, ...more] = linkSteps({ verb: 'add', object: made });
    expect(more).toEqual([]);
    expect(first).toEqual({ verb: 'add', object: { ...port, up: false } });
    const [add, remove, raise] = encodeOp(second as KernelOp, links);
    expect(told([add as Uint8Array, remove as Uint8Array])).toEqual(all);
    expect(decodeMessage(linkMessage, raise as Uint8Array).payload).toMatchObject({ flags: 1, change: 1 });
    expect(linkSteps({ verb: 'add', object: port })).toEqual([{ verb: 'add', object: port }]);
    const [, none] = linkSteps({ verb: 'add', object: { ...port, vlans: [] } });
    expect(told(encodeOp(none as KernelOp, links))).toEqual([[17, 2, 1, '1/8', '4094/16']]);
  });

  test.each([
    ['0', [{ from: 0 }, { from: 5 }], 'no VLANs 0 to 0, only 1 to 4094'],
    ['4095', [{ from: 4000, to: 4095 }], 'no VLANs 4000 to 4095'],
    ['a range of PVIDs', [{ from: 1, to: 2, pvid: true }], 'one VLAN can be the PVID'],
    [
      'two PVIDs',
      [
        { from: 1, pvid: true },
        { from: 2, pvid: true },
      ],
      'one VLAN can be the PVID',
    ],
  ])('%s is refused', (_name, vlans, message) => {
    expect(() => change({ ...port, vlans }, port)).toThrow(message);
  });
});
