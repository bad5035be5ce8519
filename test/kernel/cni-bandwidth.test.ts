/**
 * The bandwidth plugin on the real kernel: what iperf3 measures through a shaped pod, in both directions and families, behind our own
 * interface and behind a bridge of the reference plugins; what the kernel loop puts back; and pods that ours and theirs share.
 */
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { CniWorld } from './cni-world.ts';

const THEIRS = '/usr/lib/cni';
const MBIT = 1_000_000;
/** In bits: ten full packets and more. */
const BURST = 8 * 32_000;
const LIMITS = {
  ingressRate: 20 * MBIT,
  ingressBurst: BURST,
  egressRate: 40 * MBIT,
  egressBurst: BURST,
};
const PART = 'poplin:cni:pods/container-a/eth0+bandwidth';

type Json = Readonly<Record<string, unknown>>;

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

/** One of the reference plugins, in the host of this world; throws what it refuses. */
function theirs(type: string, command: string, config: object): Json {
  const environment = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: 'container-a',
    CNI_NETNS: world.pod('a'),
    CNI_IFNAME: 'eth0',
    CNI_PATH: THEIRS,
  };
  const text = execFileSync('nsenter', [`--net=${world.host}`, join(THEIRS, type)], {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
    input: JSON.stringify({ cniVersion: '1.0.0', name: 'pods', type, ...config }),
    stdio: 'pipe',
  });
  return text === '' ? {} : (JSON.parse(text) as Json);
}

/** Our plugin; throws what it answers. */
async function ours(command: 'ADD' | 'CHECK' | 'DEL', config: object): Promise<Json> {
  const request = { cniVersion: '1.0.0', name: 'pods', type: 'bandwidth', ...config };
  const { exitStatus, json = {} } = await world.call('bandwidth', command, 'a', request);
  if (exitStatus !== 0) throw Object.assign(new Error(JSON.stringify(json)), json);
  return json;
}

/** What iperf3 carries to the pod (or from it) in megabits per second. */
async function measure(
  address: string,
  direction: 'to' | 'from',
  amount: readonly string[],
): Promise<number> {
  const inHost = ['nsenter', `--net=${world.host}`, 'iperf3'] as const;
  const server = spawn('nsenter', [
    `--net=${world.pod('a')}`,
    'iperf3',
    '-s',
    '-1',
    '-B',
    address,
    '--forceflush',
  ]);
  try {
    let printed = '';
    while (!printed.includes('Server listening')) {
      const event = await Promise.race([once(server.stdout, 'data'), once(server, 'exit')]);
      if (typeof event[0] === 'number') throw new Error(`iperf3 -s -B ${address}: ${printed}`);
      printed += String(event[0]);
    }
    const reverse = direction === 'from' ? ['-R'] : [];
    const { stdout } = await promisify(execFile)(inHost[0], [
      ...inHost.slice(1),
      ...['-c', address, '-J', '--connect-timeout', '2000', ...reverse, ...amount],
    ]);
    const { end } = JSON.parse(stdout) as { end: { sum_received: { bits_per_second: number } } };
    return end.sum_received.bits_per_second / MBIT;
  } finally {
    server.kill();
  }
}

const measureShaped = (address: string, direction: 'to' | 'from') => measure(address, direction, ['-t', '1']);
/** As much as would take 16 or 8 seconds under the limits. */
const measureFree = (address: string, direction: 'to' | 'from') => measure(address, direction, ['-n', '40M']);

async function expectShaped(addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    for (const [direction, limit] of [
      ['to', 20],
      ['from', 40],
    ] as const) {
      const rate = await measureShaped(address, direction);
      expect(rate, `${direction} ${address}`).toBeGreaterThan(limit * 0.4);
      expect(rate, `${direction} ${address}`).toBeLessThan(limit * 1.15);
    }
  }
}

async function expectFree(addresses: readonly string[]): Promise<void> {
  for (const address of addresses) {
    for (const direction of ['to', 'from'] as const)
      expect(await measureFree(address, direction), `${direction} ${address}`).toBeGreaterThan(200);
  }
}

