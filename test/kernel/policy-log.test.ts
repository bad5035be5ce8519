/** What policies decide is told while somebody listens: the kernel says who does, rules follow in one transaction, and decide the same. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { KernelLoop, PolicyKeeper } from '#app/agent/index.ts';
import { decodePacketFlow, type LoggedPacket } from '#core/netlink/log/index.ts';
import { POLICY_LOG_GROUP } from '#core/policy/flows/index.ts';
import { POLICY_RESOURCES } from '#core/policy/index.ts';
import { parseRuleTag } from '#core/policy/rule-tag.ts';
import { RESOURCES, type ResourcePath, StoreError } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { isLogHeard, PacketLog } from '#io/flow-log/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import { openNamespace } from '#io/namespace/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { allowTcp, Enforced, MANY_RULES, STRANGER, tcp } from './policy-contract.ts';
import { addressOf, PolicyWorld } from './policy-world.ts';

const FAMILIES = [4, 6] as const;
const MAIN = join(import.meta.dirname, '../../dist/poplin.mjs');
/** Two pods whose policies let one port through; nothing is told. */
async function silent(): Promise<Enforced> {
  const pods = new Enforced('routed');
  for (const number of [2, 3]) {
    pods.attach(number);
    pods.know(number);
  }
  pods.isolate(2, { egress: [allowTcp(80), ...MANY_RULES], ingress: [] });
  pods.isolate(3, { ingress: [allowTcp(80), ...MANY_RULES] });
  pods.compiler.tellFlows(false);
  await pods.flush();
  return pods;
}

function expectSame({ kernel }: Enforced, when: string, sourcePort = 40_000): void {
  const passes = (from: string, to: string, port: number) =>
    kernel.passes({ ...tcp(from, to, port), sourcePort });
  for (const family of FAMILIES) {
    const [from, to, stranger] = [addressOf(2, family), addressOf(3, family), STRANGER[family]];
    const found = {
      out: passes(from, to, 80),
      in: passes(stranger, to, 80),
      notOut: passes(from, stranger, 81),
      notIn: passes(stranger, to, 81),
      notBack: passes(to, from, 80),
    };
    const not = { notOut: false, notIn: false, notBack: false };
    expect(found, `IPv${family} ${when}`).toEqual({ out: true, in: true, ...not });
  }
}

