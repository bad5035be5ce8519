/** What policies decide is told while somebody listens: the kernel says who does, rules follow in one transaction, and decide the same. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { decodePacketFlow, type LoggedPacket } from '#core/netlink/log/index.ts';
import { POLICY_LOG_GROUP } from '#core/policy/flows/index.ts';
import type { PolicyRule } from '#core/policy/index.ts';
import { parseRuleTag } from '#core/policy/rule-tag.ts';
import { isLogHeard, PacketLog } from '#io/flow-log/index.ts';
import { openNamespace } from '#io/namespace/index.ts';
import { Enforced, STRANGER, tcp } from './policy-contract.ts';
import { addressOf } from './policy-world.ts';

const FAMILIES = [4, 6] as const;
const MAIN = join(import.meta.dirname, '../../dist/poplin.mjs');
/** So many that the transaction runs beside this thread, which sends packets meanwhile. */
const MORE_RULES = 150;

const allow = (port: number): PolicyRule => ({
  origin: { index: 0, path: 'rule' },
  action: 'allow',
  source: {},
  destination: { ports: [{ from: port, to: port }] },
  protocol: 6,
});

/** Two pods whose policies let one port through; nothing is told. */
async function silent(): Promise<Enforced> {
  const pods = new Enforced('routed');
  for (const number of [2, 3]) {
    pods.attach(number);
    pods.know(number);
  }
  const more = Array.from({ length: MORE_RULES }, (_, at) => allow(1000 + at));
  pods.isolate(2, { egress: [allow(80), ...more], ingress: [] });
  pods.isolate(3, { ingress: [allow(80), ...more] });
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

test('a listener that is killed listens no more', async () => {
  using pods = await silent();
  using namespace = openNamespace(pods.kernel.path);
  const isHeard = (): boolean => isLogHeard(namespace, POLICY_LOG_GROUP);
  const folder = mkdtempSync(join(tmpdir(), 'poplin-policy-log-'));
  const words = [`--net=${pods.kernel.path}`, process.execPath, MAIN, 'flows', '--from', folder];
  const flows = spawn('nsenter', words, { stdio: 'ignore' });
  try {
    await vi.waitUntil(isHeard, { timeout: 20_000 });
    const gone = once(flows, 'exit');
    flows.kill('SIGKILL');
    await gone;
    await vi.waitUntil(() => !isHeard(), { timeout: 5000 });
  } finally {
    flows.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});
