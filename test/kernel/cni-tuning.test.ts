/** The tuning plugin behind ours and behind Debian's bridge: settings are made, checked, and taken back; its files are the reference's. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Answer, CniWorld, HOST, pings } from './cni-world.ts';

const REFERENCE = '/usr/lib/cni/tuning';
const POPLIN = { cniVersion: '1.0.0', name: 'pods', type: 'poplin' };
const BRIDGE = {
  cniVersion: '1.0.0',
  name: 'bridged',
  type: 'bridge',
  isDefaultGateway: true,
  ipam: { type: 'host-local', ranges: [[{ subnet: '10.71.0.0/24' }], [{ subnet: 'fd71::/64' }]] },
};

let world: CniWorld;
let dataDir: string;
beforeEach(async () => {
  world = await CniWorld.open();
  dataDir = join(world.folder, 'tuning');
});
afterEach(() => world[Symbol.asyncDispose]());

const tuning = (name: string, more: object) => ({
  cniVersion: '1.0.0',
  name,
  type: 'tuning',
  dataDir,
  ...more,
});

async function attached(config: { type: string }, pod = 'a'): Promise<Answer['json']> {
  world.pod(pod);
  const { exitStatus, json } = await world.call(config.type, 'ADD', pod, config);
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  return json;
}

const link = (pod = 'a') =>
  (JSON.parse(world.inPod(pod, 'ip -j -d link show eth0')) as Record<string, unknown>[])[0] as {
    mtu: number;
    address: string;
    flags: string[];
    txqlen: number;
  };

describe.each([
  ['poplin', POPLIN],
  ['bridge', BRIDGE],
] as const)('behind %s', (plugin, config) => {
  test('sets what is asked, keeps traffic going in both families, and DEL brings back what was', async () => {
    const prevResult = await attached(config);
    const before = link();
    const request = tuning(config.name, {
      mac: '02:aa:bb:cc:dd:01',
      mtu: 1350,
      promisc: true,
      allmulti: true,
      txQLen: 321,
      sysctl: { 'net.core.somaxconn': '777', 'net.ipv4.conf.IFNAME.arp_filter': '1' },
      prevResult,
    });
    const { exitStatus, json } = await world.call('tuning', 'ADD', 'a', request);
    expect(exitStatus, JSON.stringify(json)).toBe(0);
    expect(json?.['interfaces']).toContainEqual(
      expect.objectContaining({ name: 'eth0', mac: '02:aa:bb:cc:dd:01' }),
    );
    expect(link()).toMatchObject({ mtu: 1350, address: '02:aa:bb:cc:dd:01', txqlen: 321 });
    expect(link().flags).toEqual(expect.arrayContaining(['PROMISC', 'ALLMULTI', 'UP']));
    expect(world.inPod('a', 'cat /proc/sys/net/core/somaxconn /proc/sys/net/ipv4/conf/eth0/arp_filter')).toBe(
      '777\n1\n',
    );
    const targets = plugin === 'poplin' ? [HOST[4], HOST[6]] : ['10.71.0.1', 'fd71::1'];
    for (const address of targets) expect(pings(world.pod('a'), address), address).toBe(true);

    const checked = { ...request, prevResult: json };
    expect(await world.call('tuning', 'CHECK', 'a', checked)).toEqual({ exitStatus: 0, json: undefined });
    world.inPod('a', 'ip link set eth0 mtu 1400; echo 5 > /proc/sys/net/core/somaxconn');
    expect((await world.call('tuning', 'CHECK', 'a', checked)).json).toMatchObject({
      code: 114,
      details: expect.stringMatching(/somaxconn is 5, not 777; mtuBytes of eth0 is 1400, not 1350/),
    });

    for (let round = 0; round < 2; round++)
      expect(await world.call('tuning', 'DEL', 'a', checked)).toEqual({ exitStatus: 0, json: undefined });
    expect(link()).toMatchObject({ mtu: before.mtu, address: before.address, txqlen: before.txqlen });
    expect(link().flags).toEqual(before.flags);
    expect(readdirSync(dataDir)).toEqual([]);
    expect(world.recorded()).toHaveLength(1);
    for (const address of targets) expect(pings(world.pod('a'), address), address).toBe(true);
    expect((await world.call(plugin, 'DEL', 'a', config)).exitStatus).toBe(0);
    expect(world.recorded()).toEqual([]);
  });
});

describe('refuses', () => {
  test.each([
    [
      'a sysctl outside net',
      { sysctl: { 'kernel.hostname': 'x' } },
      /invalid net sysctl key: ..kernel.hostname/,
    ],
    ['a way out of net', { sysctl: { 'net/../kernel/hostname': 'x' } }, /invalid net sysctl key/],
    ['an MTU that is none', { mtu: -1 }, /mtu/],
    ['a MAC address of a group', { mac: '01:00:5e:00:00:01' }, /not a unicast MAC address/],
    ['a sysctl that is not there', { sysctl: { 'net.ipv4.nothing_such': '1' } }, /nothing_such/],
  ])('%s, and leaves the interface as it is', async (_name, more, message) => {
    const prevResult = await attached(BRIDGE);
    const before = link();
    const { exitStatus, json } = await world.call(
      'tuning',
      'ADD',
      'a',
      tuning('bridged', { ...more, prevResult }),
    );
    expect(exitStatus).toBe(1);
    expect(JSON.stringify(json)).toMatch(message);
    expect(link()).toEqual(before);
    expect(world.recorded()).toHaveLength(1);
  });

  test('to work on nothing', async () => {
    world.pod('a');
    expect((await world.call('tuning', 'ADD', 'a', tuning('bridged', { mtu: 1400 }))).json).toMatchObject({
      code: 7,
      msg: 'required prevResult missing',
    });
  });
});

describe('beside the reference plugin', () => {
  const reference = (command: string, request: object) =>
    execFileSync(REFERENCE, {
      input: JSON.stringify(request),
      encoding: 'utf8',
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: 'container-a',
        CNI_NETNS: world.pod('a'),
        CNI_IFNAME: 'eth0',
        CNI_PATH: '/usr/lib/cni',
      },
    });

  test('what it tuned is checked and taken back by ours, and the reverse', async () => {
    const prevResult = await attached(BRIDGE);
    const before = link();
    const request = tuning('bridged', { mac: '02:aa:bb:cc:dd:02', mtu: 1350, allmulti: true, prevResult });

    // The reference makes its folder without the right to enter it.
    mkdirSync(dataDir);
    const result = JSON.parse(reference('ADD', request)) as object;
    const file = join(dataDir, 'container-a_eth0.json');
    expect(existsSync(file)).toBe(true);
    expect(link()).toMatchObject({ mtu: 1350, address: '02:aa:bb:cc:dd:02' });
    expect((await world.call('tuning', 'CHECK', 'a', { ...request, prevResult: result })).exitStatus).toBe(0);
    expect((await world.call('tuning', 'DEL', 'a', request)).exitStatus).toBe(0);
    expect(link()).toEqual(before);
    expect(existsSync(file)).toBe(false);

    const { json } = await world.call('tuning', 'ADD', 'a', request);
    reference('CHECK', { ...request, prevResult: json });
    reference('DEL', { ...request, prevResult: json });
    expect(link()).toEqual(before);
    expect(existsSync(file)).toBe(false);
  });

  test('a damaged file of what was does not hold up DEL', async () => {
    const prevResult = await attached(BRIDGE);
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, 'container-a_eth0.json'), '{"mac":');
    expect((await world.call('tuning', 'DEL', 'a', tuning('bridged', { prevResult }))).exitStatus).toBe(0);
    expect(readdirSync(dataDir)).toEqual([]);
  });
});
