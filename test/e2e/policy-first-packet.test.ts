/**
 * A pod that sends from its first instruction never gets a packet out that its policies forbid: with the API server there, with it away, and
 * with the agent restarted in between. Each start is a new namespace in which something sends before there is a link.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { soaked } from '#testing/soak.ts';
import { inNetns, until } from './agent-world.ts';
import { type Plugin, PolicyWorld, type TestPod } from './policy-world.ts';

/** Starts of each kind; all kinds together are a thousand in a soak. */
const STARTS = soaked(6, 84);
const PLUGINS: readonly Plugin[] = ['poplin', 'bridge'];

let world: PolicyWorld;
let target: TestPod;
let far: TestPod;
beforeAll(async () => {
  world = await PolicyWorld.open(['n1', 'n2']);
  for (const name of ['open', 'shut']) world.addNamespace(name);
  target = await world.addPod({ node: 'n1', namespace: 'open', name: 'target' });
  far = await world.addPod({ node: 'n2', namespace: 'open', name: 'far' });
  world.setPolicy('shut', 'deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
  // Declared early: they are known from the disk when the API server is away.
  for (const name of ['away', 'restarted'])
    for (const plugin of PLUGINS)
      uids.set(
        `${name}-${plugin}`,
        world.declare({ node: 'n1', namespace: 'shut', name: `${name}-${plugin}` }),
      );
  await world.station.statusWhere('n1', 'policy known', ({ policy }) => policy?.policies === 1);
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

const uids = new Map<string, string>();

/** Attaches a pod in which something sends already; how many of its packets came, a moment after it is attached. */
async function floods(name: string, namespace: string, plugin: Plugin, uid: string): Promise<number> {
  const netns = world.newNamespace();
  const addresses = [target, far].flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]);
  await using _near = await world.count(target);
  await using _far = await world.count(far);
  await using _flood = await world.flood(netns, addresses);
  const pod = await world.attach({ node: 'n1', namespace, name, plugin }, uid, netns);
  // Long enough for its first neighbours to be found, and for some thousand packets.
  const isOpen = namespace === 'open';
  const counts = () => _near.taken() + _far.taken();
  if (isOpen) await until('packets', () => _near.taken() > 10 && _far.taken() > 10);
  else {
    await until('an own address', () => inNetns(netns, 'ip', '-o', 'address').includes(pod.ipv4));
    await until('packets that were sent', () => sent(netns) > 200);
  }
  const count = counts();
  await world.detach(pod);
  world.station.removePod(netns);
  return count;
}

function sent(netns: string): number {
  return Number(inNetns(netns, 'cat', '/sys/class/net/eth0/statistics/tx_packets').trim());
}

test.each(PLUGINS)('what nothing forbids gets out, by %s: the test sees packets', async (plugin) => {
  const uid = world.declare({ node: 'n1', namespace: 'open', name: `free-${plugin}` });
  expect(await floods(`free-${plugin}`, 'open', plugin, uid)).toBeGreaterThan(20);
});

test.each(PLUGINS)('with the API server there, by %s', { timeout: 600_000 }, async (plugin) => {
  for (let turn = 0; turn < STARTS; turn++) {
    const name = `pod-${plugin}-${turn}`;
    const uid = world.declare({ node: 'n1', namespace: 'shut', name });
    expect(await floods(name, 'shut', plugin, uid), name).toBe(0);
  }
});

test.each(PLUGINS)(
  'with the agent killed and started in between, by %s',
  { timeout: 900_000 },
  async (plugin) => {
    for (let turn = 0; turn < STARTS; turn++) {
      await world.station.stop('n1', turn % 2 === 0 ? 'SIGKILL' : 'SIGTERM');
      world.station.startAgent('n1', 11);
      // Not until it is ready: as soon as its socket is there.
      const attempt = async (): Promise<number | undefined> => {
        try {
          const name = `restarted-${plugin}`;
          return await floods(name, 'shut', plugin, uids.get(name) ?? '');
        } catch (error) {
          // Error 11: try again later.
          if (/"code":11/.test(String(error))) return undefined;
          throw error;
        }
      };
      const found = await until('a pod', async () => {
        const count = await attempt();
        return count === undefined ? undefined : { count };
      });
      expect(found.count, `turn ${turn}`).toBe(0);
    }
  },
);

test.each(PLUGINS)('with the API server away, by %s', { timeout: 900_000 }, async (plugin) => {
  await world.station.stop('apiserver');
  try {
    for (let turn = 0; turn < STARTS; turn++) {
      // One that was known before, and one that nobody has told of: nothing passes either.
      const known = `away-${plugin}`;
      expect(await floods(known, 'shut', plugin, uids.get(known) ?? ''), `turn ${turn}`).toBe(0);
      expect(await floods(`new-${turn}`, 'shut', plugin, 'uid-new'), `turn ${turn}`).toBe(0);
    }
  } finally {
    await world.station.startStore();
  }
});

test('with the API server away and the agent started anew', { timeout: 300_000 }, async () => {
  await world.station.stop('apiserver');
  try {
    await world.station.stop('n1');
    world.station.startAgent('n1', 11);
    await world.station.statusWhere('n1', 'up', ({ policy }) => policy?.known === 'disk');
    const status = await world.station.status('n1');
    expect(status?.policy).toMatchObject({ known: 'disk', policies: 1 });
    expect(world.pings(far, target)).toEqual([true, true]);
  } finally {
    await world.station.startStore();
  }
  await world.station.statusWhere('n1', 'policies of the API', ({ policy }) => policy?.known === 'api');
});
