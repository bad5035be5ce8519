/** Route reflectors among the nodes, as docs/bgp.md has them: two of four reflect, and pods still reach each other directly. */
import { expect, test } from 'vitest';
import { inNetns, until } from './agent-world.ts';
import { type BgpNode, BgpWorld } from './bgp-world.ts';

const NODES: readonly BgpNode[] = [
  { name: 'node1', clusterId: '10.0.0.1' },
  { name: 'node2', clusterId: '10.0.0.1' },
  { name: 'node3' },
  { name: 'node4' },
];

test('nodes that know two reflectors know the way to all nodes', async () => {
  await using world = await BgpWorld.open(NODES);
  world.apply('reflectors');
  world.startAgents();
  // With each reflector, and of those with all others, in both families.
  await world.converged(({ clusterId }) => (clusterId === undefined ? 4 : 6));
  const [from, to] = [await world.pod('node3'), await world.pod('node4')];
  const route = `${to[4].replace(/\d+$/, '0/24')} via 192.168.60.14 `;
  await until('the route by the other client itself', () => world.routes('node3', 4).includes(route));
  await until('three IPv6 routes', () => world.routes('node3', 6).match(/via /g)?.length === 3);
  for (const family of [4, 6] as const)
    expect(inNetns(from.netns, 'ping', '-nqc3', '-i0.1', '-W1', to[family])).toContain(' 0% packet loss');
});
