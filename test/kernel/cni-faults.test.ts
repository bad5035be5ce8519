/**
 * Faults at every step of ADD and DEL of a whole chain: the kernel refuses, the disk is full, the pod's namespace vanishes, its link gets
 * another name. Afterwards DEL, or GC, leaves no link, address, rule or file, and a retry succeeds.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CniWorld, pings } from './cni-world.ts';
import { DiskFull, Refusal } from './faults.ts';

const NAME = 'chained';
const POD = 'a';

let world: CniWorld;
beforeEach(async () => {
  world = await CniWorld.open();
});
afterEach(() => world[Symbol.asyncDispose]());

const chain = () => {
  const common = { cniVersion: '1.1.0', name: NAME };
  return [
    {
      ...common,
      type: 'bridge',
      isGateway: true,
      ipMasq: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.71.0.0/24' }], [{ subnet: 'fd71::/64' }]] },
    },
    {
      ...common,
      type: 'portmap',
      runtimeConfig: { portMappings: [{ hostPort: 8080, containerPort: 80, protocol: 'tcp' }] },
    },
    {
      ...common,
      type: 'bandwidth',
      ingressRate: 8_000_000,
      ingressBurst: 800_000,
      egressRate: 8_000_000,
      egressBurst: 800_000,
    },
    { ...common, type: 'tuning', mtu: 1400, dataDir: join(world.folder, 'tuning') },
  ];
};

/** What a runtime does: each plugin gets the result of the one before; the first failure ends it. True if all succeeded. */
async function addChain(): Promise<boolean> {
  world.pod(POD);
  let prevResult: unknown;
  for (const config of chain()) {
    const { exitStatus, json } = await world.answer(config.type, 'ADD', POD, { ...config, prevResult });
    if (exitStatus !== 0) return false;
    prevResult = json;
  }
  return true;
}

async function delChain(): Promise<string[]> {
  const failures: string[] = [];
  for (const config of chain().toReversed()) {
    const { exitStatus, json } = await world.answer(config.type, 'DEL', POD, config);
    if (exitStatus !== 0) failures.push(JSON.stringify(json));
  }
  await world.service.settled();
  return failures;
}

async function gcChain(): Promise<void> {
  for (const config of chain().toReversed()) {
    const request = { ...config, 'cni.dev/valid-attachments': [] };
    const { exitStatus, json } = await world.answer(config.type, 'GC', POD, request);
    expect(exitStatus, `GC ${config.type}: ${JSON.stringify(json)}`).toBe(0);
  }
  await world.service.settled();
}

/** All that a chain can leave. */
function left() {
  const tuning = join(world.folder, 'tuning');
  return {
    host: world.hostText(),
    rules: world.sh('nft list ruleset; tc qdisc show | grep -v noqueue || true'),
    records: world.recorded(),
    reserved: world.reserved(NAME),
    files: existsSync(tuning) ? readdirSync(tuning) : [],
  };
}

/** The names of the steps of the work, with the fault at one of them if one is given. */
async function stepsOf(
  work: () => Promise<unknown>,
  at?: number,
  fault?: (step: string) => void,
): Promise<string[]> {
  const steps: string[] = [];
  world.step = (name) => {
    if (steps.push(name) - 1 === at) fault?.(name);
  };
  await work();
  world.step = () => undefined;
  return steps;
}

const FAULTS: Readonly<Record<string, (step: string) => void>> = {
  'the kernel or the disk refuses': (step) => {
    throw step === 'record' || step === 'addresses'
      ? new DiskFull('no space left (ENOSPC)')
      : new Refusal('refused');
  },
  'the pod’s namespace vanishes': () => world.removePod(POD),
  'the pod’s link is renamed': () => {
    world.sh(`
      for link in $(ip -o link show type veth | sed 's/^[0-9]*: \\([^@]*\\)@.*/\\1/'); do
        ip link set $link down; ip link set $link name other0; ip link set other0 up
      done`);
  },
};

const ENDS = ['DEL', 'GC'] as const;

describe.each(Object.keys(FAULTS))('%s', (kind) => {
  const fault = FAULTS[kind] as (step: string) => void;

  /** After whatever happened: the runtime cleans up, nothing is left, and the same can be done again. */
  async function expectCleanAndRetry(
    before: object,
    end: (typeof ENDS)[number],
    where: string,
  ): Promise<void> {
    if (end === 'DEL') expect(await delChain(), where).toEqual([]);
    else await gcChain();
    expect(left(), where).toEqual(before);
    expect(await addChain(), `${where}: retry`).toBe(true);
    for (const address of ['10.71.0.1', 'fd71::1'])
      expect(pings(world.pod(POD), address), `${where}: ${address}`).toBe(true);
    expect(await delChain(), `${where}: DEL after the retry`).toEqual([]);
    expect(left(), `${where}: after the retry`).toEqual(before);
  }

  test.each(ENDS)('at any step of ADD leaves nothing after %s', async (end) => {
    const before = left();
    const steps = await stepsOf(addChain);
    expect(await delChain()).toEqual([]);
    expect(steps.length).toBeGreaterThan(10);
    for (const [at, name] of steps.entries()) {
      await stepsOf(addChain, at, fault);
      await expectCleanAndRetry(before, end, `ADD, step ${at} of ${steps.length}: ${name}`);
    }
  });

  test.each(ENDS)('at any step of DEL leaves nothing after %s', async (end) => {
    const before = left();
    await addChain();
    const steps = await stepsOf(delChain);
    expect(steps.length).toBeGreaterThan(6);
    for (const [at, name] of steps.entries()) {
      expect(await addChain()).toBe(true);
      await stepsOf(delChain, at, fault);
      await expectCleanAndRetry(before, end, `DEL, step ${at} of ${steps.length}: ${name}`);
    }
  });
});
