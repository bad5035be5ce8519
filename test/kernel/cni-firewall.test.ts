/** The firewall plugin on the real kernel: who reaches whom under each policy, as the reference plugin has it, and what is left of it. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, CniWorld, HOST, inNetns } from './cni-world.ts';

const FAR = { 4: '192.168.70.9', 6: 'fd70::9' } as const;
const REFERENCE = '/usr/lib/cni/firewall';

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
  world.sh(`
    ip link add far0 type veth peer name eth0 netns ${world.pod('far')}
    ip link set far0 master uplink up
    for family in ipv4/ip_forward ipv6/conf/all/forwarding; do echo 1 > /proc/sys/net/$family; done`);
  world.inPod(
    'far',
    `ip link set lo up; ip link set eth0 up
     ip address add ${FAR[4]}/24 dev eth0; ip address add ${FAR[6]}/64 dev eth0 nodad
     ip route add default via ${HOST[4]}; ip route add default via ${HOST[6]}`,
  );
});
afterEach(() => world[Symbol.asyncDispose]());

const network = (name: string, octet: number, type = 'bridge') => ({
  cniVersion: '1.0.0',
  name,
  type,
  ...(type === 'bridge' && { bridge: `br-${name}`, isGateway: true }),
  ipam: {
    type: 'host-local',
    ranges: [[{ subnet: `10.${octet}.0.0/24` }], [{ subnet: `fd${octet}::/64` }]],
    routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }],
  },
});
const NETWORKS = { a: network('a', 71), b: network('b', 72), open: network('open', 73) };
type Network = ReturnType<typeof network>;

interface Pod {
  readonly name: string;
  readonly request: object;
  readonly 4: string;
  readonly 6: string;
}

const firewall = (config: Network, prevResult: unknown, more: object) => ({
  cniVersion: '1.0.0',
  name: config.name,
  type: 'firewall',
  prevResult,
  ...more,
});

async function added(plugin: string, pod: string, config: object): Promise<Answer['json']> {
  world.pod(pod);
  const { exitStatus, json } = await world.call(plugin, 'ADD', pod, config);
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  return json;
}

/** Debian's plugin in the host. */
function reference(command: string, pod: string, request: object): string {
  const environment = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: `container-${pod}`,
    CNI_NETNS: world.pod(pod),
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/usr/lib/cni',
  };
  return execFileSync('nsenter', [`--net=${world.host}`, REFERENCE], {
    env: { ...process.env, ...environment },
    input: JSON.stringify(request),
    encoding: 'utf8',
  });
}

async function attach(
  name: string,
  config: Network,
  ingressPolicy: string,
  implementation: 'ours' | 'reference' = 'ours',
): Promise<Pod> {
  const prevResult = await added(config.type, name, config);
  const request = firewall(config, prevResult, { ingressPolicy, backend: 'iptables' });
  if (implementation === 'reference') reference('ADD', name, request);
  else expect(await added('firewall', name, request)).toEqual(prevResult);
  const addresses = ((prevResult?.['ips'] ?? []) as { address: string }[]).map(
    ({ address }) => address.split('/')[0] as string,
  );
  // The kernel says nothing from a link-local address before it has found it to be the only one.
  for (const address of addresses)
    await expect
      .poll(() => reaches(world.pod(name), FAR[address.includes(':') ? 6 : 4]), { timeout: 5000 })
      .toBe(true);
  return { name, request, 4: addresses[0] as string, 6: addresses[1] as string };
}

/** One echo request, answered within half a second. */
function reaches(netns: string, address: string): boolean {
  try {
    inNetns(netns, 'ping', '-nqc1', '-W0.5', address);
    return true;
  } catch {
    return false;
  }
}

const FAR_POD = { name: 'far', ...FAR };
const BOTH = [4, 6] as const;
const tables = () => world.sh('nft list ruleset');

/** `from > to`, for each pair of which both families do the same; families that differ are named. */
function reached(pods: readonly { name: string; 4: string; 6: string }[]): string[] {
  return pods.flatMap((from) =>
    pods.flatMap((to) => {
      if (from === to) return [];
      const [v4, v6] = BOTH.map((family) => reaches(world.pod(from.name), to[family]));
      expect(v6, `${from.name} > ${to.name}: IPv6 as IPv4`).toBe(v4);
      return v4 === true ? [`${from.name} > ${to.name}`] : [];
    }),
  );
}

describe('same-bridge', () => {
  const ALLOWED = [
    'a1 > a2',
    'a1 > open1',
    'a1 > far',
    'a2 > a1',
    'a2 > open1',
    'a2 > far',
    'b1 > open1',
    'b1 > far',
    'open1 > a1',
    'open1 > a2',
    'open1 > b1',
    'open1 > far',
    'far > a1',
    'far > a2',
    'far > b1',
    'far > open1',
  ];

  test.for(['ours', 'reference'] as const)('closes networks to each other alone: %s', async (whose) => {
    const pods = [
      await attach('a1', NETWORKS.a, 'same-bridge', whose),
      await attach('a2', NETWORKS.a, 'same-bridge', whose),
      await attach('b1', NETWORKS.b, 'same-bridge', whose),
      await attach('open1', NETWORKS.open, 'open', whose),
    ];
    expect(reached([...pods, FAR_POD])).toEqual(ALLOWED);
  });

  test('closes pairs of ptp as it does bridges', async () => {
    const pairs = network('pairs', 74, 'ptp');
    const pods = [await attach('p1', pairs, 'same-bridge'), await attach('p2', pairs, 'same-bridge')];
    expect(reached([...pods, FAR_POD])).toEqual(['p1 > far', 'p2 > far', 'far > p1', 'far > p2']);
  });
});

