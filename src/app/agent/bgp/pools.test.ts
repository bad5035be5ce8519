import { describe, expect, it } from 'vitest';
import { translateCalico } from '#core/bgp/calico/index.ts';
import { describeObject, type KernelObject } from '#core/kernel/index.ts';
import { type NftObject, printRuleset } from '#core/nft/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import type { BgpPlace } from './place.ts';
import { planPools } from './pools.ts';

const PLACE: BgpPlace = {
  addresses: ['10.0.0.1/24', 'fd00::1/64'],
  subnets: ['10.10.1.0/24', 'fd10:0:0:1::/64'],
  networks: ['10.10.0.0/16', 'fd10::/48'],
  backend: 'alloc',
  underlay: { link: 'eth0', mtuBytes: 1500 },
};

function node(name: string, ipv4: string, ipv6: string): KubeObject {
  const annotations = { 'projectcalico.org/IPv4Address': ipv4, 'projectcalico.org/IPv6Address': ipv6 };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, annotations } };
}

const NODES = [
  node('own', '10.0.0.1/24', 'fd00::1/64'),
  node('near', '10.0.0.2/24', 'fd00::2/64'),
  node('far', '10.0.1.3/24', 'fd00:1::3/64'),
];

function planOf(specs: Readonly<Record<string, object>>, place: Partial<BgpPlace> = {}) {
  const pools = Object.entries(specs).map(([name, spec]) => ({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name },
    spec,
  }));
  const all = { ...PLACE, ...place };
  return planPools(
    'own',
    translateCalico({ node: 'own', objects: [...NODES, ...pools], blocks: all.subnets }),
    all,
  );
}

const isNft = (object: KernelObject): boolean => object.kind.startsWith('nft-');
const shown = (objects: readonly KernelObject[]) => [
  ...objects.filter((object) => !isNft(object)).map(describeObject),
  ...printRuleset(objects.filter(isNft) as unknown as NftObject[]).split('\n'),
];

