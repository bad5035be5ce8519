/** CNI while the store is away: an agent that runs goes on as before; one that starts takes pods away and asks for patience with new ones. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PluginOutcome, Station } from './agent-station.ts';
import { inNetns, until } from './agent-world.ts';

const NET_CONF =
  '{"Network": "10.10.0.0/16", "EnableIPv6": true, "IPv6Network": "fd10::/48", "Backend": {"Type": "vxlan"}}';
const CONFIG = '{"cniVersion": "1.0.0", "name": "pods", "type": "poplin"}';

let station: Station;
beforeAll(async () => {
  station = await Station.open(NET_CONF);
  station.startAgent('n1', 11);
  await station.statusWhere('n1', 'ready', (status) => status.ready);
});
afterAll(() => station?.[Symbol.asyncDispose]());

function run(command: string, containerId: string, netns: string): Promise<PluginOutcome> {
  return station.plugin('n1', { plugin: 'poplin', command, containerId, netns, stdin: CONFIG });
}

function reservations(): string[] {
  const names = readdirSync(join(station.paths('n1').hostLocal, 'pods'));
  return names.filter((name) => /^[0-9a-f.:]+$/.test(name)).sort();
}

function reachesNode(netns: string): boolean {
  try {
    for (const address of ['192.168.60.11', 'fd60::11']) inNetns(netns, 'ping', '-nqc1', '-W1', address);
    return true;
  } catch {
    return false;
  }
}

test('an agent that lost its store attaches, detaches and repairs', async () => {
  await station.stop('apiserver');
  await station.statusWhere('n1', 'store away', (status) => status.store === 'away');
  const [a, b] = [station.pod('a'), station.pod('b')];
  for (const [name, netns] of [
    ['a', a],
    ['b', b],
  ] as const) {
    expect(await run('ADD', name, netns)).toMatchObject({ exitCode: 0 });
    expect(reachesNode(netns)).toBe(true);
  }
  expect(await run('DEL', 'b', b)).toMatchObject({ exitCode: 0 });
  // DEL is answered before the link is gone, and with it the addresses.
  await expect.poll(reservations).toHaveLength(2);
  station.sh('n1', 'ip -4 route flush proto 113; ip -6 route flush proto 113; ip link del flannel.1');
  await until(
    'what was deleted',
    () => reachesNode(a) && station.sh('n1', 'ip -o link').includes('flannel.1'),
  );
  expect(await station.status('n1')).toMatchObject({ ready: true, store: 'away' });
});

test('an agent that starts without its store serves DEL, and answers ADD with error 11', async () => {
  const [b, c] = [station.file('pod-b'), station.pod('c')];
  expect(await run('ADD', 'b', b)).toMatchObject({ exitCode: 0 });
  await station.stop('n1', 'SIGKILL');
  station.startAgent('n1', 11);
  await station.statusWhere('n1', 'started', (status) => !status.ready && status.store === 'away');
  const { json } = await until('an answer of the agent', async () => {
    const outcome = await run('ADD', 'c', c);
    return String(outcome.json?.['msg']).includes('lease') && outcome;
  });
  expect(json).toEqual({
    cniVersion: '1.0.0',
    code: 11,
    msg: 'this node holds no subnet lease yet',
    details: 'see: poplin status',
  });
  expect(reachesNode(b)).toBe(true);
  expect(await run('DEL', 'b', b)).toMatchObject({ exitCode: 0 });
  expect(readdirSync(station.paths('n1').cniPending)).toEqual([]);
  await expect.poll(reservations).toHaveLength(2);
  expect(inNetns(b, 'ip', '-o', 'link')).not.toContain('eth0');
});

test('once the store is back, the first comparison finds nothing to do', async () => {
  await station.startStore();
  const status = await station.statusWhere('n1', 'ready', ({ ready }) => ready);
  expect(status).toMatchObject({
    store: 'connected',
    kernel: { firstPassOps: 0, failures: [], conflicts: [] },
  });
  expect(reachesNode(station.file('pod-a'))).toBe(true);
  expect(await run('ADD', 'c', station.file('pod-c'))).toMatchObject({ exitCode: 0 });
});