describe('isolated', () => {
  test('follows a pod’s link that gets another name', async () => {
    const a = await attach('a1', NETWORKS.a, 'isolated');
    const isolated = () => world.sh('nft list set bridge poplin-cni firewall-isolated');
    const [name] = /veth[0-9a-f]+/.exec(isolated()) ?? [];
    expect(name).toBeDefined();
    world.sh(`ip link set ${name} down; ip link set ${name} name renamed; ip link set renamed up`);
    await expect.poll(isolated, { timeout: 5000, interval: 20 }).toMatch(/elements = \{ "renamed" \}/);
    await world.call('firewall', 'DEL', a.name, a.request);
    await world.call('bridge', 'DEL', a.name, NETWORKS.a);
    expect(tables()).toBe('');
  });

  test('closes pods of one bridge to each other too, though nothing of iptables sees what bridges forward', async () => {
    world.sh('echo 0 > /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null || true');
    const pods = [
      await attach('a1', NETWORKS.a, 'isolated'),
      await attach('a2', NETWORKS.a, 'isolated'),
      await attach('b1', NETWORKS.b, 'same-bridge'),
    ];
    const ok = ['a1', 'a2', 'b1'].map((name) => `${name} > far`);
    expect(reached([...pods, FAR_POD])).toEqual([...ok, 'far > a1', 'far > a2', 'far > b1']);
    for (const pod of pods)
      for (const family of BOTH) expect(reaches(world.host, pod[family]), `host > ${pod.name}`).toBe(true);
  });

  test('is not got round by way of the gateway', async () => {
    const [one, two] = [
      await attach('a1', NETWORKS.a, 'isolated'),
      await attach('a2', NETWORKS.a, 'isolated'),
    ];
    world.inPod('a1', `ip route add ${two[4]}/32 via 10.71.0.1; ip -6 route add ${two[6]}/128 via fd71::1`);
    for (const family of BOTH) expect(reaches(world.pod(one.name), two[family])).toBe(false);
    expect(tables()).toMatch(/iifname @firewall-isolated oifname @firewall-closed counter packets [1-9]/);
  });
});

/** nft lists sets and chains in the order they were made in, which is nobody's wish. */
function inNoOrder(listing: string): string {
  return listing.replaceAll(
    /^(table .*\n)([^]*?)^\}/gm,
    (_, head: string, body: string) =>
      `${head}${body
        .trim()
        .split(/\n\n\s*/)
        .sort()
        .join('\n\n')}\n}`,
  );
}

test('comes back after a flush, CHECK names what is missing, and the last DEL leaves nothing', async () => {
  const a = await attach('a1', NETWORKS.a, 'isolated');
  const b = await attach('b1', NETWORKS.b, 'same-bridge');
  const quiet = () => inNoOrder(tables().replaceAll(/packets \d+ bytes \d+/g, ''));
  const before = quiet();
  expect(before).toContain('table bridge poplin-cni');
  world.sh('nft flush ruleset');
  await expect.poll(quiet, { timeout: 5000, interval: 20 }).toBe(before);
  expect((await world.call('firewall', 'CHECK', 'a1', a.request)).exitStatus).toBe(0);
  await world.loop[Symbol.asyncDispose]();
  world.sh(`nft delete element inet poplin-cni firewall-pods4 '{ ${a[4]} }'`);
  await expect
    .poll(async () => (await world.call('firewall', 'CHECK', 'a1', a.request)).json, { timeout: 5000 })
    .toMatchObject({ code: 114, details: expect.stringMatching(/firewall-pods4.*10\.71\.0\.2.*missing/) });
  await world.stop();
  await world.start();
  await expect.poll(quiet, { timeout: 5000, interval: 20 }).toBe(before);
  for (let round = 0; round < 2; round++)
    expect((await world.call('firewall', 'DEL', 'a1', a.request)).exitStatus).toBe(0);
  expect(tables()).not.toContain('br-a');
  expect(tables()).not.toContain('table bridge');
  world.removePod('b1');
  await expect.poll(() => tables(), { timeout: 5000, interval: 20 }).toBe('');
  expect(b.name).toBe('b1');
});

test('GC ends what was made for containers that are not valid', async () => {
  await attach('a1', NETWORKS.a, 'same-bridge');
  const { request } = await attach('a2', NETWORKS.a, 'same-bridge');
  const gc = {
    ...request,
    cniVersion: '1.1.0',
    prevResult: undefined,
    'cni.dev/valid-attachments': [{ containerID: 'container-a2', ifname: 'eth0' }],
  };
  expect((await world.call('firewall', 'GC', 'a1', gc)).exitStatus).toBe(0);
  expect(tables()).not.toContain('10.71.0.2');
  expect(tables()).toContain('10.71.0.3');
});

test.each<[string, object, number, RegExp]>([
  ['a policy that is none', { ingressPolicy: 'shut' }, 7, /ingressPolicy/],
  ['a backend that is none', { backend: 'pf' }, 7, /backend/],
  ['firewalld', { backend: 'firewalld' }, 2, /unsupported field \W+backend/],
])('refuses %s', async (_name, more, code, message) => {
  const prevResult = await added('bridge', 'a1', NETWORKS.a);
  const { json } = await world.call('firewall', 'ADD', 'a1', firewall(NETWORKS.a, prevResult, more));
  expect(json?.['code']).toBe(code);
  expect(JSON.stringify(json)).toMatch(message);
  expect(tables()).toBe('');
});
