import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type KernelObject, keyOf, type Link, type LinkDetail, type Neighbour } from '#core/kernel/index.ts';
import {
  decodeFamily,
  decodeFeatures,
  decodeLink,
  ETHTOOL_FAMILY,
  familyRequest,
  featuresRequest,
  isMissingLink,
  linkRequest,
  setFeaturesRequest,
} from '#core/netlink/index.ts';
import { isNotFound, NETLINK_GENERIC, NETLINK_ROUTE, NetlinkSocket } from '#io/netlink/index.ts';
import { RouteWorld } from './rtnetlink-world.ts';
import { describeHere } from './virtual.ts';

const CNI = 'poplin:cni';
const OVERLAY = 'poplin:overlay';
let world: RouteWorld;

beforeAll(() => {
  world = new RouteWorld();
});
afterAll(() => world[Symbol.dispose]());

interface IpLink {
  readonly ifname: string;
  readonly flags: string[];
  readonly mtu: number;
  readonly address: string;
  readonly master?: string;
  readonly ifalias?: string;
  readonly link?: string;
  readonly inet6_addr_gen_mode: string;
  readonly linkinfo: {
    readonly info_kind: string;
    readonly info_data?: Record<string, unknown>;
    readonly info_slave_data?: Record<string, unknown>;
  };
}

function ipLink(name: string): IpLink {
  return world.ipJson<IpLink>('link', 'show', name)[0] as IpLink;
}

/** Without what only kernels with VLAN filtering show. */
function plain(link: Link | undefined): Link {
  const { vlans: _filtered, ...rest } = link as Link;
  const { vlanDefaultPvid: _default, ...detail } = rest.detail as LinkDetail & { vlanDefaultPvid?: number };
  return { ...rest, detail };
}

