/** Forwarding on a host where iptables drops, as Docker leaves it, with packets, in both families. */
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ForwardAccept } from '#app/agent/index.ts';
import { removeForwardRules } from '#app/cleanup/forward-rules.ts';
import { systemClock } from '#io/clock/index.ts';
import { createRuleTool } from '#io/rule-tool/index.ts';
import { pings } from './cni-world.ts';
import { FAR, NETWORKS, NetworkWorld, POD } from './network-world.ts';

const FAMILIES = [4, 6] as const;

let world: NetworkWorld;
beforeEach(async () => {
  world = await NetworkWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

const accept = (isWanted: boolean) =>
  new ForwardAccept({
    tool: createRuleTool(world.node),
    networks: NETWORKS.map(({ network }) => network),
    isWanted,
    periodMs: 50,
    clock: systemClock,
    logger: pino({ level: 'silent' }),
  });
const policy = (name: string) =>
  world.sh(world.node, `iptables -P FORWARD ${name}; ip6tables -P FORWARD ${name}`);
const rules = () => world.sh(world.node, 'iptables -S; ip6tables -S');
const passes = () => FAMILIES.map((family) => pings(world.far, POD[family]) && pings(world.pod, FAR[family]));

test('nothing is made on a host without rules', async () => {
  await using guard = accept(true);
  await guard.start();
  expect(guard.problemTexts()).toEqual([]);
  expect(world.sh(world.node, 'nft list ruleset')).toBe('');
});

test('pods are reached though the policy drops, and again when somebody flushes; cleanup leaves nothing', async () => {
  policy('DROP');
  const before = rules();
  expect(passes()).toEqual([false, false]);
  await using guard = accept(true);
  await guard.start();
  expect(guard.problemTexts()).toEqual([]);
  expect(passes()).toEqual([true, true]);
  const made = rules();
  for (const harm of ['-F FORWARD', '-F POPLIN-FWD', '-F', '-I POPLIN-FWD -j DROP']) {
    world.sh(world.node, `iptables ${harm}; ip6tables ${harm}`);
    await expect.poll(rules, { timeout: 8000 }).toBe(made);
  }
  policy('ACCEPT');
  await expect.poll(rules, { timeout: 8000 }).toBe(before.replaceAll('FORWARD DROP', 'FORWARD ACCEPT'));
  policy('DROP');
  await expect.poll(rules, { timeout: 8000 }).toBe(made);
  await guard[Symbol.asyncDispose]();
  const rows = await removeForwardRules(createRuleTool(world.node), [0], false);
  expect(rows.filter(({ done }) => done !== 'removed')).toEqual([]);
  expect(rules()).toBe(before);
});

test('where it is not wanted, the problem is named and its remedy works', async () => {
  policy('DROP');
  await using guard = accept(false);
  await guard.start();
  const problems = guard.problemTexts();
  expect(problems).toHaveLength(2);
  for (const problem of problems) {
    const commands = Array.from(
      problem.matchAll(/"(ip6?tables -I FORWARD [^"]*)"/g),
      ([, command]) => command,
    );
    expect(commands).toHaveLength(2);
    for (const command of commands) world.sh(world.node, command ?? '');
  }
  expect(passes()).toEqual([true, true]);
  await expect.poll(() => guard.problemTexts(), { timeout: 8000 }).toEqual([]);
});
