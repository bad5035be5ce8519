import { describe, expect, it } from 'vitest';
import { parseMac } from '#base/ip/index.ts';
import { describeObject, type KernelObject, OVERLAY, ownerOf, stateOf } from '#core/kernel/index.ts';
import { type NftObject, printRuleset } from '#core/nft/index.ts';
import {
  type OverlaySubnet,
  planLocal,
  planRemote,
  type VxlanSettings,
  vtepAddress,
  vtepMac,
  vxlanLinkName,
} from './index.ts';
import { podMtuBytes } from './mtu.ts';
import { spreadScope } from './route-scope.ts';
import { vxlanOverheadBytes } from './vxlan.ts';

const SETTINGS: VxlanSettings = {
  vni: 1,
  port: 8472,
  learning: false,
  gbp: false,
  underlayMtuBytes: 1500,
  underlayLink: 'eth0',
};
const LOCAL4: OverlaySubnet = {
  node: 'node-a',
  family: 4,
  subnet: '10.10.16.0/20',
  publicIp: '192.0.2.1',
  vtepMac: '02:00:00:00:04:01',
};
const LOCAL6: OverlaySubnet = {
  node: 'node-a',
  family: 6,
  subnet: 'fd10:0:0:1::/64',
  publicIp: '2001:db8::1',
  vtepMac: '02:00:00:00:06:01',
};
const REMOTE4 = {
  ...LOCAL4,
  node: 'node-b',
  subnet: '10.10.32.0/20',
  publicIp: '192.0.2.2',
  vtepMac: '02:00:00:00:04:02',
};
const REMOTE6 = {
  ...LOCAL6,
  node: 'node-b',
  subnet: 'fd10:0:0:2::/64',
  publicIp: '2001:db8::2',
  vtepMac: '02:00:00:00:06:02',
};

const lines = (objects: readonly KernelObject[]) => `${objects.map(describeObject).join('\n')}\n`;
const isNft = (object: KernelObject): object is NftObject => object.kind.startsWith('nft-');

