/** The choice of the underlay's link where the running kernel is asked for its routes, in both families. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { NodeAddressWishes } from '#app/agent/node-addresses.ts';
import { inNamespace } from './ip.ts';
import { NamespaceFolder } from './namespace-folder.ts';

/** In a process of its own: only there are the sockets in the namespace. */
const CHOOSE = `
const { findNodeAddresses } = await import('#app/agent/node-addresses.ts');
const { RealKernel } = await import('#io/kernel/index.ts');
const { currentNamespace } = await import('#io/namespace/index.ts');
const [families, wishes] = JSON.parse(process.argv[1]);
using namespace = currentNamespace();
using kernel = RealKernel.open(namespace);
const { link, ...rest } = await findNodeAddresses(kernel.state(), families, wishes);
process.stdout.write(JSON.stringify({ link: link.name, ...rest }));`;

const folder = new NamespaceFolder('node-addresses');
const netns = folder.make('host').path;
beforeAll(() => {
  inNamespace(
    netns,
    'sh',
    '-ec',
    `ip link set lo up
     for n in 0 1; do
       ip link add eth$n type veth peer name far$n; ip link set far$n up; ip link set eth$n up
       ip address add 10.$n.0.5/24 dev eth$n; ip address add fd0$n::5/64 dev eth$n nodad
     done
     ip route add default via 10.0.0.1; ip route add default via fd01::1
     ip route add 172.20.0.0/16 via 10.1.0.1; ip route add fdaa::/16 via fd00::1`,
  );
});
afterAll(() => folder[Symbol.dispose]());

function choose(families: readonly (4 | 6)[], wishes: NodeAddressWishes): Record<string, string> {
  const args = [`--net=${netns}`, process.execPath, '--input-type=module', '-e', CHOOSE];
  const text = execFileSync('nsenter', [...args, JSON.stringify([families, wishes])], {
    cwd: join(import.meta.dirname, '../..'),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return JSON.parse(text) as Record<string, string>;
}

test.each<[readonly (4 | 6)[], NodeAddressWishes, string, string]>([
  [[4], {}, 'eth0', 'the default route of IPv4'],
  [[6], {}, 'eth1', 'the default route of IPv6'],
  [[4, 6], {}, 'eth0', 'the default route of IPv4'],
  [[4, 6], { ifaceCanReach: '172.20.3.4' }, 'eth1', '--iface-can-reach 172.20.3.4'],
  [[4, 6], { ifaceCanReach: 'fdaa::1' }, 'eth0', '--iface-can-reach fdaa::1'],
  [[4, 6], { ifaces: ['fd01::5'] }, 'eth1', '--iface fd01::5'],
])('for families %j and wishes %j it is %s', (families, wishes, link, reason) => {
  const n = link.slice(-1);
  expect(choose(families, wishes)).toEqual({
    link,
    reason,
    ...(families.includes(4) && { ipv4: `10.${n}.0.5`, localIpv4: `10.${n}.0.5` }),
    ...(families.includes(6) && { ipv6: `fd0${n}::5`, localIpv6: `fd0${n}::5` }),
  });
});

test('an address to which there is no way chooses nothing', () => {
  inNamespace(netns, 'ip', 'route', 'add', 'unreachable', '198.51.100.0/24');
  expect(() => choose([4], { ifaceCanReach: '198.51.100.9' })).toThrow(
    '--iface-can-reach 198.51.100.9: no link leads there',
  );
});