describe('a pool with a tunnel', () => {
  it.each([
    ['vxlanMode', 'CrossSubnet', undefined, 'via 10.0.1.3 dev vxlan.poplin onlink'],
    ['vxlanMode', 'Always', 'via 10.0.0.2 dev vxlan.poplin onlink', 'via 10.0.1.3 dev vxlan.poplin onlink'],
    ['ipipMode', 'CrossSubnet', undefined, 'via 10.0.1.3 dev ipip.poplin onlink'],
    ['ipipMode', 'Always', 'via 10.0.0.2 dev ipip.poplin onlink', 'via 10.0.1.3 dev ipip.poplin onlink'],
  ])('%s %s goes to a node of the same network %s, and to another %s', (key, mode, near, far) => {
    const { tunnelTo, problems } = planOf({ pods: { cidr: '10.10.0.0/16', [key]: mode } });
    const to = (nextHop: string, prefix = '10.10.7.0/24') => {
      const hop = tunnelTo(prefix, nextHop);
      return hop && `via ${hop.via} dev ${hop.link}${hop.onlink ? ' onlink' : ''}`;
    };
    expect([to('10.0.0.2'), to('10.0.1.3')]).toEqual([near, far]);
    expect(to('10.0.1.3', '10.20.0.0/24')).toBeUndefined();
    expect(problems).toEqual([]);
  });

  it('goes in IPv6 by a gateway that is on the tunnel alone', () => {
    const { tunnelTo, overheadBytes } = planOf({ pods: { cidr: 'fd10::/48', vxlanMode: 'CrossSubnet' } });
    expect(tunnelTo('fd10:0:0:2::/64', 'fd00::2')).toBeUndefined();
    expect(tunnelTo('fd10:0:0:3::/64', 'fd00:1::3')).toEqual({
      via: 'fe80::c44e:c9ff:feeb:4e6',
      link: 'vxlan-v6.poplin',
    });
    expect(overheadBytes).toBe(70);
  });

  it('has a device, its guard, and a way to each node that is across', () => {
    const { objects, overheadBytes } = planOf({
      four: { cidr: '10.10.0.0/16', vxlanMode: 'CrossSubnet' },
      six: { cidr: 'fd10::/48', vxlanMode: 'CrossSubnet' },
    });
    expect(overheadBytes).toBe(70);
    expect(`\n${shown(objects).join('\n')}`).toBe(`
link vxlan.poplin type vxlan id 4096 dstport 4789 address a6:c7:ba:dd:6f:be mtu 1450 up
address 10.10.1.0/32 dev vxlan.poplin
route unreachable 10.10.1.0/24 metric 65000
rule -4 10112 from 10.10.1.0/24 lookup 112
sysctl net/ipv4/ip_forward=1
neighbour 10.0.1.3 lladdr 26:ad:1f:64:9e:2d dev vxlan.poplin
fdb 26:ad:1f:64:9e:2d dev vxlan.poplin dst 10.0.1.3
route 10.0.1.3/32 via 10.0.1.3 dev vxlan.poplin onlink table 112
link vxlan-v6.poplin type vxlan id 4096 dstport 4789 address 66:60:37:9a:37:83 mtu 1430 up
address fd10:0:0:1::/128 dev vxlan-v6.poplin
route unreachable fd10:0:0:1::/64 metric 65000
rule -6 10112 from fd10:0:0:1::/64 lookup 112
sysctl net/ipv6/conf/all/forwarding=1
neighbour fe80::c44e:c9ff:feeb:4e6 lladdr c6:4e:c9:eb:04:e6 dev vxlan-v6.poplin
fdb c6:4e:c9:eb:04:e6 dev vxlan-v6.poplin dst fd00:1::3
route fd00:1::3/128 via fe80::c44e:c9ff:feeb:4e6 dev vxlan-v6.poplin table 112
table inet poplin-bgp-vxlan {
	set peers4 {
		type ipv4_addr
		elements = { 10.0.0.2, 10.0.1.3 }
	}

	set peers6 {
		type ipv6_addr
		elements = { fd00::2,
			     fd00:1::3 }
	}

	chain prerouting {
		type filter hook prerouting priority raw; policy accept;
		udp dport 4789 notrack
	}

	chain output {
		type filter hook output priority raw; policy accept;
		udp dport 4789 notrack
	}

	chain input {
		type filter hook input priority filter; policy accept;
		ip saddr != @peers4 udp dport 4789 @th,96,24 0x1000 counter packets 0 bytes 0 drop
		ip6 saddr != @peers6 udp dport 4789 @th,96,24 0x1000 counter packets 0 bytes 0 drop
	}
}
`);
  });

  it('goes to a router as it is, and that is told', () => {
    const { tunnelTo, lateProblems } = planOf({ pods: { cidr: '10.10.0.0/16', ipipMode: 'Always' } });
    expect(lateProblems()).toEqual([]);
    expect(tunnelTo('10.10.7.0/24', '10.0.0.254')).toBeUndefined();
    expect(lateProblems()).toEqual([
      'BGP: next hop 10.0.0.254 is no node, and so packets of an IPPool go to it as they are',
    ]);
  });
});

it('two tunnels of a family have a device and a guard each', () => {
  const { objects, tunnelTo } = planOf({
    one: { cidr: '10.10.0.0/17', vxlanMode: 'Always' },
    two: { cidr: '10.10.128.0/17', ipipMode: 'Always' },
  });
  expect(objects.flatMap((object) => (object.kind === 'nft-table' ? [object.name] : []))).toEqual([
    'poplin-bgp-vxlan',
    'poplin-bgp-ipip',
  ]);
  expect([tunnelTo('10.10.7.0/24', '10.0.1.3')?.link, tunnelTo('10.10.200.0/24', '10.0.1.3')?.link]).toEqual([
    'vxlan.poplin',
    'ipip.poplin',
  ]);
});

