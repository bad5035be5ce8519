/** A second network on the hosts of a backend's world: its configuration, its pods, its end. And an etcd that forgets. */
import { writeFileSync } from 'node:fs';
import { inNetns, PROGRAM } from './agent-world.ts';
import type { BackendWorld, Host, PodAddresses } from './backend-world.ts';

/** Says what a second network is, in place of the configuration that the first one has. */
export function configureNetwork(world: BackendWorld, network: string, netConf: object): void {
  writeFileSync(world.file(`net-conf-${network}.json`), JSON.stringify(netConf));
  if (world.options.registry === 'etcd')
    world.etcd('put', `/coreos.com/network-${network}/config`, JSON.stringify(netConf));
}

/** A pod by hand, as a CNI plugin of others would make it: a pair of links, an address of each subnet, routes. */
export function makePod(
  world: BackendWorld,
  host: Host,
  network: string,
  subnets: readonly string[],
): PodAddresses {
  const netns = `${network}-${host}`;
  world.addNamespace(netns);
  const addresses = subnets.map((subnet) =>
    subnet.replace(/(\.0|::)\/\d+$/, (end) => (end.startsWith('.') ? '.5' : '::5')),
  );
  const bits = (address: string) => (address.includes(':') ? '128 nodad' : '32');
  world.sh(
    host,
    `ip link add two0 type veth peer name eth0 netns ${world.file(netns)}
    ip link set two0 up; ip address add 169.254.2.1/32 dev two0; ip -6 address add fe80::2/64 dev two0 nodad
    ${addresses.map((address) => `ip route add ${address} dev two0`).join('\n')}`,
  );
  world.sh(
    netns,
    `ip link set lo up; ip link set eth0 mtu 1400 up
    ${addresses.map((address) => `ip address add ${address}/${bits(address)} dev eth0`).join('\n')}
    ip route add 169.254.2.1 dev eth0; ip route add default via 169.254.2.1; ip -6 route add default via fe80::2 dev eth0`,
  );
  return { netns, addresses };
}

/** Runs `poplin cleanup --network` on a host. */
export function cleanUpNetwork(
  world: BackendWorld,
  host: Host,
  network: string,
): { readonly what: string; readonly done: string }[] {
  const args = ['cleanup', '--root-dir', world.file(`root-${host}`), '--network', network, '--json'];
  return JSON.parse(inNetns(world.file(host), process.execPath, PROGRAM, ...args)) as ReturnType<
    typeof cleanUpNetwork
  >;
}

/** Etcd forgets its history while it is written to: who watches is told that what it asks for is gone. */
export function compactStore(world: BackendWorld): void {
  if (world.options.registry !== 'etcd') return;
  for (let index = 0; index < 20; index++) world.etcd('put', '/elsewhere', String(index));
  const { header } = JSON.parse(world.etcd('get', '/elsewhere', '-w', 'json')) as {
    header: { revision: number };
  };
  world.etcd('compact', String(header.revision));
  world.etcd('defrag');
}
