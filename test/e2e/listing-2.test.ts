/** Listing 2, the specification's network dbnet with its comments: pods are attached by the plugin on disk, under the name `bridge`. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LISTING_2 } from '#core/lease/listings.fixture.ts';
import { type PluginOutcome, Station } from './agent-station.ts';
import { inNetns, until } from './agent-world.ts';

const NET_CONF =
  '{"Network": "10.10.0.0/16", "EnableIPv6": true, "IPv6Network": "fd10::/48", "Backend": {"Type": "vxlan"}}';
const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;

let station: Station;
let folder: string;
beforeAll(async () => {
  station = await Station.open(NET_CONF);
  folder = join(station.paths('n1').hostLocal, 'dbnet');
  await startAgent();
});
afterAll(() => station?.[Symbol.asyncDispose]());

async function startAgent(): Promise<void> {
  station.startAgent('n1', 11);
  await station.statusWhere('n1', 'ready', (status) => status.ready);
}

function run(command: string, containerId: string, netns: string): Promise<PluginOutcome> {
  return station.plugin('n1', { plugin: 'bridge', command, containerId, netns, stdin: LISTING_2 });
}

/** The names of files in the network's folder. */
function files(): string[] {
  return readdirSync(folder).sort();
}

/** The ports of cni0. */
function ports(): string[] {
  return [...station.sh('n1', 'ip -o link show master cni0').matchAll(/^\d+: (\w+)@/gm)].map(
    ([, name]) => name as string,
  );
}

function reaches(from: string, address: string): boolean {
  try {
    inNetns(from, 'ping', '-nqc1', '-W1', address);
    return true;
  } catch {
    return false;
  }
}

test('ADD answers as specification 0.3.1 prescribes, and makes bridge, veth and address', async () => {
  const netns = station.pod('a');
  const { exitCode, json, stderr } = await run('ADD', 'container-a', netns);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(json).toEqual({
    cniVersion: '0.3.1',
    interfaces: [
      { name: 'cni0', mac: expect.stringMatching(MAC) },
      { name: expect.stringMatching(/^veth[0-9a-f]{8}$/), mac: expect.stringMatching(MAC) },
      { name: 'eth0', mac: expect.stringMatching(MAC), sandbox: netns },
    ],
    ips: [{ version: '4', interface: 2, address: '10.1.0.2/16', gateway: '10.1.0.1' }],
    dns: { nameservers: ['10.1.0.1'] },
  });
  const [bridge, veth, eth0] = (json ?? {})['interfaces'] as { name: string; mac: string }[];
  expect(station.sh('n1', 'ip -d -o link show cni0')).toMatch(
    new RegExp(`<[^>]*UP[^>]*>.*link/ether ${bridge?.mac} .* bridge `),
  );
  expect(station.sh('n1', 'ip -o address show cni0 scope global')).toBe('');
  expect(station.sh('n1', `ip -o link show ${veth?.name}`)).toMatch(
    new RegExp(`UP.* master cni0 .*link/ether ${veth?.mac} `),
  );
  expect(inNetns(netns, 'ip', '-o', 'link', 'show', 'eth0')).toMatch(
    new RegExp(`UP.*link/ether ${eth0?.mac} `),
  );
  expect(inNetns(netns, 'ip', '-o', '-4', 'address', 'show', 'eth0')).toContain(' 10.1.0.2/16 ');
  expect(inNetns(netns, 'ip', 'route').trim()).toBe(
    '10.1.0.0/16 dev eth0 proto kernel scope link src 10.1.0.2',
  );
});

test('the files of the reservation are those of the reference plugin', () => {
  expect(files()).toEqual(['10.1.0.2', 'last_reserved_ip.0', 'lock']);
  expect(readFileSync(join(folder, '10.1.0.2'), 'utf8')).toBe('container-a\r\neth0');
  expect(readFileSync(join(folder, 'last_reserved_ip.0'), 'utf8')).toBe('10.1.0.2');
  expect(statSync(join(folder, '10.1.0.2')).mode & 0o777).toBe(0o600);
});

