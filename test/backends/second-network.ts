/** A second network on the hosts of a backend's world: its pods, and its end. */
import { PROGRAM } from '../e2e/agent-world.ts';
import { runIn } from './talk.ts';
import type { BackendWorld, Host, PodAddresses } from './world.ts';

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

/** A row of what `poplin cleanup` prints. */
export interface CleanUpRow {
  readonly what: string;
  readonly done: string;
}

/** Runs `poplin cleanup --network` on a host. */
export async function cleanUpNetwork(
  world: BackendWorld,
  host: Host,
  network: string,
): Promise<CleanUpRow[]> {
  const args = ['cleanup', '--root-dir', world.file(`root-${host}`), '--network', network, '--json'];
  return JSON.parse(await runIn(world.file(host), process.execPath, PROGRAM, ...args)) as CleanUpRow[];
}
