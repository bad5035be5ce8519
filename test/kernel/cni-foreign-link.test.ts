/**
 * Chained plugins of ours behind an interface that somebody else made, and takes away without telling us: what they did goes with the
 * host's end of the pair at once, follows it when it gets another name, and stays with it otherwise.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CniWorld } from './cni-world.ts';

const CALICOS = 'ee:ee:ee:ee:ee:ee';
const TYPES = ['bandwidth', 'firewall', 'portmap', 'sbr', 'tuning'];

let world: CniWorld;
/** The host before anything was attached. */
let before: object;
beforeEach(async () => {
  world = await CniWorld.open();
  before = left();
});
afterEach(() => world[Symbol.asyncDispose]());

/** Attaches a pod with tools of the system, then calls our chained plugins for it. */
async function attach(pod: string, number: number, mac = `02:00:00:00:70:0${number}`): Promise<void> {
  const netns = world.pod(pod);
  const link = `theirs${number}`;
  const [ipv4, ipv6] = [`10.77.0.${number}`, `fd77::${number}`];
  world.sh(`
    ip link add ${link} address ${mac} type veth peer name eth0
    ip link set eth0 netns ${netns}
    ip link set ${link} up`);
  world.inPod(
    pod,
    `ip address add ${ipv4}/24 dev eth0; ip address add ${ipv6}/64 dev eth0 nodad; ip link set eth0 up`,
  );
  let prevResult: unknown = {
    cniVersion: '1.0.0',
    interfaces: [
      { name: link, mac },
      { name: 'eth0', sandbox: netns },
    ],
    ips: [
      { address: `${ipv4}/24`, interface: 1 },
      { address: `${ipv6}/64`, interface: 1 },
    ],
  };
  for (const { type, ...config } of chain(number)) {
    const { exitStatus, json } = await world.call(type, 'ADD', pod, { ...config, type, prevResult });
    expect(exitStatus, `${type}: ${JSON.stringify(json)}`).toBe(0);
    prevResult = json;
  }
}

function chain(number: number) {
  const limits = { ingressRate: 8e6, ingressBurst: 8e5, egressRate: 8e6, egressBurst: 8e5 };
  const portMappings = [{ hostPort: 8080 + number, containerPort: 80, protocol: 'tcp' }];
  const keys = {
    bandwidth: limits,
    firewall: {},
    portmap: { runtimeConfig: { portMappings } },
    sbr: {},
    tuning: { mtu: 1400, dataDir: join(world.folder, 'tuning') },
  };
  return Object.entries(keys).map(([type, more]) => {
    return { cniVersion: '1.0.0', name: 'theirs', type, ...more };
  });
}

/** All that the plugins leave on the host. */
function left() {
  const tuning = join(world.folder, 'tuning');
  return {
    host: world.hostText(),
    rules: world.sh('nft list ruleset; tc qdisc show | grep -v noqueue || true'),
    records: world.recorded(),
    files: existsSync(tuning) ? readdirSync(tuning) : [],
  };
}

function parts(...pods: string[]): string[] {
  return pods.flatMap((pod) => TYPES.map((type) => `poplin:cni:theirs/container-${pod}/eth0+${type}`));
}

const shapers = (link: string) => world.sh(`tc qdisc show dev ${link}`);

test('what they did goes at once when the link does', async () => {
  await attach('a', 1);
  const withOne = left();
  await attach('b', 2);
  expect(world.recorded()).toEqual(parts('a', 'b'));
  world.sh('ip link delete theirs2');
  await expect.poll(left).toEqual(withOne);
  world.removePod('a');
  await expect.poll(left).toEqual(before);
});

test('what they did goes at the next start when the link went meanwhile', async () => {
  await attach('a', 1);
  await attach('b', 2);
  await world.stop();
  world.sh('ip link delete theirs1');
  await world.start();
  await expect.poll(() => world.recorded()).toEqual(parts('b'));
  expect(shapers('theirs2')).toContain('tbf');
  await world.stop();
  world.sh('ip link delete theirs2');
  await world.start();
  await expect.poll(left).toEqual(before);
});

test('a link that gets another name is followed, and kept as it was', async () => {
  await attach('a', 1);
  world.sh('ip link set theirs1 down; ip link set theirs1 name other1; ip link set other1 up');
  await expect
    .poll(() => world.objectsRecorded())
    .toContainEqual(expect.objectContaining({ kind: 'qdisc', link: 'other1', parent: 'root' }));
  world.sh('tc qdisc delete dev other1 root');
  await expect.poll(() => shapers('other1')).toContain('tbf');
  expect(world.recorded()).toEqual(parts('a'));
  await world.stop();
  world.sh('ip link set other1 down; ip link set other1 name again1; ip link set again1 up');
  await world.start();
  world.sh('tc qdisc delete dev again1 root');
  await expect.poll(() => shapers('again1')).toContain('tbf');
  world.sh('ip link delete again1');
  await expect.poll(left).toEqual(before);
});

test('a link that gets another MAC address stays the same link', async () => {
  await attach('a', 1);
  world.sh('ip link set theirs1 address 02:00:00:00:70:99');
  await world.service.sweep();
  world.sh('ip link set theirs1 down; ip link set theirs1 name other1; ip link set other1 up');
  await expect
    .poll(() => world.objectsRecorded())
    .toContainEqual(expect.objectContaining({ kind: 'qdisc', link: 'other1', parent: 'root' }));
  expect(world.recorded()).toEqual(parts('a'));
});

test('where all links have one MAC address, none is taken for another', async () => {
  for (const [pod, number] of [
    ['a', 1],
    ['b', 2],
    ['c', 3],
  ] as const)
    await attach(pod, number, CALICOS);
  for (const [number, others] of [
    [1, ['b', 'c']],
    [2, ['c']],
    [3, []],
  ] as const) {
    world.sh(`ip link delete theirs${number}`);
    await expect.poll(() => world.recorded()).toEqual(parts(...others));
  }
  expect(left()).toEqual(before);
});