describe('links are made as wished, shown so by ip, and read back equal', () => {
  const bridge: Link = {
    kind: 'link',
    name: 'cni0',
    detail: { type: 'bridge', vlanFiltering: false, stp: false, multicastSnooping: false },
    up: true,
    mtuBytes: 1450,
    mac: '0a:58:0a:01:00:01',
    master: '',
    alias: CNI,
    addressGeneration: 'none',
    promiscuous: false,
    allMulticast: false,
    transmitQueueLength: 500,
  };

  test('a bridge', () => {
    world.add(bridge);
    expect(plain(world.seen(bridge))).toEqual(bridge);
    expect(ipLink('cni0')).toMatchObject({
      mtu: 1450,
      address: bridge.mac,
      ifalias: CNI,
      inet6_addr_gen_mode: 'none',
      linkinfo: { info_kind: 'bridge', info_data: { stp_state: 0, mcast_snooping: 0 } },
    });
    expect(ipLink('cni0').flags).toContain('UP');
  });

  test('a veth whose peer is made in another namespace, port of a bridge with hairpin', () => {
    const veth: Link = {
      kind: 'link',
      name: 'veth0',
      detail: {
        type: 'veth',
        peer: { name: 'eth0', netns: world.far.path, mac: '0a:58:0a:01:00:02', mtuBytes: 1450 },
      },
      up: true,
      mtuBytes: 1450,
      mac: '0a:00:00:00:00:07',
      master: 'cni0',
      alias: `${CNI}:pod-7`,
      addressGeneration: 'none',
      promiscuous: false,
      allMulticast: true,
      transmitQueueLength: 1000,
      hairpin: true,
      isolated: true,
    };
    world.add(veth);
    expect(plain(world.seen(veth))).toEqual({ ...veth, detail: { type: 'veth' } });
    expect(ipLink('veth0')).toMatchObject({
      master: 'cni0',
      ifalias: `${CNI}:pod-7`,
      linkinfo: { info_kind: 'veth', info_slave_data: { hairpin: true, isolated: true } },
    });
    using far = NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace: world.far });
    expect(decodeLink(far.requestSync(linkRequest('eth0'))[0] as Uint8Array)).toMatchObject({
      name: 'eth0',
      detail: { type: 'veth' },
      up: false,
      mtuBytes: 1450,
      mac: '0a:58:0a:01:00:02',
    });
  });

  test.each([
    ['vxlan4', '127.0.0.1', 8472, false],
    ['vxlan6', '::1', 4789, true],
  ])('a VXLAN device %s', (name, local, port, udpChecksum) => {
    const vxlan: Link = {
      kind: 'link',
      name,
      detail: {
        type: 'vxlan',
        vni: port,
        port,
        local,
        underlay: 'cni0',
        learning: false,
        gbp: false,
        udpChecksum,
      },
      up: true,
      // The kernel lets no VXLAN link have more than what its underlay leaves it: 50 bytes less, 70 over IPv6.
      mtuBytes: 1380,
      mac: '0a:00:00:00:01:01',
      master: '',
      alias: OVERLAY,
      addressGeneration: 'none',
      promiscuous: false,
      allMulticast: false,
      transmitQueueLength: 1000,
    };
    world.add(vxlan);
    expect(world.seen(vxlan)).toEqual(vxlan);
    expect(ipLink(name).linkinfo).toMatchObject({
      info_kind: 'vxlan',
      info_data: {
        id: port,
        port,
        [local === '::1' ? 'local6' : 'local']: local,
        link: 'cni0',
        learning: false,
        udp_csum: udpChecksum,
      },
    });
  });

  test('a VXLAN device with group policy and learning, over no particular link', () => {
    const vxlan: Link = {
      kind: 'link',
      name: 'vxgbp',
      detail: { type: 'vxlan', vni: 99, port: 14789, learning: true, gbp: true },
      up: false,
      alias: OVERLAY,
      addressGeneration: 'eui64',
    };
    world.add(vxlan);
    expect(world.seen(vxlan)).toMatchObject(vxlan);
    expect(ipLink('vxgbp').linkinfo.info_data).toMatchObject({ gbp: true, learning: true });
  });

  test.each(['bridge', 'private', 'vepa', 'passthru'] as const)('a macvlan in mode %s', (mode) => {
    world.add({ kind: 'link', name: `p-${mode}`, detail: { type: 'veth', peer: { name: `q-${mode}` } } });
    const macvlan: Link = {
      kind: 'link',
      name: `m-${mode}`,
      detail: { type: 'macvlan', parent: `p-${mode}`, mode },
      promiscuous: true,
      alias: CNI,
    };
    world.add(macvlan);
    expect(world.seen(macvlan)).toMatchObject(macvlan);
    expect(ipLink(`m-${mode}`)).toMatchObject({ link: `p-${mode}`, linkinfo: { info_data: { mode } } });
  });

  test('a macvlan with a queue for broadcasts', () => {
    world.add({ kind: 'link', name: 'pq', detail: { type: 'veth', peer: { name: 'qq' } } });
    const detail = { type: 'macvlan', parent: 'pq', mode: 'bridge', broadcastQueueLength: 77 } as const;
    const macvlan: Link = { kind: 'link', name: 'm-queue', detail, alias: CNI };
    world.add(macvlan);
    expect(world.seen(macvlan)).toMatchObject(macvlan);
    expect(ipLink('m-queue').linkinfo.info_data).toMatchObject({ bcqueuelen: 77 });
  });

  const OPTIONAL: readonly [option: string, details: readonly LinkDetail[]][] = [
    ['CONFIG_DUMMY', [{ type: 'dummy' }]],
    [
      'CONFIG_IPVLAN',
      (['l2', 'l3', 'l3s'] as const).map((mode) => ({ type: 'ipvlan', parent: `o${mode}`, mode })),
    ],
    ['CONFIG_VLAN_8021Q', [{ type: 'vlan', parent: 'ovlan', id: 4094 }]],
    ['CONFIG_NET_VRF', [{ type: 'vrf', table: 1234 }]],
  ];

  test.for(OPTIONAL)('links of %s, where the kernel has them', ([option, details], context) => {
    for (const [at, detail] of details.entries()) {
      if ('parent' in detail)
        world.add({
          kind: 'link',
          name: detail.parent,
          detail: { type: 'veth', peer: { name: `${detail.parent}b` } },
          up: true,
        });
      const link: Link = { kind: 'link', name: `${detail.type}${at}`, detail, up: true, alias: CNI };
      try {
        world.add(link);
      } catch (error) {
        if (!String(error).includes('EOPNOTSUPP')) throw error;
        context.skip(`the kernel has no ${detail.type} links (${option})`);
      }
      expect(world.seen(link)).toMatchObject(link);
      const { linkinfo, link: lower } = ipLink(link.name);
      expect(linkinfo.info_kind).toBe(detail.type);
      const shown = JSON.stringify({ lower, ...linkinfo.info_data });
      for (const value of Object.values(detail))
        if (value !== detail.type) expect(shown).toContain(String(value));
    }
  });

  test.each(['tun', 'tap'] as const)('a %s link is seen, and not made by a message', (mode) => {
    world.ip('tuntap', 'add', `x${mode}`, 'mode', mode);
    world.drain();
    const link: Link = { kind: 'link', name: `x${mode}`, detail: { type: 'tun', mode } };
    expect(world.seen(link)).toMatchObject({ detail: { type: 'tun', mode } });
    expect(() => world.add({ ...link, netns: world.far.path })).toThrow('is made by ioctl');
    world.remove(link);
    expect(world.seen(link)).toBeUndefined();
  });

  test('an ifb', () => {
    const ifb: Link = {
      kind: 'link',
      name: 'ifb7',
      detail: { type: 'ifb' },
      up: true,
      mtuBytes: 1450,
      mac: '0a:00:00:00:00:fb',
      alias: `${CNI}:pod-7+bandwidth`,
      addressGeneration: 'none',
    };
    world.add(ifb);
    expect(world.seen(ifb)).toMatchObject(ifb);
    expect(ipLink('ifb7')).toMatchObject({ mtu: 1450, ifalias: ifb.alias, linkinfo: { info_kind: 'ifb' } });
    world.remove(ifb);
    expect(world.seen(ifb)).toBeUndefined();
  });

  test('a link of a kind without words is seen by its kind', () => {
    world.ip('link', 'add', 'tap7', 'link', 'cni0', 'type', 'macvtap');
    world.drain();
    expect(world.mirror.state.get('link tap7')).toMatchObject({
      detail: { type: 'other', linkKind: 'macvtap' },
    });
    expect(world.mirror.state.get('link lo')).toMatchObject({ detail: { linkKind: 'physical' } });
  });

  test('whatever was made is the same in a dump', () => {
    const links = (state: Iterable<KernelObject>) => [...state].filter(({ kind }) => kind === 'link');
    expect(links(world.mirror.state.values())).toEqual(
      expect.arrayContaining(links(world.dumped().values())),
    );
  });
});