/** A pod with an interface of ours, or behind a bridge that the reference plugins made. */
async function attach(kind: 'poplin' | 'their bridge'): Promise<{ prevResult: Json; addresses: string[] }> {
  world.pod('a');
  let prevResult: Json;
  if (kind === 'poplin') {
    const config = { cniVersion: '1.0.0', name: 'pods', type: 'poplin' };
    const { exitStatus, json } = await world.call('poplin', 'ADD', 'a', config);
    expect(exitStatus, JSON.stringify(json)).toBe(0);
    prevResult = json as Json;
  } else {
    const dataDir = join(world.folder, 'theirs');
    mkdirSync(dataDir);
    // Without duplicate address detection, which would keep the bridge's address from use for a while.
    world.sh(`
      ip link add cni0 type bridge
      echo 0 > /proc/sys/net/ipv6/conf/cni0/accept_dad
      ip link set cni0 up`);
    const ranges = [[{ subnet: '10.76.0.0/24' }], [{ subnet: 'fd76::/64' }]];
    prevResult = theirs('bridge', 'ADD', {
      isGateway: true,
      ipam: { type: 'host-local', dataDir, ranges },
    });
  }
  const ips = prevResult['ips'] as { address: string }[];
  return { prevResult, addresses: ips.map(({ address }) => address.replace(/\/\d+$/, '')) };
}

const ifbs = () => world.sh('ip -br link show type ifb').trim();

describe.for(['poplin', 'their bridge'] as const)('a pod of %s', (kind) => {
  test('is held to its limits in both directions and families until DEL, and not before or after', async () => {
    const { prevResult, addresses } = await attach(kind);
    await expectFree(addresses);
    const result = await ours('ADD', { ...LIMITS, prevResult });
    const before = prevResult['interfaces'] as Json[];
    expect((result['interfaces'] as Json[]).slice(0, before.length)).toEqual(before);
    const name = (result['interfaces'] as Json[]).at(-1)?.['name'] as string;
    expect(ifbs()).toContain(name);
    await expectShaped(addresses);
    await ours('CHECK', { ...LIMITS, prevResult: result });
    for (let round = 0; round < 2; round++) {
      await ours('DEL', { ...LIMITS, prevResult: result });
      expect(ifbs()).toBe('');
      expect(world.sh('tc qdisc show')).not.toMatch(/tbf|ingress/);
    }
    await expectFree(addresses);
    expect(world.loop.status()).toMatchObject({ failures: [], conflicts: [] });
  });

  test('is shaped again when somebody takes a piece of it away', async () => {
    const { prevResult, addresses } = await attach(kind);
    const result = await ours('ADD', { ...LIMITS, prevResult });
    const veth = (prevResult['interfaces'] as Json[]).find(
      (link) => !link['sandbox'] && link['name'] !== 'cni0',
    )?.['name'] as string;
    const ifb = (result['interfaces'] as Json[]).at(-1)?.['name'] as string;
    for (const vandalism of [
      `tc qdisc del dev ${veth} root`,
      `tc qdisc del dev ${veth} ingress`,
      `tc filter del dev ${veth} ingress`,
      `tc qdisc del dev ${ifb} root`,
      `tc qdisc change dev ${veth} root handle 113: tbf rate 1mbit burst 2kb latency 25ms`,
      `ip link set ${ifb} down`,
      `ip link del ${ifb}`,
    ]) {
      world.sh(vandalism);
      await world.loop.inPlace(PART);
      await ours('CHECK', { ...LIMITS, prevResult: result });
      theirs('bandwidth', 'CHECK', { ...LIMITS, prevResult: result });
      expect(world.sh(`tc filter show dev ${veth} ingress`), vandalism).toContain(`to device ${ifb})`);
    }
    await expectShaped(addresses.slice(0, 1));
    expect(world.loop.status()).toMatchObject({ failures: [], conflicts: [] });
  });

  test('that the reference shaped passes our CHECK while it is as it was, and DEL takes away what it made', async () => {
    const { prevResult } = await attach(kind);
    const result = theirs('bandwidth', 'ADD', { ...LIMITS, prevResult });
    const ifb = (result['interfaces'] as Json[]).at(-1)?.['name'] as string;
    await ours('CHECK', { ...LIMITS, prevResult: result });
    const other = { ...LIMITS, egressRate: 41 * MBIT };
    await expect(ours('CHECK', { ...other, prevResult: result })).rejects.toMatchObject({ code: 114 });
    await world.loop.inPlace('nothing');
    expect(ifbs(), 'no business of the kernel loop').toContain(ifb);
    for (let round = 0; round < 2; round++) {
      await ours('DEL', { ...LIMITS, prevResult: result });
      expect(ifbs()).toBe('');
      expect(world.sh('tc qdisc show')).not.toContain('ingress');
    }
    theirs('bandwidth', 'DEL', { ...LIMITS, prevResult: result });
  });

  test('that we shaped passes CHECK of the reference while it is as it was, and its DEL takes the ifb away', async () => {
    const { prevResult } = await attach(kind);
    const result = await ours('ADD', { ...LIMITS, prevResult });
    theirs('bandwidth', 'CHECK', { ...LIMITS, prevResult: result });
    const other = { ...LIMITS, ingressRate: 21 * MBIT };
    expect(() => theirs('bandwidth', 'CHECK', { ...other, prevResult: result })).toThrow();
    world.loop.want(PART, []);
    for (let round = 0; round < 2; round++) {
      theirs('bandwidth', 'DEL', { ...LIMITS, prevResult: result });
      expect(ifbs()).toBe('');
    }
    await ours('DEL', { ...LIMITS, prevResult: result });
    expect(world.sh('tc qdisc show')).not.toMatch(/tbf|ingress/);
  });
});

