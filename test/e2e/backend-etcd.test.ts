/**
 * An etcd that is killed and compacted, again and again, while pods talk and nodes come and go: no packet is lost, and no lease is lost, moved or
 * held by two.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { soaked } from '#testing/soak.ts';
import { Flow, type FlowCount } from '../backends/flow.ts';
import { BackendWorld, HOSTS, type PodAddresses } from '../backends/world.ts';
import { until } from './agent-world.ts';
import type { CrowdReport } from './backend-crowd.ts';

const ROUNDS = soaked(3, 60);
const CROWD = fileURLToPath(new URL('backend-crowd.ts', import.meta.url));
const NET_CONF = {
  Network: '10.42.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd42::/48',
  Backend: { Type: 'vxlan' },
};

/** Nobody but the store's own machine reaches it. */
const SHUT = `nft -f - <<'RULES'
table inet shut { chain in { type filter hook input priority 0; iif != lo tcp dport 2379 reject with tcp reset; }; }
RULES`;

/** The process of backend-crowd.ts, on a host. */
class Crowd implements AsyncDisposable {
  private readonly child: ChildProcess;
  private readonly ended: Promise<unknown>;
  private out = '';

  constructor(world: BackendWorld) {
    const { NODE_EXTRA_CA_CERTS: _slow, ...env } = process.env;
    const args = [`--net=${world.file('n3')}`, process.execPath, CROWD, 'http://192.168.60.1:2379'];
    this.child = spawn('nsenter', args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    this.ended = new Promise((resolve) => this.child.once('close', resolve));
  }

  /** The next one. */
  async report(): Promise<CrowdReport> {
    this.out = '';
    const line = await until('a report of the crowd', () => /^\{.*\}\n/m.exec(this.out)?.[0]);
    return JSON.parse(line) as CrowdReport;
  }

  reportWhere(what: string, holds: (report: CrowdReport) => boolean): Promise<CrowdReport> {
    return until(what, async () => {
      const report = await this.report();
      return holds(report) && report;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGTERM');
    await this.ended;
  }
}

interface KeyOfNode {
  readonly node: string;
  readonly key: string;
  readonly createRevision: number;
}

/** The keys of the hosts, and when they were made: a lease that ended in between has another. */
function keysOf(world: BackendWorld): KeyOfNode[] {
  const { kvs } = JSON.parse(
    world.registry.etcd('get', '--prefix', '/coreos.com/network/subnets/', '-w', 'json'),
  ) as {
    kvs: { key: string; value: string; create_revision: number }[];
  };
  return kvs
    .map(({ key, value, create_revision }) => {
      const { PoplinOwner } = JSON.parse(Buffer.from(value, 'base64').toString()) as {
        PoplinOwner: { Node: string };
      };
      return {
        node: PoplinOwner.Node,
        key: Buffer.from(key, 'base64').toString(),
        createRevision: create_revision,
      };
    })
    .filter(({ node }) => (HOSTS as readonly string[]).includes(node))
    .sort((one, other) => one.node.localeCompare(other.node));
}

/** Once while nobody watches, so that what the watches ask for is gone when they are back, and once while they run. */
async function killAndCompact(world: BackendWorld, crowd: Crowd): Promise<CrowdReport> {
  const before = await crowd.report();
  await world.stop('store', 'SIGKILL');
  for (const host of HOSTS)
    await world.statusWhere(host, 'the store is away', ({ store }) => store === 'away');
  world.sh('router', SHUT);
  await world.startStore();
  world.registry.compact();
  world.sh('router', 'nft delete table inet shut');
  for (const host of HOSTS) await world.ready(host);
  const after = await crowd.reportWhere(
    'all is listed anew, and more nodes have come',
    ({ compactions, joined }) => compactions > before.compactions && joined > before.joined + 10,
  );
  world.registry.compact();
  return after;
}

test('etcd is killed and compacted under load: no packet is lost, no lease is lost or doubled', {
  timeout: soaked(180_000, 1_800_000),
}, async () => {
  await using world = await BackendWorld.open({ registry: 'etcd', netConf: NET_CONF, third: 'near' });
  for (const host of HOSTS) world.startAgent(host);
  for (const host of HOSTS) await world.ready(host);
  const pods: PodAddresses[] = [];
  for (const host of HOSTS) pods.push(await world.attach(host));
  await using crowd = new Crowd(world);
  const before = keysOf(world);
  expect(before.map(({ node }) => node)).toEqual(HOSTS);
  await crowd.reportWhere('all that stay hold a subnet', ({ staying }) => staying === 6);

  const flows = pods.flatMap(({ netns }, at) =>
    (pods[(at + 1) % pods.length]?.addresses ?? []).map((address) => new Flow(world.file(netns), address)),
  );
  const counts: FlowCount[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const { faults } = await killAndCompact(world, crowd);
      expect(faults).toEqual([]);
    }
  } finally {
    counts.push(...(await Promise.all(flows.map((flow) => flow.end()))));
  }
  for (const { sent, lost } of counts) {
    expect(sent).toBeGreaterThan(ROUNDS * 20);
    expect(lost).toBe(0);
  }
  expect(keysOf(world)).toEqual(before);
  const routes = world.sh('n1', 'ip route show proto 112');
  const end = await crowd.report();
  expect(end.faults).toEqual([]);
  expect(end).toMatchObject({ staying: 6 });
  for (const count of ['joined', 'left', 'renewed'] as const) expect(end[count]).toBeGreaterThan(0);
  expect(routes.split('\n').length).toBeGreaterThan(3);
  process.stdout.write(`${ROUNDS} rounds: ${JSON.stringify(end)}\n`);
});
