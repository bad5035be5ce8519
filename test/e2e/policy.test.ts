/** Policies of an API server, carried out by agents: between pods of one node and of two, routed and bridged, in both families. */
import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { inNetns, until } from './agent-world.ts';
import { type Plugin, PolicyWorld, type TestPod } from './policy-world.ts';

const BOTH = [true, true];
const NONE = [false, false];
const PORT = 8080;

let world: PolicyWorld;
beforeAll(async () => {
  world = await PolicyWorld.open(['n1', 'n2']);
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

/** Policies reach the kernel within moments; what is expected must stay so. */
const soon = (probe: () => unknown) => ({
  toEqual: (wanted: unknown) =>
    vi.waitFor(() => expect(probe()).toEqual(wanted), { timeout: 5_000, interval: 20 }),
});

const listeners: ChildProcess[] = [];
afterAll(() => {
  for (const each of listeners) each.kill();
});

function serve(pod: TestPod): void {
  const args = [`--net=${pod.netns}`, 'socat', `TCP6-LISTEN:${PORT},fork,reuseaddr`, 'EXEC:/bin/true'];
  listeners.push(spawn('nsenter', args, { stdio: 'ignore' }));
}

describe.each<Plugin>(['poplin', 'bridge'])('pods attached by %s', (plugin) => {
  let server: TestPod;
  let near: TestPod;
  let far: TestPod;
  let other: TestPod;
  const space = `shop-${plugin}`;

  beforeAll(async () => {
    world.addNamespace(space);
    const add = (name: string, node: string, app: string) =>
      world.addPod({ node, namespace: space, name, labels: { app }, plugin });
    server = await add('server', 'n1', 'server');
    near = await add('near', 'n1', 'client');
    far = await add('far', 'n2', 'client');
    other = await add('other', 'n1', 'other');
    serve(server);
    for (const pod of [near, far, other]) await soon(() => world.connects(pod, server, PORT)).toEqual(BOTH);
  }, 60_000);

  beforeEach(() => {
    for (const name of ['deny', 'allow']) world.removePolicy(space, name);
  });

  test('are shut by a policy that allows nothing, and open when it is gone', async () => {
    world.setPolicy(space, 'deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    for (const pod of [near, far, other]) await soon(() => world.connects(pod, server, PORT)).toEqual(NONE);
    expect(world.pings(near, server)).toEqual(NONE);
    expect(world.pings(server, far)).toEqual(NONE);
    world.removePolicy(space, 'deny');
    for (const pod of [near, far, other]) await soon(() => world.connects(pod, server, PORT)).toEqual(BOTH);
  });

  test('take what a policy allows by label and port, on one node and from another', async () => {
    world.setPolicy(space, 'allow', {
      podSelector: { matchLabels: { app: 'server' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }], ports: [{ port: PORT }] }],
    });
    await soon(() => world.connects(other, server, PORT)).toEqual(NONE);
    for (const pod of [near, far]) {
      expect(world.connects(pod, server, PORT), pod.name).toEqual(BOTH);
      expect(world.pings(pod, server), pod.name).toEqual(NONE);
      expect(world.pings(server, pod), pod.name).toEqual(BOTH);
    }
    world.setLabels(other, { app: 'client' });
    await soon(() => world.connects(other, server, PORT)).toEqual(BOTH);
    world.setLabels(other, { app: 'other' });
    await soon(() => world.connects(other, server, PORT)).toEqual(NONE);
  });

  test('are reached by their own node, whatever policies say', async () => {
    world.setPolicy(space, 'deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] });
    await soon(() => world.pings(near, server)).toEqual(NONE);
    for (const address of [server.ipv4, server.ipv6]) world.station.sh('n1', `ping -nqc1 -W1 ${address}`);
    expect(() => world.station.sh('n2', `ping -nqc1 -W0.3 ${server.ipv4}`)).toThrow('ping');
  });

  test('cannot speak with an address that is not theirs', async () => {
    world.setPolicy(space, 'allow', {
      podSelector: { matchLabels: { app: 'server' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'client' } } }] }],
    });
    await soon(() => world.connects(other, server, PORT)).toEqual(NONE);
    await using counter = await world.count(server);
    for (const [address, source] of [
      [server.ipv4, near.ipv4],
      [server.ipv6, near.ipv6],
    ] as const) {
      const length = source.includes(':') ? 128 : 32;
      inNetns(other.netns, 'ip', 'address', 'add', `${source}/${length}`, 'dev', 'eth0', 'nodad');
      const target = source.includes(':')
        ? `UDP6:[${address}]:9999,bind=[${source}]`
        : `UDP:${address}:9999,bind=${source}`;
      inNetns(other.netns, 'sh', '-c', `echo x | socat -u - ${target}`);
      inNetns(other.netns, 'ip', 'address', 'del', `${source}/${length}`, 'dev', 'eth0');
      const honest = source.includes(':') ? `UDP6:[${address}]:9999` : `UDP:${address}:9999`;
      inNetns(near.netns, 'sh', '-c', `echo x | socat -u - ${honest}`);
    }
    await soon(() => counter.taken()).toEqual(2);
  });

  test('lose a flow that a new policy forbids, within a second', async () => {
    const pinging = [near, far].flatMap((pod) =>
      [server.ipv4, server.ipv6].map((address) => {
        let last = 0;
        const child = spawn('nsenter', [`--net=${pod.netns}`, 'ping', '-n', '-i0.02', address], {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        child.stdout.on('data', () => {
          last = performance.now();
        });
        return { child, silentMs: () => performance.now() - last };
      }),
    );
    try {
      await until('answers', () => pinging.every(({ silentMs }) => silentMs() < 200));
      world.setPolicy(space, 'deny', { podSelector: {}, policyTypes: ['Ingress'] });
      const begun = performance.now();
      await until('silence', () => pinging.every(({ silentMs }) => silentMs() > 300));
      expect(performance.now() - begun).toBeLessThan(1_300);
      world.removePolicy(space, 'deny');
      await until('answers again', () => pinging.every(({ silentMs }) => silentMs() < 200));
    } finally {
      for (const { child } of pinging) child.kill('SIGKILL');
    }
  });
});