test('rules that decide tell those who listen, from the next transaction on, and packets pass as before', async () => {
  using pods = await silent();
  const { kernel } = pods;
  using namespace = openNamespace(kernel.path);
  const isHeard = (): boolean => isLogHeard(namespace, POLICY_LOG_GROUP);
  const before = kernel.sh('nft -s list ruleset');
  expect(before).not.toContain('log');
  let meanwhile = 0;
  const change = async (when: string): Promise<void> => {
    pods.compiler.tellFlows(isHeard());
    let isDone = false;
    const done = pods.flush().finally(() => (isDone = true));
    while (!isDone) {
      expectSame(pods, when);
      meanwhile++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
  };
  expectSame(pods, 'at first');
  expect(isHeard()).toBe(false);
  for (let round = 0; round < 3; round++) {
    const packets: LoggedPacket[] = [];
    const failing = (error: unknown) => {
      throw error;
    };
    using log = PacketLog.open({
      namespace,
      group: POLICY_LOG_GROUP,
      onPackets: (more) => packets.push(...more),
      onLost: failing,
      onError: failing,
    });
    expect(isHeard()).toBe(true);
    expect(isLogHeard(namespace, POLICY_LOG_GROUP + 1)).toBe(false);
    await change('while they begin to tell');
    const port = 41_000 + round;
    expectSame(pods, 'while they tell', port);
    const tags = (): string[] =>
      packets
        .filter(({ payload }) => decodePacketFlow(payload).sourcePort === port)
        .map(({ prefix }) => parseRuleTag(prefix))
        .map((tag) => `${tag?.direction} ${tag?.action}`)
        .toSorted();
    // In each family: out is egress and ingress, in is ingress, and three are refused.
    const wanted = [
      'egress allow',
      'ingress allow',
      'ingress allow',
      'egress deny',
      'ingress deny',
      'ingress deny',
    ];
    await vi.waitUntil(() => tags().length >= 2 * wanted.length, { timeout: 5000 });
    expect(tags()).toEqual([...wanted, ...wanted].toSorted());
    log.close();
    expect(isHeard()).toBe(false);
    await change('while they end');
    expectSame(pods, 'afterwards');
    expect(kernel.differences).toEqual([]);
    expect(kernel.sh('nft -s list ruleset')).toBe(before);
  }
  expect(meanwhile).toBeGreaterThan(3);
});

/** An API server without Calico's and the cluster's kinds. */
class PlainStore extends FakeStore {
  override list: FakeStore['list'] = async (place, options) => {
    if (place.group.includes('calico') || place.group.startsWith('policy.'))
      throw new StoreError(404, 'NotFound', 'the server has no such kind');
    return super.list(place, options);
  };
}

describe('an agent', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'poplin-policy-log-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  test('has its rules tell a listener, until that is killed, and finds links by their numbers as they come and go', async () => {
    using world = new PolicyWorld('routed');
    const list = (): string => world.sh('nft -s list table inet poplin-policy');
    const store = new PlainStore();
    const shop = { namespace: 'shop' };
    const policies = POLICY_RESOURCES.find(({ plural }) => plural === 'networkpolicies') as ResourcePath;
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', ...shop, labels: {} } };
    await store.create(
      RESOURCES.pods,
      { ...pod, spec: { nodeName: 'n1' }, status: { phase: 'Running' } },
      shop,
    );
    const metadata = { name: 'shut', ...shop };
    const shut = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata,
      spec: { podSelector: {} },
    };
    await store.create(policies, shut, shop);

    const stop = new AbortController();
    const ground = { clock: systemClock, random: systemRandom, logger: pino({ level: 'silent' }) };
    using namespace = openNamespace(world.path);
    using kernel = RealKernel.open(namespace);
    await using loop = new KernelLoop({ ...ground, kernel, owners: [] });
    await using keeper = new PolicyKeeper({
      ...ground,
      node: 'n1',
      store,
      loop,
      journalFile: join(folder, 'policy'),
      bridge: 'none',
      links: kernel,
      isLogHeard: () => isLogHeard(namespace, POLICY_LOG_GROUP),
      signal: stop.signal,
    });
    const addresses = FAMILIES.map((family) => addressOf(2, family));
    const web = { part: 'web', containerId: 'c', pod: { ...shop, name: 'web' }, addresses, link: 'pod2' };
    keeper.restored(web);
    keeper.restored({
      ...web,
      part: 'late',
      pod: { ...shop, name: 'late' },
      addresses: ['10.1.1.99'],
      link: 'late0',
    });
    await keeper.start();
    loop.start();
    await keeper.settled();
    expect(list()).toContain('"pod2" : goto from-pod2');
    expect(list()).not.toContain('log');

    writeFileSync(join(folder, 'shut.yaml'), JSON.stringify(shut));
    const words = [
      `--net=${world.path}`,
      process.execPath,
      MAIN,
      'flows',
      '--json',
      '--from',
      join(folder, 'shut.yaml'),
    ];
    const flows = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = once(flows, 'exit');
    let told = '';
    flows.stdout.on('data', (text) => (told += String(text)));
    try {
      await vi.waitUntil(() => list().includes('log prefix'), { timeout: 20_000, interval: 100 });
      for (const family of FAMILIES)
        expect(world.passes(tcp(STRANGER[family], addressOf(2, family), 80))).toBe(false);
      await vi.waitUntil(() => told.split('"verdict":"deny"').length > FAMILIES.length, { timeout: 5000 });
    } finally {
      flows.kill('SIGKILL');
      await gone;
    }
    await vi.waitUntil(() => !list().includes('log prefix'), { timeout: 5000, interval: 100 });

    const numbers = (): unknown[] =>
      [...kernel.state().values()].flatMap((object) =>
        object.kind === 'nft-element' && object.set === 'guarded-numbers' ? [object.key[0]] : [],
      );
    const number = (link: string): number => Number.parseInt(world.sh(`ip -o link show ${link}`), 10);
    const before = numbers();
    expect(before).toEqual([number('pod2')]);
    for (let round = 0; round < 2; round++) {
      world.sh('ip link add late0 type veth peer name late1');
      await vi.waitUntil(() => numbers().includes(number('late0')), { timeout: 5000 });
      expect(numbers()).toHaveLength(2);
      world.sh('ip link del late0');
      await vi.waitUntil(() => numbers().length === 1, { timeout: 5000 });
    }
    expect(numbers()).toEqual(before);
    stop.abort();
  });
});
