/** A full mesh of nodes without any encapsulation: the simplest of what docs/bgp.md describes. */
import { expect, test } from 'vitest';
import { inNetns, until } from './agent-world.ts';
import { BgpWorld } from './bgp-world.ts';

const NODES = [{ name: 'node1' }, { name: 'node2' }, { name: 'node3' }];
test('pods reach each other by routes of a full mesh, and an agent that restarts loses nothing', async () => {
  await using world = await BgpWorld.open(NODES);
  world.apply('mesh');
  world.startAgents();
  await world.converged(() => 4);
  const [from, to] = [await world.pod('node1'), await world.pod('node2')];
  for (const family of [4, 6] as const) {
    await until('a route', () => world.routes('node1', family).split('\n').length > 2);
    expect(inNetns(from.netns, 'ping', '-nqc3', '-i0.1', '-W1', to[family])).toContain(' 0% packet loss');
  }
  // An address outside the node's subnet, which something else has chosen.
  const netns = world.station.pod('single');
  const { exitCode } = await world.station.plugin('node1', {
    plugin: 'ptp',
    command: 'ADD',
    containerId: 'single',
    netns,
    args: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=single;K8S_POD_UID=1',
    stdin: JSON.stringify({
      cniVersion: '1.0.0',
      name: 'single',
      type: 'ptp',
      ipam: {
        type: 'static',
        addresses: [{ address: '10.10.200.5/24', gateway: '10.10.200.1' }],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    }),
  });
  expect(exitCode).toBe(0);
  await until('its route', () => world.routes('node2', 4).includes('10.10.200.5 via 192.168.60.11'));
  expect(inNetns(to.netns, 'ping', '-nqc3', '-i0.1', '-W1', '10.10.200.5')).toContain(' 0% packet loss');
  expect(world.station.sh('node1', 'ip -o link')).not.toContain('flannel');
  await world.station.statusWhere(
    'node2',
    'BFD with all',
    ({ bgp }) => bgp?.neighbors.every(({ bfd }) => bfd === 'up') === true,
  );
  await asked(world);
  const known = world.routes('node2', 4) + world.routes('node2', 6);
  const before = world.routes('node1', 4) + world.routes('node1', 6);
  await world.station.stop('node1');
  expect(world.routes('node1', 4) + world.routes('node1', 6)).toBe(before);
  // BFD has ended on purpose, and so packets still get there.
  await world.station.statusWhere(
    'node2',
    'lost sessions',
    ({ bgp }) => bgp?.neighbors.filter(({ isUp }) => isUp).length === 2,
  );
  expect(world.routes('node2', 4) + world.routes('node2', 6)).toBe(known);
  world.startAgents('node1');
  await world.converged(() => 4);
  expect(world.routes('node1', 4) + world.routes('node1', 6)).toBe(before);
  expect(world.routes('node2', 4) + world.routes('node2', 6)).toBe(known);
});

/** The commands of `poplin bgp` ask the agent, and what they order lasts until they take it back. */
async function asked(world: BgpWorld): Promise<void> {
  const bgp = (...args: readonly string[]) => world.bgp('node1', ...args);
  expect(bgp('summary')).toMatch(
    /^AS 64512, 4 neighbors\n(?:.*\n)+mesh node2 4 +192\.168\.60\.12 +64512 +up /,
  );
  expect(bgp('neighbor', '192.168.60.12')).toMatch(
    /neighbor +mesh node2 4\n(?:.*\n)*messages in +\d+ open, /,
  );
  const [subnet = ''] = /10\.10\.\d+\.0\/24/.exec(world.routes('node1', 4)) ?? [];
  expect(bgp('routes', '-4', '--best')).toContain(`> ${subnet}`);
  expect(bgp('why', subnet)).toContain(': the best\n');
  expect(bgp('announce', '10.10.99.0/24', '--community', '64512:7')).toBe('');
  await until('the route', () => world.routes('node2', 4).includes('10.10.99.0/24 via 192.168.60.11'));
  expect(world.bgp('node2', 'routes', '--peer', 'mesh node1 4')).toMatch(/10\.10\.99\.0\/24 .* 64512:7\n/);
  expect(bgp('withdraw', '10.10.99.0/24')).toBe('');
  await until('no route', () => !world.routes('node2', 4).includes('10.10.99.0/24'));
  expect(bgp('announce', '203.0.113.0/24')).toContain('203.0.113.0/24: no neighbor is told: ');
  expect(bgp('withdraw', '203.0.113.0/24')).toBe('');
  expect(bgp('soft-reset', 'mesh node2 4', '--json')).toContain('"in"');
  expect(bgp('dump', world.station.file('table.mrt'))).toMatch(/^\d+ prefixes in /);
  expect(bgp('reload')).toBe(
    'poplin bgp: the agent follows the objects of the API server: there is no file to be read again\n',
  );
}
