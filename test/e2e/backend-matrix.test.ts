/**
 * Every backend of this kernel × family × registry, through the life of a node: join, agent restart, store outage, subnet change, two networks,
 * leave, reboot. Pods ping each other with their own addresses, the MTU is probed with DF, and what is sent arrives byte for byte. A usual run has
 * every backend in dual stack, its registry in turn; a soak has all. IP-in-IP and WireGuard are in test/vm.
 */
import { spawn } from 'node:child_process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { IS_SOAK } from '#testing/soak.ts';
import { inNetns, until } from './agent-world.ts';
import { startFlow } from './backend-flow.ts';
import { BackendWorld, HOSTS, type Host, type PodAddresses, type RegistryName } from './backend-world.ts';
import { cleanUpNetwork, compactStore, configureNetwork, makePod } from './second-network.ts';

type Families = 'IPv4' | 'IPv6' | 'dual stack';

interface Row {
  readonly name: string;
  readonly backend: object;
  /** Of a second network on the same hosts. */
  readonly second: object;
  readonly third: 'near' | 'behind a router';
  /** Of the pods, in IPv4 alone and otherwise. */
  readonly mtuBytes: readonly [number, number];
}

const ROWS: readonly Row[] = [
  {
    name: 'vxlan',
    backend: { Type: 'vxlan' },
    second: { Type: 'vxlan', VNI: 9 },
    third: 'behind a router',
    mtuBytes: [1450, 1430],
  },
  {
    name: 'vxlan with DirectRouting',
    backend: { Type: 'vxlan', VNI: 7, Port: 4789, DirectRouting: true },
    second: { Type: 'udp' },
    third: 'behind a router',
    mtuBytes: [1450, 1430],
  },
  {
    name: 'host-gw',
    backend: { Type: 'host-gw' },
    second: { Type: 'host-gw' },
    third: 'near',
    mtuBytes: [1500, 1500],
  },
  {
    name: 'udp',
    backend: { Type: 'udp', Port: 7890 },
    second: { Type: 'udp', Port: 7891 },
    third: 'behind a router',
    mtuBytes: [1472, 1452],
  },
];
const FAMILIES: readonly Families[] = ['IPv4', 'IPv6', 'dual stack'];
const REGISTRIES: readonly RegistryName[] = ['API server', 'etcd'];

const CELLS = ROWS.flatMap((row, at) =>
  FAMILIES.flatMap((families) => REGISTRIES.map((registry) => ({ ...row, families, registry, at }))),
).filter(
  ({ families, registry, at }) =>
    IS_SOAK || (families === 'dual stack' && REGISTRIES.indexOf(registry) === at % 2),
);

const netConfOf = ({ backend, families }: { backend: object; families: Families }, which = '42') => ({
  ...(families === 'IPv6' ? { EnableIPv4: false } : { Network: `10.${which}.0.0/16` }),
  ...(families !== 'IPv4' && { EnableIPv6: true, IPv6Network: `fd${which}::/48` }),
  Backend: backend,
});