describe('planLocal', () => {
  it('makes a device in each family, its address, a stop for unused addresses, a rule and forwarding', () => {
    expect(lines(planLocal([LOCAL4, LOCAL6], SETTINGS).filter((object) => !isNft(object)))).toBe(
      `\
link flannel.1 type vxlan id 1 dstport 8472 address 02:00:00:00:04:01 mtu 1450 up
address 10.10.16.0/32 dev flannel.1
route unreachable 10.10.16.0/20 metric 65000
rule -4 10112 from 10.10.16.0/20 lookup 112
sysctl net/ipv4/ip_forward=1
link flannel-v6.1 type vxlan id 1 dstport 8472 address 02:00:00:00:06:01 mtu 1430 up
address fd10:0:0:1::/128 dev flannel-v6.1
route unreachable fd10:0:0:1::/64 metric 65000
rule -6 10112 from fd10:0:0:1::/64 lookup 112
sysctl net/ipv6/conf/all/forwarding=1
`,
    );
  });

  it('lets encapsulated packets in from known nodes only, past connection tracking', () => {
    const objects = [
      ...planLocal([LOCAL4, LOCAL6], SETTINGS),
      ...planRemote(REMOTE4, SETTINGS),
      ...planRemote(REMOTE6, SETTINGS),
    ];
    expect(printRuleset(objects.filter(isNft))).toBe(
      `\
table inet poplin-overlay {
	set peers4 {
		type ipv4_addr
		elements = { 192.0.2.2 }
	}

	set peers6 {
		type ipv6_addr
		elements = { 2001:db8::2 }
	}

	chain prerouting {
		type filter hook prerouting priority raw; policy accept;
		udp dport 8472 notrack
	}

	chain output {
		type filter hook output priority raw; policy accept;
		udp dport 8472 notrack
	}

	chain input {
		type filter hook input priority filter; policy accept;
		ip saddr != @peers4 udp dport 8472 @th,96,24 0x1 counter packets 0 bytes 0 drop
		ip6 saddr != @peers6 udp dport 8472 @th,96,24 0x1 counter packets 0 bytes 0 drop
	}
}
`,
    );
  });

  it('tells the device all that the kernel would choose otherwise', () => {
    const settings = { ...SETTINGS, vni: 7, port: 4789, learning: true, gbp: true };
    const [device4] = planLocal([LOCAL4], settings);
    const [device6] = planLocal([LOCAL6], settings);
    const common = { type: 'vxlan', vni: 7, port: 4789, underlay: 'eth0', learning: true, gbp: true };
    expect(device4).toMatchObject({
      name: 'flannel.7',
      detail: { ...common, local: '192.0.2.1', udpChecksum: false },
      addressGeneration: 'none',
      alias: OVERLAY.alias,
    });
    expect(device6).toMatchObject({ name: 'flannel-v6.7', detail: { ...common, local: '2001:db8::1' } });
    expect(device6).not.toHaveProperty('detail.udpChecksum');
  });

  it('has the underlay heed router advertisements where it lives on them, in IPv6 alone', () => {
    const settings = { ...SETTINGS, advertisedLinks: ['eth0'] };
    const sysctls = (local: OverlaySubnet) =>
      planLocal([local], settings)
        .filter((object) => object.kind === 'sysctl')
        .map(describeObject);
    expect(sysctls(LOCAL4)).toEqual(['sysctl net/ipv4/ip_forward=1']);
    expect(sysctls(LOCAL6)).toEqual([
      'sysctl net/ipv6/conf/eth0/accept_ra=2',
      'sysctl net/ipv6/conf/all/forwarding=1',
    ]);
  });

  it('names no family that the node has no part in', () => {
    expect(JSON.stringify(planLocal([LOCAL4], SETTINGS))).not.toMatch(/ipv6|v6|peers6/);
    expect(JSON.stringify(planLocal([LOCAL6], SETTINGS))).not.toMatch(/ipv4|flannel\.1|peers4/);
  });
});

describe('planRemote', () => {
  it('needs a neighbour, a forwarding entry, two routes and a peer for each remote subnet', () => {
    expect(lines([...planRemote(REMOTE4, SETTINGS), ...planRemote(REMOTE6, SETTINGS)])).toBe(
      `\
neighbour 10.10.32.0 lladdr 02:00:00:00:04:02 dev flannel.1
fdb 02:00:00:00:04:02 dev flannel.1 dst 192.0.2.2
route 10.10.32.0/20 via 10.10.32.0 dev flannel.1 onlink
route 192.0.2.2/32 via 10.10.32.0 dev flannel.1 onlink table 112
nft element inet poplin-overlay peers4 192.0.2.2
neighbour fd10:0:0:2:: lladdr 02:00:00:00:06:02 dev flannel-v6.1
fdb 02:00:00:00:06:02 dev flannel-v6.1 dst 2001:db8::2
route fd10:0:0:2::/64 via fd10:0:0:2:: dev flannel-v6.1 onlink
route 2001:db8::2/128 via fd10:0:0:2:: dev flannel-v6.1 onlink table 112
nft element inet poplin-overlay peers6 2001:db8::2
`,
    );
  });

  it('gives routes of IPv4 scopes of their own, of which IPv6 has none', () => {
    const scopes = (remote: OverlaySubnet) =>
      planRemote(remote, SETTINGS).flatMap((object) => (object.kind === 'route' ? [object.scope] : []));
    expect(scopes(REMOTE4)).toEqual([spreadScope(REMOTE4.subnet), spreadScope('192.0.2.2/32')]);
    expect(scopes(REMOTE6)).toEqual([undefined, undefined]);
  });

  it('shares no object with any other node or with the local side', () => {
    const others = Array.from({ length: 50 }, (_, n) => ({
      ...REMOTE4,
      subnet: `10.11.${n}.0/24`,
      publicIp: `192.0.2.${n + 10}`,
      vtepMac: vtepMac(`node-${n}`, 4, 1),
    }));
    const objects = [
      ...planLocal([LOCAL4, LOCAL6], SETTINGS),
      ...others.flatMap((each) => planRemote(each, SETTINGS)),
    ];
    expect(stateOf(objects).size).toBe(objects.length);
  });

  it("marks everything as the overlay's, so that it can be taken away again", () => {
    const objects = [
      ...planLocal([LOCAL4, LOCAL6], SETTINGS),
      ...planRemote(REMOTE4, SETTINGS),
      ...planRemote(REMOTE6, SETTINGS),
    ];
    const state = stateOf(objects);
    const unmarked = objects.filter(
      (object) => object.kind !== 'sysctl' && ownerOf(object, state) !== OVERLAY,
    );
    expect(unmarked).toEqual([]);
  });
});

