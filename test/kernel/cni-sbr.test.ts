/** The sbr plugin: a pod on two networks answers by the interface it was asked at, in both families. */
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Answer, CniWorld, pings } from './cni-world.ts';

const REFERENCE = '/usr/lib/cni/sbr';
const bridge = (name: string, at: number) => ({
  cniVersion: '1.0.0',
  name,
  type: 'bridge',
  bridge: name,
  isDefaultGateway: at === 1,
  isGateway: true,
  ipam: { type: 'host-local', ranges: [[{ subnet: `10.8${at}.0.0/24` }], [{ subnet: `fd8${at}::/64` }]] },
});
const RED = bridge('red', 1);
const BLUE = bridge('blue', 2);

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

const at = (ifName: string) => ({ CNI_IFNAME: ifName });
const sbr = (config: { name: string }, prevResult: unknown, more: object = {}) => ({
  cniVersion: '1.0.0',
  name: config.name,
  type: 'sbr',
  prevResult,
  ...more,
});

async function add(plugin: string, request: object, ifName: string): Promise<Answer['json']> {
  const { exitStatus, json } = await world.call(plugin, 'ADD', 'a', request, at(ifName));
  expect(exitStatus, JSON.stringify(json)).toBe(0);
  return json;
}

/** A host behind each bridge that knows its own network alone: an answer that leaves by the other bridge is lost. */
function behind(bridgeName: string, number: number): string {
  const netns = world.pod(`far-${bridgeName}`);
  world.sh(`
    ip link add far${number} type veth peer name eth0 netns ${netns}
    ip link set far${number} master ${bridgeName} up
    sysctl -qw net.ipv4.ip_forward=0`);
  world.inPod(
    `far-${bridgeName}`,
    `ip link set lo up; ip link set eth0 up
     ip address add 10.9${number}.0.1/32 dev lo; ip address add fd9${number}::1/128 dev lo
     ip address add 10.8${number}.0.99/24 dev eth0; ip address add fd8${number}::99/64 dev eth0 nodad`,
  );
  return netns;
}

test('answers leave by the interface of the address that was asked, and CHECK and DEL know the rules', async () => {
  world.pod('a');
  await add('bridge', RED, 'eth0');
  const blue = await add('bridge', BLUE, 'net1');
  const far = behind('blue', 2);
  const asked = ['10.82.0.2', 'fd82::2'];
  // From an address that the pod knows by its default route alone, through red.
  const ask = (address: string) => {
    const source = address.includes(':') ? 'fd92::1' : '10.92.0.1';
    try {
      execFileSync('nsenter', [`--net=${far}`, 'ping', '-nqc1', '-W1', '-I', source, address], {
        stdio: 'ignore',
      });
      return true;
    } catch {
      return false;
    }
  };
  for (const address of asked) expect(ask(address), `${address} before`).toBe(false);
  const gateways = ['10.82.0.99', 'fd82::99'];
  const withGateways = {
    ...blue,
    ips: ((blue ?? {})['ips'] as { address: string }[]).map((ip) => ({
      ...ip,
      gateway: gateways[ip.address.includes(':') ? 1 : 0],
    })),
  };
  const request = sbr(BLUE, withGateways);
  const result = await add('sbr', request, 'net1');
  expect(result).toEqual({ ...withGateways, cniVersion: '1.0.0' });
  for (const address of asked) expect(ask(address), `${address} after`).toBe(true);
  expect(world.inPod('a', 'ip rule; ip -6 rule')).toMatch(
    /from 10\.82\.0\.2 lookup 100[^]*from fd82::2 lookup 101/,
  );
  expect(world.inPod('a', 'ip route show table main')).not.toContain('net1');

  const checked = { ...request, prevResult: result };
  expect((await world.call('sbr', 'CHECK', 'a', checked, at('net1'))).exitStatus).toBe(0);
  expect(
    (await world.call('bridge', 'CHECK', 'a', { ...BLUE, prevResult: result }, at('net1'))).exitStatus,
  ).toBe(0);
  world.inPod('a', 'ip rule del from 10.82.0.2');
  expect((await world.call('sbr', 'CHECK', 'a', checked, at('net1'))).json).toMatchObject({
    code: 114,
    details: 'rule from 10.82.0.2/32 is missing',
  });
  for (let round = 0; round < 2; round++)
    expect((await world.call('sbr', 'DEL', 'a', checked, at('net1'))).exitStatus).toBe(0);
  expect(world.inPod('a', 'ip rule; ip -6 rule')).not.toMatch(/from (10|fd)/);
  expect((await world.call('bridge', 'DEL', 'a', BLUE, at('net1'))).exitStatus).toBe(0);
  expect(pings(world.pod('a'), '10.81.0.1')).toBe(true);
});

test('a table of one’s own choice, gateways for addresses without, and hints for sources in the main table', async () => {
  world.pod('a');
  await add('bridge', RED, 'eth0');
  const plain = {
    ...BLUE,
    isGateway: false,
    ipam: {
      ...BLUE.ipam,
      ranges: undefined,
      type: 'static',
      addresses: [{ address: '10.82.0.7/24' }, { address: 'fd82::7/64' }],
    },
  };
  const blue = await add('bridge', plain, 'net1');
  const more = { table: 777, gateways: ['10.82.0.1', 'fd82::1'], addSourceHints: true };
  await add('sbr', sbr(BLUE, blue, more), 'net1');
  expect(world.inPod('a', 'ip route show table 777')).toMatch(/default via 10\.82\.0\.1 dev net1/);
  expect(world.inPod('a', 'ip -6 route show table 777')).toMatch(/default via fd82::1 dev net1/);
  expect(world.inPod('a', 'ip route show table main; ip -6 route show table main')).toMatch(
    /10\.82\.0\.0\/24 dev net1 .*src 10\.82\.0\.7[^]*fd82::\/64 dev net1/,
  );
  expect((await world.call('sbr', 'ADD', 'b', sbr(BLUE, blue, { table: 254 }))).json).toMatchObject({
    code: expect.any(Number),
  });
});

test('rules of the reference plugin are checked and taken away by ours, and the reverse', async () => {
  world.pod('a');
  const red = await add('bridge', RED, 'eth0');
  const request = sbr(RED, red);
  const reference = (command: string) =>
    execFileSync(REFERENCE, {
      input: JSON.stringify(request),
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: 'container-a',
        CNI_NETNS: world.pod('a'),
        CNI_IFNAME: 'eth0',
        CNI_PATH: '/usr/lib/cni',
      },
    });
  const rules = () => world.inPod('a', 'ip rule; ip -6 rule').match(/from (10|fd)\S+/g) ?? [];
  reference('ADD');
  expect(rules()).toHaveLength(2);
  expect((await world.call('sbr', 'CHECK', 'a', request)).exitStatus).toBe(0);
  expect((await world.call('sbr', 'DEL', 'a', request)).exitStatus).toBe(0);
  expect(rules()).toEqual([]);
  await add('sbr', request, 'eth0');
  expect(rules()).toHaveLength(2);
  reference('CHECK');
  reference('DEL');
  expect(rules()).toEqual([]);
});
