import { describe, expect, test } from 'vitest';
import { describeObject } from '#core/kernel/index.ts';
import { type NftObject, printRuleset } from '#core/nft/index.ts';
import { type PodNetwork, planBlackhole, planForward, planMasquerade } from './index.ts';

const NETWORKS: readonly PodNetwork[] = [
  { family: 4, network: '10.244.0.0/16', subnet: '10.244.1.0/24' },
  { family: 6, network: 'fd44::/48', subnet: 'fd44:0:0:1::/64' },
];
const print = (objects: readonly unknown[]) => printRuleset(objects as readonly NftObject[]);

describe('what a node does with packets of pods', () => {
  test('is flannel’s chain in flannel’s order, in both families', () => {
    expect(
      print(planMasquerade(NETWORKS, { isFullyRandom: true, overlayLinks: ['flannel.1'] })),
    ).toBe(`table inet poplin-network {
	chain source-nat {
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x00004000 == 0x00004000 return
		ip saddr 10.244.1.0/24 ip daddr 10.244.0.0/16 return
		ip saddr 10.244.0.0/16 ip daddr 10.244.1.0/24 return
		ip saddr != 10.244.0.0/16 ip daddr 10.244.1.0/24 return
		ip saddr 10.244.0.0/16 oifname "flannel.1" return
		ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
		ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/16 masquerade fully-random
		ip6 saddr fd44:0:0:1::/64 ip6 daddr fd44::/48 return
		ip6 saddr fd44::/48 ip6 daddr fd44:0:0:1::/64 return
		ip6 saddr != fd44::/48 ip6 daddr fd44:0:0:1::/64 return
		ip6 saddr fd44::/48 oifname "flannel.1" return
		ip6 saddr fd44::/48 ip6 daddr != ff00::/8 masquerade fully-random
		ip6 saddr != fd44::/48 ip6 daddr fd44::/48 masquerade fully-random
	}
}
`);
  });

  test('has ports of the kernel’s choice where the random ones are switched off', () => {
    const text = print(planMasquerade(NETWORKS, { isFullyRandom: false, overlayLinks: [] }));
    expect(text).not.toContain('random');
    expect(text.match(/ masquerade\n/g)).toHaveLength(4);
  });

  test('accepts what is forwarded from and to the network, in the same table', () => {
    expect(print(planForward(NETWORKS))).toBe(`table inet poplin-network {
	chain forward {
		type filter hook forward priority filter; policy accept;
		ip saddr 10.244.0.0/16 accept
		ip daddr 10.244.0.0/16 accept
		ip6 saddr fd44::/48 accept
		ip6 daddr fd44::/48 accept
	}
}
`);
  });

  test('loses what goes to addresses without a pod, in front of the route that calls them unreachable', () => {
    expect(planBlackhole(NETWORKS).map(describeObject)).toEqual([
      'route blackhole 10.244.1.0/24 metric 64999',
      'route blackhole fd44:0:0:1::/64 metric 64999',
    ]);
  });

  test('is nothing without a network', () => {
    const settings = { isFullyRandom: true, overlayLinks: [] };
    expect([...planMasquerade([], settings), ...planForward([]), ...planBlackhole([])]).toEqual([]);
  });
});