describeHere('links and other namespaces', () => {
  const far = (name: string) => {
    using socket = NetlinkSocket.open({ protocol: NETLINK_ROUTE, namespace: world.far });
    try {
      return decodeLink(socket.requestSync(linkRequest(name))[0] as Uint8Array);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };

  test('a macvlan is made in another namespace on a parent that is here', () => {
    world.add({
      kind: 'link',
      name: 'parent0',
      detail: { type: 'veth', peer: { name: 'parent1' } },
      up: true,
    });
    const macvlan: Link = {
      kind: 'link',
      name: 'lo-like',
      detail: { type: 'macvlan', parent: 'parent0', mode: 'bridge' },
      mac: '02:00:00:00:00:77',
      mtuBytes: 1400,
      netns: world.far.path,
    };
    world.add(macvlan);
    expect(world.seen(macvlan)).toBeUndefined();
    expect(far('lo-like')).toMatchObject({
      detail: { type: 'macvlan', parent: '', mode: 'bridge' },
      mac: '02:00:00:00:00:77',
      mtuBytes: 1400,
    });
    expect(() => world.add(macvlan)).toThrow('EEXIST');
  });

  test('a link moves to another namespace and gets a new name on the way', () => {
    const device: Link = {
      kind: 'link',
      name: 'device0',
      detail: { type: 'veth', peer: { name: 'device1' } },
      up: true,
    };
    world.add(device);
    world.apply({
      verb: 'replace',
      object: { ...device, name: 'moved0', netns: world.far.path },
      previous: device,
    });
    expect(world.seen(device)).toBeUndefined();
    expect(far('moved0')).toMatchObject({ detail: { type: 'veth' }, up: false });
  });
});

describeHere('a link is changed in place, by differences', () => {
  const base: Link = {
    kind: 'link',
    name: 'change0',
    detail: { type: 'veth', peer: { name: 'change1' } },
    up: false,
    mtuBytes: 1500,
    mac: '0a:00:00:00:02:01',
    master: '',
    alias: CNI,
    addressGeneration: 'eui64',
    promiscuous: false,
    allMulticast: false,
    transmitQueueLength: 1000,
  };

  beforeAll(() => world.add(base));

  test.each<[string, Partial<Link>]>([
    ['alias of a link that is down', { alias: `${CNI}:a` }],
    ['address generation of a link that is down', { addressGeneration: 'none' }],
    ['MTU', { mtuBytes: 1400 }],
    ['MAC', { mac: '0a:00:00:00:02:02' }],
    ['master and hairpin', { master: 'cni0', hairpin: true, isolated: false }],
    ['hairpin of a port that is down', { hairpin: false }],
    ['up', { up: true }],
    ['alias of a link that is up', { alias: `${CNI}:b` }],
    ['hairpin of a port that is up', { hairpin: true }],
    ['isolation of a port that is up', { isolated: true }],
    ['promiscuity', { promiscuous: true }],
    ['all multicast', { allMulticast: true }],
    ['the queue', { transmitQueueLength: 77 }],
    ['several at once, and down', { up: false, promiscuous: false, mtuBytes: 1300, alias: `${CNI}:c` }],
    ['no master', { master: '' }],
  ])('%s', (_name, wishes) => {
    const previous = world.seen(base) as Link;
    const wanted: Link = { ...previous, ...wishes };
    world.apply({ verb: 'replace', object: wanted, previous });
    const { hairpin: _gone, isolated: _too, ...rest } = plain(wanted);
    expect(plain(world.seen(base))).toEqual(wanted.master === '' ? rest : plain(wanted));
    expect(world.dumped().get(keyOf(base))).toEqual(world.seen(base));
  });

  test('options of a bridge', () => {
    const previous = world.mirror.state.get('link cni0') as Link;
    const wanted: Link = {
      ...previous,
      detail: { type: 'bridge', vlanFiltering: false, stp: true, multicastSnooping: true },
    };
    world.apply({ verb: 'replace', object: wanted, previous });
    expect(world.mirror.state.get('link cni0')).toMatchObject({
      detail: { stp: true, multicastSnooping: true },
    });
    world.apply({ verb: 'replace', object: previous, previous: wanted });
    expect(world.mirror.state.get('link cni0')).toEqual(previous);
  });

  test('a hairpin that somebody else sets is heard of', () => {
    world.run('bridge', 'link', 'set', 'dev', 'veth0', 'hairpin', 'off');
    world.drain();
    expect(world.mirror.state.get('link veth0')).toMatchObject({ hairpin: false });
  });

  test('a link that leaves is gone, with its twin', () => {
    world.remove(base);
    expect(world.mirror.state.has('link change0')).toBe(false);
    expect(world.mirror.state.has('link change1')).toBe(false);
  });

  test('a link that does not exist is named by the error', () => {
    const missing: Neighbour = {
      kind: 'neighbour',
      link: 'nowhere',
      address: '10.0.0.1',
      mac: '0a:00:00:00:00:01',
      protocol: 113,
    };
    expect(() => world.add(missing)).toThrow('link nowhere does not exist (ENODEV)');
    try {
      world.add(missing);
    } catch (error) {
      expect(error).toSatisfy(isMissingLink);
    }
  });
});

test('features of a VXLAN device are read and switched off by name', () => {
  using socket = NetlinkSocket.open({ protocol: NETLINK_GENERIC, namespace: world.near });
  const { id } = decodeFamily(socket.requestSync(familyRequest(ETHTOOL_FAMILY))[0] as Uint8Array);
  const features = () => decodeFeatures(socket.requestSync(featuresRequest(id, 'vxlan4'))[0] as Uint8Array);
  const name = 'tx-checksum-ip-generic';
  expect(features().active).toContain(name);
  expect(features().changeable).toContain(name);
  expect(features().changeable).not.toContain('tx-checksum-ipv4');
  socket.requestSync(setFeaturesRequest(id, 'vxlan4', { [name]: false }));
  expect(features().active).not.toContain(name);
  socket.requestSync(setFeaturesRequest(id, 'vxlan4', { [name]: true }));
  expect(features().active).toContain(name);
});