test('what is shaped stays shaped over a restart of the agent, and goes with the pod', async () => {
  const { prevResult } = await attach('poplin');
  const result = await ours('ADD', { ...LIMITS, prevResult });
  await world.stop();
  world.sh(`ip link del ${ifbs().split(/\s/)[0]}`);
  await world.start();
  await world.loop.inPlace(PART);
  await ours('CHECK', { ...LIMITS, prevResult: result });
  expect(world.recorded()).toContain(PART);
  world.sh('ip -br link show type veth | cut -d@ -f1 | xargs -n1 ip link del');
  await vi.waitFor(() => expect(world.recorded()).toEqual([]), 5000);
  expect(ifbs()).toBe('');
  expect(world.loop.status()).toMatchObject({ conflicts: [] });
});

test('DEL of the interface alone takes the ifb with it', async () => {
  const { prevResult } = await attach('poplin');
  await ours('ADD', { ...LIMITS, prevResult });
  await world.call('poplin', 'DEL', 'a', { cniVersion: '1.0.0', name: 'pods', type: 'poplin' });
  expect(ifbs()).toBe('');
  expect(world.recorded()).toEqual([]);
  expect(world.loop.status()).toMatchObject({ failures: [], conflicts: [] });
});

test.for([
  ['ingress', { ingressRate: 20 * MBIT, ingressBurst: BURST }],
  ['both directions', LIMITS],
] as const)(
  'GC ends the shaping of %s of a pod that is not valid, on a link of another',
  async ([, limits]) => {
    const { prevResult } = await attach('their bridge');
    await ours('ADD', { ...limits, prevResult });
    const request = { cniVersion: '1.1.0', name: 'pods', type: 'bandwidth', ...limits };
    const collect = async (...valid: object[]) =>
      (await world.call('bandwidth', 'GC', 'a', { ...request, 'cni.dev/valid-attachments': valid }))
        .exitStatus;
    expect(await collect({ containerID: 'container-a', ifname: 'eth0' })).toBe(0);
    expect(world.sh('tc qdisc show')).toContain('tbf 113:');
    expect(await collect()).toBe(0);
    expect(world.sh('tc qdisc show')).not.toMatch(/tbf|ingress/);
    expect(ifbs()).toBe('');
    expect(world.recorded()).toEqual([]);
  },
);

test('ADD of a rate that 32 bits of bytes cannot hold is what the kernel shows', async () => {
  const { prevResult } = await attach('poplin');
  const limits = { ingressRate: 80_000 * MBIT, ingressBurst: 8 * 4_000_000_000 };
  const result = await ours('ADD', { ...limits, prevResult });
  await ours('CHECK', { ...limits, prevResult: result });
  expect(world.sh('tc qdisc show')).toMatch(/tbf 113: .*rate 80Gbit/);
});

test('ADD is refused where somebody shapes the pod already, and changes nothing', async () => {
  const { prevResult } = await attach('their bridge');
  theirs('bandwidth', 'ADD', { ...LIMITS, prevResult });
  const before = world.sh('tc qdisc show');
  await expect(ours('ADD', { ...LIMITS, prevResult })).rejects.toMatchObject({ code: 113 });
  expect(world.sh('tc qdisc show')).toBe(before);
});