describe('sizes', () => {
  it.each<[number, readonly (4 | 6)[], number]>([
    [1500, [4], 1450],
    [1500, [6], 1430],
    [1500, [4, 6], 1430],
    [9000, [4, 6], 8930],
    [1350, [6], 1280],
    [576, [4], 526],
  ])('an underlay of %i bytes, families %j: pods have %i', (underlay, families, expected) => {
    expect(podMtuBytes(underlay, families, vxlanOverheadBytes)).toBe(expected);
  });

  it('refuses an underlay that is too small for IPv6', () => {
    expect(() => podMtuBytes(1349, [4, 6], vxlanOverheadBytes)).toThrow(
      new RangeError(
        'an underlay MTU of 1349 bytes leaves 1279 for pods, and IPv6 needs 1280: raise it to 1350, or leave IPv6 out of the network',
      ),
    );
  });

  it('adds an outer IP, a UDP, a VXLAN and an Ethernet header', () => {
    expect([vxlanOverheadBytes(4), vxlanOverheadBytes(6)]).toEqual([50, 70]);
  });
});

describe('names and addresses', () => {
  it.each<[4 | 6, number, string]>([
    [4, 1, 'flannel.1'],
    [6, 1, 'flannel-v6.1'],
    [4, 4096, 'flannel.4096'],
    [6, 4096, 'flannel-v6.4096'],
    [6, 10_000, 'fl6.10000'],
    [4, 1_000_000, 'flannel.1000000'],
    [4, 16_777_215, 'fl4.16777215'],
    [6, 16_777_215, 'fl6.16777215'],
  ])('IPv%i and VNI %i: %s', (family, vni, name) => {
    expect(vxlanLinkName(family, vni)).toBe(name);
    expect(name.length).toBeLessThanOrEqual(15);
  });

  it("are flannel's: the tunnel end has the first address of its subnet", () => {
    expect([vtepAddress('10.10.16.0/20'), vtepAddress('fd10:0:0:1::/64')]).toEqual([
      '10.10.16.0',
      'fd10:0:0:1::',
    ]);
  });
});

describe('vtepMac', () => {
  it('depends on node, family and VNI, and never changes', () => {
    expect([vtepMac('node-a', 4, 1), vtepMac('node-a', 6, 1), vtepMac('node-a', 4, 2)]).toEqual([
      '8e:3d:97:b1:84:78',
      '02:37:7d:a6:eb:9f',
      '12:51:9d:ef:c4:55',
    ]);
  });

  it('is locally administered and unicast, and another for each of 100,000 nodes', () => {
    const macs = Array.from({ length: 100_000 }, (_, n) =>
      vtepMac(`ip-10-0-${n >> 8}-${n & 255}.internal`, 4, 1),
    );
    expect(new Set(macs).size).toBe(macs.length);
    const first = (mac: string) => (parseMac(mac) as Uint8Array)[0] as number;
    expect(macs.filter((mac) => (first(mac) & 3) !== 2)).toEqual([]);
  });
});