it('what leaves all pools has the address of the node, if its pool says so', () => {
  const { objects } = planOf({
    pods: { cidr: '10.10.0.0/16', natOutgoing: true, vxlanMode: 'CrossSubnet' },
    others: { cidr: '10.20.0.0/16' },
    six: { cidr: 'fd10::/48' },
  });
  const chain = objects.filter((object) => isNft(object) && JSON.stringify(object).includes('"poplin-bgp"'));
  expect(`\n${printRuleset(chain as unknown as NftObject[])}`).toBe(`
table inet poplin-bgp {
	chain nat-outgoing {
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x00004000 == 0x00004000 return
		oifname "vxlan.poplin" return
		ip daddr 10.10.0.0/16 return
		ip daddr 10.20.0.0/16 return
		ip saddr 10.10.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
	}
}
`);
});

describe('what of a pool is not carried out', () => {
  it.each<[string, Partial<BgpPlace>, object, readonly string[]]>([
    [
      'a tunnel of another kind than the backend',
      { backend: 'vxlan' },
      { cidr: '10.10.0.0/16', ipipMode: 'Always' },
      [
        'IPPool pods spec: ipip is wanted, and the network\'s backend is vxlan, which has routes of its own: Backend.Type "alloc" leaves it to the pool',
      ],
    ],
    [
      'no tunnel where the backend is one',
      { backend: 'vxlan' },
      { cidr: '10.10.0.0/16' },
      [
        'IPPool pods spec: no encapsulation is wanted, and the network\'s backend is vxlan, which has routes of its own: Backend.Type "alloc" leaves it to the pool',
      ],
    ],
    [
      'a tunnel beside a backend',
      { backend: 'vxlan' },
      { cidr: '10.20.0.0/16', vxlanMode: 'Always' },
      [
        'IPPool pods spec: vxlan is not done beside the network\'s backend, vxlan, so 10.20.0.0/16 is not reached by BGP: Backend.Type "alloc" leaves it to the pool',
      ],
    ],
    ['nothing where backend and pool agree', { backend: 'host-gw' }, { cidr: '10.10.0.0/16' }, []],
    [
      'subnets that nobody is told of',
      {},
      { cidr: '10.10.0.0/16', disableBGPExport: true },
      [
        'IPPool pods spec.disableBGPExport: pods of 10.10.0.0/16 are reached from their own node alone, for BGP is told nothing of them and nothing else carries them',
      ],
    ],
    [
      'who gets which addresses',
      {},
      {
        cidr: '10.10.0.0/16',
        disabled: true,
        nodeSelector: "rack == 'a'",
        namespaceSelector: "team == 'a'",
        assignmentMode: 'Manual',
        allowedUses: ['Tunnel'],
        blockSize: 26,
      },
      [
        'IPPool pods spec.disabled: is not obeyed, pods get addresses of it all the same',
        'IPPool pods spec.nodeSelector: is not obeyed, all nodes have a subnet of it all the same',
        'IPPool pods spec.namespaceSelector: is not obeyed, pods of all namespaces have addresses of it',
        'IPPool pods spec.assignmentMode: is not obeyed, pods get addresses of it without asking',
        'IPPool pods spec.allowedUses: is not obeyed, pods get addresses of it all the same',
        "IPPool pods spec.blockSize: is not obeyed, a node's subnet is a /24: SubnetLen and IPv6SubnetLen of net-conf.json say it",
      ],
    ],
    ['the size that blocks have', {}, { cidr: '10.10.0.0/16', blockSize: 24 }, []],
    ['pools of others', {}, { cidr: '10.20.0.0/16', disabled: true, disableBGPExport: true }, []],
  ])('is told: %s', (_, place, spec, expected) => {
    expect(planOf({ pods: spec }, place).problems).toEqual(expected);
  });
});
