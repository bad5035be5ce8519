/** `poplin cleanup --flannel-only` on the real kernel and the real iptables: what flannel leaves goes, all else stays. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeFlannelEnv } from '#app/cleanup/files.ts';
import { removeFlannelRules } from '#app/cleanup/flannel-rules.ts';
import { planFlannelLinks, removeObjects } from '#app/cleanup/kernel.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { createRuleTool } from '#io/rule-tool/index.ts';
import { inNetns } from './cni-world.ts';
import { NamespaceFolder } from './namespace-folder.ts';

let folder: NamespaceFolder;
let netns: string;
let kernel: RealKernel;
beforeEach(() => {
  folder = new NamespaceFolder('cleanup');
  const namespace = folder.make('host');
  netns = namespace.path;
  kernel = RealKernel.open(namespace);
});
afterEach(() => {
  kernel[Symbol.dispose]();
  folder[Symbol.dispose]();
});

const sh = (commandLine: string) => inNetns(netns, 'sh', '-ec', commandLine);
const state = () =>
  sh(
    `ip -o link | sed 's/^[0-9]*: //' | sort; ip route; ip -6 route | grep -v fe80 || true
     for tables in iptables ip6tables; do for table in nat filter; do $tables -t $table -S; done; done; nft list tables`,
  );

const OTHERS = `
  ip link set lo up; ip link add eth0 type bridge; ip address add 10.0.0.5/24 dev eth0; ip link set eth0 up
  ip link add flannelly type bridge
  nft add table ip others
  for tables in iptables ip6tables; do
    $tables -t nat -N KUBE-POSTROUTING; $tables -t nat -A POSTROUTING -m comment --comment "not flanneld masq" -j KUBE-POSTROUTING
    $tables -A FORWARD -o eth0 -j ACCEPT
  done`;
const FLANNEL = `
  ip link add flannel.1 type vxlan id 1 dev eth0 dstport 8472 nolearning; ip link set flannel.1 up
  ip address add 10.244.1.0/32 dev flannel.1; ip route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
  ip link add flannel-v6.1 type vxlan id 1 local fd00::5 dstport 8472; ip link set flannel-v6.1 up
  ip link add cni0 type bridge; ip address add 10.244.1.1/24 dev cni0; ip link set cni0 up
  for tables in iptables ip6tables; do
    $tables -t nat -N FLANNEL-POSTRTG; $tables -N FLANNEL-FWD
    $tables -t nat -A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
    $tables -A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
    $tables -t nat -A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
    $tables -t nat -A FLANNEL-POSTRTG -m comment --comment "flanneld masq" -j MASQUERADE --random-fully
  done
  iptables -A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT
  nft add table ip flannel-ipv4; nft add table ip6 flannel-ipv6
  nft 'add chain ip flannel-ipv4 postrtg { type nat hook postrouting priority 100; }'`;

async function cleanUp(isDry = false) {
  const rows = await removeObjects(kernel, planFlannelLinks(kernel.state()), isDry);
  return [...rows, ...(await removeFlannelRules(createRuleTool(netns), isDry))];
}

test('devices, chains, rules and tables go, and the host is as it was', async () => {
  sh(OTHERS);
  const before = state();
  sh(FLANNEL);
  const working = state();
  const dry = await cleanUp(true);
  expect(new Set(dry.map(({ done }) => done))).toEqual(new Set(['would be removed']));
  expect(state()).toBe(working);
  const rows = await cleanUp();
  expect(rows.filter(({ done }) => done !== 'removed')).toEqual([]);
  expect(rows.map(({ what }) => what)).toEqual(dry.map(({ what }) => what));
  expect(state()).toBe(before);
  expect(await cleanUp()).toEqual([]);
});

test('a bridge that pods still have ports on stays', async () => {
  sh(OTHERS);
  sh(`${FLANNEL}\nip link add veth1 type veth peer name veth2; ip link set veth1 master cni0`);
  const rows = await cleanUp();
  expect(rows.filter(({ done }) => done !== 'removed')).toMatchObject([{ what: 'link cni0', done: 'kept' }]);
  expect(sh('ip -o link show master cni0')).toContain('veth1');
  const run = join(folder.path, 'run/flannel');
  mkdirSync(run, { recursive: true });
  writeFileSync(join(run, 'subnet.env'), 'FLANNEL_SUBNET=10.244.1.1/24\n');
  expect(removeFlannelEnv({ subnetEnv: join(run, 'subnet.env') }, false)).toMatchObject([
    { done: 'removed' },
  ]);
});
