/** `poplin cleanup`: a host is afterwards as it was before the agent came, and what is not Poplin's is not touched. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Station } from './agent-station.ts';
import { PROGRAM, until } from './agent-world.ts';

const NET_CONF = JSON.stringify({
  Network: '10.244.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd44::/48',
  Backend: { Type: 'vxlan' },
});
const NETWORK = JSON.stringify({
  cniVersion: '1.0.0',
  name: 'pods',
  type: 'bridge',
  isGateway: true,
  ipMasq: true,
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.81.0.0/24' }], [{ subnet: 'fd81::/64' }]] },
});
const FOREIGN = `
  ip link add ext0 type bridge; ip link set ext0 up
  ip address add 10.99.0.1/24 dev ext0; ip route add 10.98.0.0/24 dev ext0 proto static
  ip rule add priority 9000 from 10.98.0.0/24 lookup 100
  nft 'table inet others { chain c { type filter hook input priority 0; }; }'`;

/** Links, addresses, routes, rules and tables, without what the kernel gives a router by itself: forwarding stays switched on. */
function listing(station: Station, node: string): string {
  const text = station.sh(
    node,
    `ip -o link; ip -o address; ip -4 route show table all; ip -6 route show table all
     ip neigh show nud permanent; ip -4 rule; ip -6 rule; bridge fdb show; nft list ruleset`,
  );
  return text
    .split('\n')
    .map((line) => line.replace(/^\d+: /, '').trimEnd())
    .filter((line) => !/^anycast |fe80:|ff00::|33:33:|01:00:5e|valid_lft/.test(line))
    .sort()
    .join('\n');
}

/** The host once its link is up: the kernel makes the routes of IPv6 addresses when it finds the link's other end, in its own time. */
async function settledListing(station: Station, node: string, address: string): Promise<string> {
  await until(`${node} has ${address}`, () => listing(station, node).includes(`local ${address} dev eth0`));
  return listing(station, node);
}

/** Entries of pods' links in the maps of the guard. */
const guardsOf = (text: string): number => text.match(/goto from-/g)?.length ?? 0;

const argsOf = (station: Station, node: string, args: readonly string[]) => [
  `--net=${station.file(`host-${node}`)}`,
  process.execPath,
  PROGRAM,
  'cleanup',
  '--root-dir',
  station.file(node),
  ...args,
];

function cleanup(station: Station, node: string, ...args: string[]) {
  const { status, stdout, stderr } = spawnSync('nsenter', argsOf(station, node, args), { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** A policy for the pods that attach() attaches. */
function makePolicy(station: Station): void {
  const spec = { podSelector: {}, policyTypes: ['Ingress', 'Egress'] };
  station.api('POST', '/apis/networking.k8s.io/v1/namespaces/default/networkpolicies', {
    metadata: { name: 'closed' },
    spec,
  });
}

async function attach(station: Station, node: string, name: string): Promise<string> {
  station.api('POST', '/api/v1/namespaces/default/pods', {
    metadata: { name },
    spec: { nodeName: node, containers: [{ name: 'c', image: 'none' }] },
  });
  const netns = station.pod(name);
  const outcome = await station.plugin(node, {
    plugin: 'bridge',
    command: 'ADD',
    containerId: `container-${name}`,
    netns,
    args: `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name}`,
    stdin: NETWORK,
  });
  expect(outcome.exitCode, JSON.stringify(outcome)).toBe(0);
  return netns;
}

test('what an agent made is gone to the last object, when no agent and no pod is left or somebody insists', async () => {
  await using station = await Station.open(NET_CONF);
  station.addHost('n1', 11);
  station.sh('n1', FOREIGN);
  const before = await settledListing(station, 'n1', 'fd60::11');
  station.startAgent('n1', 11);
  await station.statusWhere('n1', 'ready', ({ ready }) => ready);
  makePolicy(station);
  const netns = await attach(station, 'n1', 'a');
  // Links are known by name at once, and by number soon afterwards.
  await until('the guard knows the link by its number', () => guardsOf(listing(station, 'n1')) === 2);
  const working = listing(station, 'n1');
  expect(working).toContain('table inet poplin-policy');
  expect(existsSync(station.paths('n1').policy)).toBe(true);

  expect(cleanup(station, 'n1')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('an agent runs'),
  });
  await station.stop('n1');
  expect(cleanup(station, 'n1')).toMatchObject({
    status: 2,
    stderr: expect.stringContaining('1 interfaces of pods are attached (poplin:cni:pods/container-a/eth0)'),
  });
  const dry = cleanup(station, 'n1', '--dry-run');
  expect(dry.status).toBe(0);
  expect(dry.stdout).toMatch(/^would be removed {2}link flannel\.1 type vxlan/m);
  expect(listing(station, 'n1')).toBe(working);

  const forced = cleanup(station, 'n1', '--force', '--json');
  expect(forced).toMatchObject({ status: 0, stderr: '' });
  const rows = JSON.parse(forced.stdout) as { what: string; done: string }[];
  expect(new Set(rows.map(({ done }) => done))).toEqual(new Set(['removed']));
  expect(rows.map(({ what }) => what)).toContainEqual(
    expect.stringMatching(/^addresses 10\.81\.0\.2, fd81::2 of pods$/),
  );
  expect(listing(station, 'n1')).toBe(before);
  const left = readdirSync(station.file('n1'), { recursive: true, encoding: 'utf8' });
  expect(
    left.filter(
      (path) =>
        !/^(run|var|var\/lib|var\/lib\/cni(\/networks(\/pods(\/(lock|last_reserved_ip\.\d))?)?)?)$/.test(
          path,
        ),
    ),
  ).toEqual([]);
  expect(station.sh('n1', `nsenter --net=${netns} ip -o link`)).not.toContain('eth0');
  expect(cleanup(station, 'n1')).toEqual({
    status: 0,
    stdout: 'nothing of Poplin is on this host\n',
    stderr: '',
  });

  // The node can come back.
  station.startAgent('n1', 11);
  await station.statusWhere('n1', 'ready again', ({ ready }) => ready);
});

test('it can be killed at any moment, and is gone on with', async () => {
  await using station = await Station.open(NET_CONF);
  station.addHost('n1', 11);
  const before = await settledListing(station, 'n1', 'fd60::11');
  station.startAgent('n1', 11);
  await station.statusWhere('n1', 'ready', ({ ready }) => ready);
  makePolicy(station);
  for (const pod of ['a', 'b', 'c']) await attach(station, 'n1', pod);
  await station.stop('n1', 'SIGKILL');
  let isDone = false;
  for (let afterMs = 60; !isDone; afterMs *= 1.3) {
    const child = spawn('nsenter', argsOf(station, 'n1', ['--force']), { stdio: 'ignore' });
    const ended = once(child, 'exit') as Promise<[number | null]>;
    isDone = await Promise.race([ended.then(([code]) => code === 0), sleep(afterMs).then(() => false)]);
    child.kill('SIGKILL');
    await ended;
  }
  expect(cleanup(station, 'n1', '--force').status).toBe(0);
  expect(listing(station, 'n1')).toBe(before);
  expect(existsSync(station.paths('n1').attachments)).toBe(false);
});
