/** An agent that is killed, or stopped, under traffic: nothing is lost, and its successor finds nothing to do. */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { AgentStatus } from '#app/agent/index.ts';
import { AgentLab, networkText, Ping, poplin, Stream, until } from './agent-world.ts';

const TOPOLOGY = `
nodes: 2
pods:
  a1: { node: node1 }
  a2: { node: node1 }
  b1: { node: node2, network: bridge }
  b2: { node: node2, network: bridge }
`;

/** Routed pods live on node1, bridged ones on node2, and both agents are disturbed. */
const NODES = ['node1', 'node2'] as const;
/** From node to node, and on each node itself. */
const PAIRS = [
  ['a1', 'b1'],
  ['a1', 'a2'],
  ['b1', 'b2'],
  ['b2', 'node1'],
] as const;

let lab: AgentLab;
beforeAll(async () => {
  lab = await AgentLab.up('restart', TOPOLOGY);
});
afterEach(() => lab.endTraffic());
afterAll(() => lab?.[Symbol.asyncDispose]());

/** Runs `disturb` under traffic in both families and expects that nobody noticed. */
async function underTraffic(disturb: () => Promise<void>): Promise<void> {
  const pings = PAIRS.flatMap(([from, to]) =>
    ([4, 6] as const).map((family) => ({
      name: `${from} → ${to} IPv${family}`,
      ping: new Ping(lab, from, lab.address(to, family)),
    })),
  );
  const streams = await Promise.all([
    Stream.start(lab, 'a1', 'b1', 4, 7001),
    Stream.start(lab, 'b2', 'a2', 6, 7002),
    Stream.start(lab, 'b1', 'b2', 4, 7003),
    Stream.start(lab, 'a2', 'a1', 6, 7004),
  ]);
  await Promise.all(pings.map(({ ping }) => ping.answers(20)));
  await disturb();
  await Promise.all(pings.map(({ ping }) => ping.answers(30)));
  const [answered, numbers, slowestMs] = [[], [], []] as [number[], number[], number[]];
  for (const { name, ping } of pings) {
    const report = await ping.stop();
    answered.push(report.answered);
    expect(report, name).toMatchObject({ lost: 0 });
  }
  for (const stream of streams) {
    const report = await stream.stop();
    numbers.push(report.received);
    slowestMs.push(Math.ceil(report.slowestMs));
    expect(report).toMatchObject({ disorder: 0, retransmitted: 0 });
    expect(report.slowestMs).toBeLessThan(200);
  }
  console.log(`echo requests answered, 0 lost: ${answered.join(' ')}`);
  console.log(`TCP numbers: ${numbers.join(' ')}, 0 sent again, slowest ${slowestMs.join(' ')} ms`);
}

async function statusByCommand(node: string): Promise<AgentStatus> {
  return JSON.parse(await poplin('status', '--root-dir', lab.root(node), '--json')) as AgentStatus;
}

/** The networks of both nodes as they are, to be found again byte for byte. */
function networks(): string {
  return NODES.map((node) => networkText(lab.netns(node))).join('\n');
}

/** Ends both agents and waits until their successors are ready. */
async function replaceAgents(signal: NodeJS.Signals): Promise<void> {
  const former = await Promise.all(NODES.map(async (node) => [node, await lab.pid(node)] as const));
  for (const [, pid] of former) process.kill(pid, signal);
  await Promise.all(former.map(([node, pid]) => lab.ready(node, pid)));
  for (const [node, pid] of former) {
    const status = await statusByCommand(node);
    expect(status.pid).not.toBe(pid);
    expect(status).toMatchObject({ ready: true, store: 'connected', problems: [] });
  }
}

async function expectNothingPlanned(): Promise<void> {
  for (const node of NODES) {
    const { kernel } = await statusByCommand(node);
    expect(kernel, node).toMatchObject({ firstPassOps: 0, ops: 0, failures: [], conflicts: [] });
  }
}

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`${signal} of the agents loses not one packet, and their successors plan nothing`, async () => {
    const before = networks();
    await underTraffic(async () => {
      await replaceAgents(signal);
      await expectNothingPlanned();
    });
    expect(networks()).toBe(before);
  });
}

test('an agent killed again and again while it starts loses nothing', async () => {
  const before = networks();
  await underTraffic(async () => {
    for (let round = 0; round < 3; round++) {
      const pid = await until('an agent that starts', async () => (await lab.status('node1'))?.pid);
      process.kill(pid, 'SIGKILL');
      await until('its successor', async () => {
        const status = await lab.status('node1');
        return status !== undefined && status.pid !== pid;
      });
    }
    await lab.ready('node1');
    await expectNothingPlanned();
  });
  expect(networks()).toBe(before);
});

for (const [how, verdict] of [
  ['is silent', 'drop'],
  ['refuses', 'reject with tcp reset'],
] as const) {
  test(`agents that start while the store ${how} leave the traffic alone, and plan nothing once it is back`, async () => {
    const before = networks();
    const nft = (command: string) => lab.sh('fabric.', `nft '${command}'`);
    await underTraffic(async () => {
      nft('add table inet cut');
      nft('add chain inet cut input { type filter hook input priority 0; }');
      nft(`add rule inet cut input tcp dport 6443 ${verdict}`);
      try {
        const former = await Promise.all(NODES.map((node) => lab.pid(node)));
        for (const pid of former) process.kill(pid, 'SIGKILL');
        for (const [at, node] of NODES.entries()) {
          await until(`agent of ${node} that waits for its store`, async () => {
            const status = await lab.status(node);
            return status !== undefined && status.pid !== former[at];
          });
        }
        // Long enough for an agent that gave up, or acted as if the store were empty, to have done so.
        const ping = new Ping(lab, 'a1', lab.address('b1', 6));
        await ping.answers(300);
        expect(await ping.stop()).toMatchObject({ lost: 0 });
        for (const node of NODES)
          expect(await lab.status(node)).toMatchObject({ ready: false, store: 'away' });
        expect(networks()).toBe(before);
      } finally {
        nft('delete table inet cut');
      }
      const started = performance.now();
      await Promise.all(NODES.map((node) => lab.ready(node)));
      console.log(`ready ${Math.round(performance.now() - started)} ms after the store came back`);
      await expectNothingPlanned();
    });
    expect(networks()).toBe(before);
  });
}
