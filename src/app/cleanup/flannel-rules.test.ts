import { expect, test } from 'vitest';
import type { RuleTool } from '#core/cni/index.ts';
import { chainRemovals } from './chains.ts';
import { FLANNEL_CHAINS, removeFlannelRules } from './flannel-rules.ts';

const flannelRemovals = (listing: string) => chainRemovals(listing, FLANNEL_CHAINS);

const NAT = `-P PREROUTING ACCEPT
-P POSTROUTING ACCEPT
-N FLANNEL-POSTRTG
-N KUBE-POSTROUTING
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN
-A POSTROUTING -m comment --comment "no flanneld masq" -j KUBE-POSTROUTING
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
`;

test('flannel’s chains go, with what leads to them and its old rules, and nothing else', () => {
  expect(flannelRemovals(NAT)).toEqual([
    ['-D', 'POSTROUTING', '-m', 'comment', '--comment', 'flanneld masq', '-j', 'FLANNEL-POSTRTG'],
    [
      ...['-D', 'POSTROUTING', '-s', '10.244.0.0/16', '-d', '10.244.0.0/16'],
      ...['-m', 'comment', '--comment', 'flanneld masq', '-j', 'RETURN'],
    ],
    ['-F', 'FLANNEL-POSTRTG'],
    ['-X', 'FLANNEL-POSTRTG'],
  ]);
  expect(flannelRemovals('-P INPUT ACCEPT\n')).toEqual([]);
});

test('a program that is missing has left nothing, and one that fails is told of', async () => {
  const tool: RuleTool = {
    has: (program) => program !== 'ip6tables',
    mayHold: () => true,
    run: async (program, args) => {
      if (program === 'nft')
        return 'table ip flannel-ipv4\ntable ip6 flannel-ipv60\ntable inet flannel-ipv4\n';
      if (args.includes('nat')) throw new Error('iptables: table is locked');
      return '';
    },
  };
  expect(await removeFlannelRules(tool, true)).toEqual([
    { what: 'iptables -w 5 -t nat -S', done: 'failed', reason: 'iptables: table is locked' },
    { what: 'nft delete table ip flannel-ipv4', done: 'would be removed' },
  ]);
});
