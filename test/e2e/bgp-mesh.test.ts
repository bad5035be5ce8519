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
  expect(world.station.sh('node1', 'ip -o link')).not.toContain('flannel');
  const before = world.routes('node1', 4) + world.routes('node1', 6);
  await world.station.stop('node1');
  expect(world.routes('node1', 4) + world.routes('node1', 6)).toBe(before);
  expect(world.routes('node2', 4)).toContain(from[4].replace(/\d+$/, '0/24'));
  world.startAgents('node1');
  await world.converged(() => 4);
  expect(world.routes('node1', 4) + world.routes('node1', 6)).toBe(before);
});