test('a second pod reaches the first over cni0, and the first the second', async () => {
  const b = station.pod('b');
  const { json } = await run('ADD', 'container-b', b);
  expect(json?.['ips']).toEqual([
    { version: '4', interface: 2, address: '10.1.0.3/16', gateway: '10.1.0.1' },
  ]);
  expect(ports()).toHaveLength(2);
  expect(reaches(station.file('pod-a'), '10.1.0.3')).toBe(true);
  expect(reaches(b, '10.1.0.2')).toBe(true);
});

test('a second ADD of the same interface is refused, and harms nothing', async () => {
  const a = station.file('pod-a');
  const { exitCode, json } = await run('ADD', 'container-a', a);
  expect(exitCode).toBe(1);
  expect(json).toMatchObject({ cniVersion: '0.3.1', msg: expect.stringContaining('eth0') });
  expect(files()).toEqual(['10.1.0.2', '10.1.0.3', 'last_reserved_ip.0', 'lock']);
  expect(reaches(a, '10.1.0.3')).toBe(true);
});

test('DEL removes veth and reservation, a second one and one without a namespace are fine, the bridge stays', async () => {
  for (const netns of [station.file('pod-b'), station.file('pod-b'), '']) {
    expect(await run('DEL', 'container-b', netns)).toEqual({ exitCode: 0, json: undefined, stderr: '' });
    // DEL is answered before the link is gone, and with it the address.
    await expect.poll(files).toEqual(['10.1.0.2', 'last_reserved_ip.0', 'lock']);
  }
  expect(ports()).toHaveLength(1);
  expect(inNetns(station.file('pod-b'), 'ip', '-o', 'link')).not.toContain('eth0');
  expect(station.sh('n1', 'ip -o link show cni0')).toContain('cni0');
});

test('without an agent ADD is error 11, and DEL is recorded and done when the agent is back', async () => {
  await station.stop('n1', 'SIGKILL');
  const refused = await run('ADD', 'container-b', station.file('pod-b'));
  expect(refused).toMatchObject({ exitCode: 1, json: { cniVersion: '0.3.1', code: 11 } });
  const { exitCode, json } = await run('DEL', 'container-a', station.file('pod-a'));
  expect({ exitCode, json }).toEqual({ exitCode: 0, json: undefined });
  const { cniPending, attachments } = station.paths('n1');
  expect(readdirSync(cniPending)).toHaveLength(1);
  expect(existsSync(join(folder, '10.1.0.2'))).toBe(true);
  await startAgent();
  await until('the recorded DEL', () => readdirSync(cniPending).length === 0);
  await expect.poll(files).toEqual(['last_reserved_ip.0', 'lock']);
  await until(
    'the last attachment takes the bridge with it',
    () => !station.sh('n1', 'ip -o link').includes('cni0'),
  );
  expect(readdirSync(attachments)).toEqual([]);
});

test('a DEL recorded while an agent runs is done too', async () => {
  await run('ADD', 'container-c', station.pod('c'));
  expect(files()).toContain('10.1.0.4');
  const { cniPending, cniSocket } = station.paths('n1');
  station.sh('n1', `mv ${cniSocket} ${cniSocket}.away`);
  expect((await run('DEL', 'container-c', station.file('pod-c'))).exitCode).toBe(0);
  await until('the recorded DEL', () => readdirSync(cniPending).length === 0);
  await expect.poll(files).toEqual(['last_reserved_ip.0', 'lock']);
  station.sh('n1', `mv ${cniSocket}.away ${cniSocket}`);
});

test('a pod that vanishes without DEL while no agent runs has its address given back', async () => {
  const netns = station.pod('d');
  await run('ADD', 'container-d', netns);
  expect(files()).toContain('10.1.0.5');
  await station.stop('n1', 'SIGKILL');
  station.removePod(netns);
  await until('the end of the veth', () => ports().length === 0);
  await startAgent();
  expect(files()).toEqual(['last_reserved_ip.0', 'lock']);
  expect(await run('DEL', 'container-d', '')).toMatchObject({ exitCode: 0 });
});