describe.for(CELLS)('$name, $families, leases in $registry', (cell) => {
  let world: BackendWorld;
  const mtuBytes = cell.mtuBytes[cell.families === 'IPv4' ? 0 : 1];

  beforeAll(async () => {
    world = await BackendWorld.open({ ...cell, netConf: netConfOf(cell) });
  }, 60_000);
  afterAll(() => world?.[Symbol.asyncDispose]());
  afterEach(({ task }) => {
    if (task.result?.state === 'fail')
      for (const host of HOSTS) console.log(`${host}: ${world.log(host).slice(-1500)}`);
  });

  const pod = (host: Host): PodAddresses => world.pods.get(host) as PodAddresses;
  const inPod = (host: Host, ...command: [string, ...string[]]) =>
    inNetns(world.file(pod(host).netns), ...command);

  function pings(from: Host, address: string, ...more: string[]): boolean {
    try {
      return inPod(from, 'ping', '-c1', '-W1', ...more, address).includes(' 0% packet loss');
    } catch {
      return false;
    }
  }

  /** Each pod reaches each other, within a moment. */
  async function expectReach(hosts: readonly Host[] = HOSTS): Promise<void> {
    for (const from of hosts)
      for (const to of hosts)
        if (from !== to)
          for (const address of pod(to).addresses)
            await until(`${from} reaches ${to} at ${address}`, () => pings(from, address));
  }

  const flow = (from: Host, address: string) => startFlow(world.file(pod(from).netns), address);

  test('nodes join, and pods reach each other', { timeout: 60_000 }, async () => {
    for (const host of HOSTS) world.startAgent(host);
    for (const host of HOSTS) await world.ready(host);
    for (const host of HOSTS) await world.attach(host);
    await expectReach();
    const isDirect = cell.name !== 'vxlan' && cell.name !== 'udp';
    const routes = world.sh('n1', 'ip route show proto 112; ip -6 route show proto 112');
    expect(/via (192\.168\.60|fd60:).* dev eth0/.test(routes), routes).toBe(isDirect);
    expect(/ dev (flannel|fl4)/.test(routes), routes).toBe(cell.name !== 'host-gw');
    for (const host of HOSTS)
      expect(pod(host).addresses).toHaveLength(cell.families === 'dual stack' ? 2 : 1);
  });

  test('a pod is seen by its own address, by pods and by nodes', async () => {
    for (const to of ['n2', 'n3'] as const) {
      for (const [at, address] of pod(to).addresses.entries()) {
        const own = pod('n1').addresses[at];
        const connect = (ip: string, port: string) => inPod('n1', 'python3', '-c', CLIENT, ip, port);
        expect(await peerOf(world.file(pod(to).netns), address, connect)).toBe(own);
      }
    }
    const node = cell.families === 'IPv6' ? 'fd60::12' : '192.168.60.12';
    expect(pings('n1', node)).toBe(true);
    const connect = (ip: string, port: string) => inPod('n1', 'python3', '-c', CLIENT, ip, port);
    expect(await peerOf(world.file('n2'), node, connect)).toBe(pod('n1').addresses[0]);
  });

  test('packets of the pods’ MTU arrive unbroken, and no longer ones are sent', () => {
    for (const to of ['n2', 'n3'] as const) {
      for (const address of pod(to).addresses) {
        const headers = address.includes(':') ? 48 : 28;
        expect(pings('n1', address, '-Mdo', `-s${mtuBytes - headers}`), `${to} ${address}`).toBe(true);
        expect(pings('n1', address, '-Mdo', `-s${mtuBytes - headers + 1}`)).toBe(false);
      }
    }
  });

  test('what is sent arrives byte for byte, and iperf3 has its stream', async () => {
    for (const to of ['n2', 'n3'] as const) {
      for (const address of pod(to).addresses) {
        let sent = '';
        const received = await served(RECEIVER, world.file(pod(to).netns), address, (ip, port) => {
          sent = inPod('n1', 'python3', '-c', SENDER, ip, port).trim();
        });
        expect(received).toBe(sent);
      }
      const [address = ''] = pod(to).addresses;
      const server = spawn(
        'nsenter',
        [`--net=${world.file(pod(to).netns)}`, 'iperf3', '-s', '-1', '--forceflush'],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let said = '';
      server.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
      try {
        await until('iperf3 listens', () => said.includes('listening'));
        const report = JSON.parse(inPod('n1', 'iperf3', '-c', address, '-n', '8M', '-J')) as {
          end: { sum_sent: { bytes: number } };
        };
        expect(report.end.sum_sent.bytes).toBeGreaterThan(7_000_000);
      } finally {
        server.kill('SIGKILL');
      }
    }
  });

  test('an agent that is killed and started loses no packet', async () => {
    const start = performance.now();
    const before = pod('n2').addresses.map((address) => flow('n1', address));
    await world.stop('n2', 'SIGKILL');
    world.startAgent('n2');
    await world.ready('n2');
    await until('some more packets', () => performance.now() > start + 1000);
    for (const end of before) {
      const { sent, lost } = await end();
      expect(sent).toBeGreaterThan(20);
      expect(lost).toBeLessThanOrEqual(1); // the one on its way when ping is ended
    }
  });

  test('nothing changes while the store is away, and agents stay', async () => {
    const flows = pod('n3').addresses.map((address) => flow('n1', address));
    await world.stop('store', 'SIGKILL');
    await world.statusWhere('n1', 'the store is away', ({ store }) => store === 'away');
    await expectReach();
    await world.startStore();
    // Before all of them are back: their watches begin where there is no history any more.
    compactStore(world);
    for (const host of HOSTS) await world.ready(host);
    await expectReach();
    for (const host of HOSTS) expect(world.isRunning(host)).toBe(true);
    for (const end of flows) expect((await end()).lost).toBeLessThanOrEqual(5); // those on their way when ping is ended
  });

  test('a node whose subnet is given to another takes a free one, and is reached there', async () => {
    const { lease: before } = await world.ready('n2');
    const held = (['ipv4', 'ipv6'] as const).filter((family) => before[family] !== null);
    world.giveLeasesAway('n2');
    await world.statusWhere(
      'n2',
      'another lease',
      ({ ready, lease }) =>
        ready && held.every((family) => lease[family] !== null && lease[family] !== before[family]),
    );
    await world.attach('n2');
    await expectReach();
  });

  test('a second network on the same hosts has pods of its own, and goes without the first one noticing', {
    timeout: 60_000,
  }, async () => {
    configureNetwork(world, 'second', netConfOf({ ...cell, backend: cell.second }, '43'));
    for (const host of HOSTS) world.startAgent(host, 'second');
    const second = new Map<Host, PodAddresses>();
    for (const host of HOSTS) {
      const { lease, policy } = await world.statusWhere(host, 'ready', ({ ready }) => ready, 'second');
      expect(policy).toBeNull();
      const subnets = [lease.ipv4, lease.ipv6].filter((subnet) => subnet !== null);
      second.set(host, makePod(world, host, 'second', subnets));
    }
    for (const [from, { netns }] of second)
      for (const [to, { addresses }] of second)
        if (from !== to)
          for (const address of addresses)
            await until(`${from} reaches ${to} at ${address}`, () => {
              try {
                return inNetns(world.file(netns), 'ping', '-c1', '-W1', address).includes(' 0% packet loss');
              } catch {
                return false;
              }
            });
    await expectReach();
    for (const host of HOSTS) {
      const { kernel, problems } = await world.ready(host);
      expect([kernel.conflicts, kernel.failures, problems]).toEqual([[], [], []]);
    }
    const flows = pod('n2').addresses.map((address) => flow('n1', address));
    for (const host of HOSTS) await world.stop(`${host}-second`);
    for (const host of HOSTS) {
      const rows = cleanUpNetwork(world, host, 'second');
      expect(rows.filter(({ done }) => done !== 'removed')).toEqual([]);
      expect(rows.length).toBeGreaterThan(4);
      expect(rows.map(({ what }) => what)).toContain(world.file(`root-${host}/run/flannel/second.env`));
    }
    for (const end of flows) expect((await end()).lost).toBeLessThanOrEqual(5); // those on their way when ping is ended
    expect(world.sh('n1', 'ip route show table all; nft list tables; ip rule')).not.toMatch(
      /proto 121|poplin-\w+-1|(table|lookup) 1121|10\.43\.\d+\.0/,
    );
    await expectReach();
  });

  test('a node that leaves is routed to no more', async () => {
    const { lease } = await world.ready('n3');
    const subnets = [lease.ipv4, lease.ipv6].filter((subnet) => subnet !== null);
    const routed = () =>
      world
        .sh('n1', 'ip route show proto 112; ip -6 route show proto 112')
        .split('\n')
        .map((line) => line.split(' ')[0]);
    expect(routed()).toEqual(expect.arrayContaining(subnets));
    await world.stop('n3');
    world.removeLeases('n3');
    await until('its routes are gone', () => !subnets.some((subnet) => routed().includes(subnet)));
    await expectReach(['n1', 'n2']);
    world.startAgent('n3');
    await world.ready('n3');
    await world.attach('n3');
    await expectReach();
  });

  test('a node that is booted anew has its subnet again', async () => {
    const before = (await world.ready('n2')).lease;
    await world.reboot('n2');
    expect((await world.ready('n2')).lease).toEqual(before);
    await world.attach('n2');
    await expectReach();
  });
});

const SERVER = `
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
server = socket.socket(family); server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((sys.argv[1], int(sys.argv[2]))); server.listen(1); print('ready', flush=True)
peer, address = server.accept()
`;
const CLIENT = `
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), 5).recv(1)
`;
const SENDER = `
import hashlib, os, socket, sys
data = os.urandom(1 << 22) * 4
to = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
to.sendall(data); to.shutdown(socket.SHUT_WR); to.recv(1)
print(hashlib.sha256(data).hexdigest())
`;
const RECEIVER = `${SERVER}
import hashlib
digest = hashlib.sha256()
while True:
    data = peer.recv(1 << 16)
    if not data: break
    digest.update(data)
peer.sendall(b'.'); print(digest.hexdigest(), flush=True)
`;
const NAMER = `${SERVER}
print(address[0], flush=True); peer.sendall(b'.')
`;

let nextPort = 20_000;

/** The address that a server in the namespace sees of who connects. */
async function peerOf(
  netns: string,
  address: string,
  connect: (ip: string, port: string) => unknown,
): Promise<string> {
  return served(NAMER, netns, address, connect);
}

/** What a server in the namespace prints after it was used. */
async function served(
  script: string,
  netns: string,
  address: string,
  use: (ip: string, port: string) => unknown,
): Promise<string> {
  const port = String(nextPort++);
  const child = spawn('nsenter', [`--net=${netns}`, 'python3', '-c', script, address, port], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    await until('the server listens', () => out.includes('ready'));
    use(address, port);
    await ended;
    return out.trim().split('\n')[1] ?? '';
  } finally {
    child.kill('SIGKILL');
  }
}
