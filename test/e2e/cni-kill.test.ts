/**
 * A real agent, real clients and kill -9: whoever is killed when, DEL afterwards leaves no link, address, rule or file, and a retry
 * succeeds. At the end a crowd of callers does everything at random, and the agent dies among them.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AttachmentJournal } from '#app/cni/index.ts';
import { delay } from '#base/clock.ts';
import { systemClock } from '#io/clock/index.ts';
import { IS_SOAK } from '#testing/soak.ts';
import { until } from './agent-world.ts';
import { CniHost, type Outcome } from './cni-host.ts';

const NAME = 'killed';
/** Moments of a call at which somebody is killed. */
const MOMENTS = IS_SOAK ? 60 : 8;

let host: CniHost;
beforeEach(async () => {
  host = new CniHost();
  await host.startAgent();
});
afterEach(() => host[Symbol.asyncDispose]());

const chain = (pod: string) => {
  const common = { cniVersion: '1.1.0', name: NAME };
  const hostPort = 10_000 + Number(pod.replace(/\D/g, '') || 0);
  return [
    {
      ...common,
      type: 'bridge',
      isGateway: true,
      ipMasq: true,
      ipam: {
        type: 'host-local',
        dataDir: join(host.root, 'networks'),
        ranges: [[{ subnet: '10.90.0.0/24' }], [{ subnet: 'fd90::/64' }]],
      },
    },
    {
      ...common,
      type: 'portmap',
      runtimeConfig: { portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }] },
    },
  ];
};

type Result = Readonly<Record<string, unknown>> | undefined;

/** What the last ADD that failed was told. */
let refusal = '';

/** As a runtime does; undefined as soon as a plugin fails. */
async function addChain(pod: string): Promise<Result> {
  host.pod(pod);
  let prevResult: Result;
  for (const config of chain(pod)) {
    const { status, stdout } = await host.call(config.type, 'ADD', pod, { ...config, prevResult });
    if (status !== 0) {
      refusal = `${config.type}: ${stdout}`;
      return undefined;
    }
    prevResult = JSON.parse(stdout) as Result;
  }
  return prevResult;
}

async function each(command: 'DEL' | 'CHECK' | 'GC', pod: string, more: object): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const plugins = command === 'CHECK' ? chain(pod) : chain(pod).toReversed();
  for (const config of plugins)
    outcomes.push(await host.call(config.type, command, pod, { ...config, ...more }));
  return outcomes;
}

async function delChain(pod: string): Promise<void> {
  for (const { status, stdout } of await each('DEL', pod, {})) expect(status, stdout).toBe(0);
}

/** Everything an attachment can leave on the host and on disk. */
function left(): Record<string, unknown> {
  const files = (path: string) =>
    existsSync(path) ? readdirSync(path).filter((name) => !/^(lock|last_reserved_ip.*)$/.test(name)) : [];
  return {
    links: host
      .sh('ip -o link | sed "s/^[0-9]*: //" | sort')
      .split('\n')
      .map((line) => line.split(/[ :@]/)[0]),
    routes: host.sh('ip -4 route; ip -6 route | grep -v fe80 || true'),
    rules: host.sh('nft list ruleset'),
    records: new AttachmentJournal(host.paths.attachments).load().parts.map(({ part }) => part),
    recordFiles: files(host.paths.attachments),
    pending: files(host.paths.cniPending),
    reserved: files(join(host.root, 'networks', NAME)),
  };
}

async function expectLeft(before: object, where: string): Promise<void> {
  await expect.poll(left, { timeout: 10_000, interval: 30, message: where }).toEqual(before);
}

async function expectClean(before: object, pod: string, where: string): Promise<void> {
  await delChain(pod);
  await expectLeft(before, where);
  expect(await addChain(pod), `${where}: retry`).toBeDefined();
  expect(host.inPod(pod, 'ping -nqc1 -W2 10.90.0.1 && ping -nqc1 -W2 fd90::1'), where).toContain(
    ' 0% packet loss',
  );
  await delChain(pod);
  await expectLeft(before, `${where}: after the retry`);
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

test.for(['ADD', 'DEL'] as const)('the agent is killed at any moment of %s', async (command) => {
  const before = left();
  await addChain('p1');
  await delChain('p1');
  const addMs = await timeOf(() => addChain('p1'));
  const delMs = await timeOf(() => delChain('p1'));
  await expectLeft(before, 'at first');
  for (let moment = 0; moment < MOMENTS; moment++) {
    if (command === 'DEL') expect(await addChain('p1')).toBeDefined();
    const ms = ((command === 'ADD' ? addMs : delMs) * (moment + 0.5)) / MOMENTS;
    const work = command === 'ADD' ? addChain('p1') : each('DEL', 'p1', {});
    await delay(systemClock, ms);
    const ended = host.stopAgent('SIGKILL');
    await work;
    await ended;
    await host.startAgent();
    await expectClean(before, 'p1', `${command}, killed after ${ms.toFixed(1)} ms`);
  }
});

test.for(['ADD', 'DEL'] as const)('the client is killed at any moment of %s', async (command) => {
  const before = left();
  for (let moment = 0; moment < MOMENTS; moment++) {
    if (command === 'DEL') expect(await addChain('p1')).toBeDefined();
    host.pod('p1');
    const [config] = chain('p1');
    const child = host.client('bridge', command, 'p1');
    const ended = host.finish(child, JSON.stringify(config));
    await delay(systemClock, moment * 1.5);
    child.kill('SIGKILL');
    await ended;
    await expectClean(before, 'p1', `${command}, client killed after ${moment * 1.5} ms`);
  }
});

test('a crowd of callers and three deaths of the agent end with nothing leaked', async () => {
  const [calls, callers, pods] = IS_SOAK ? [10_000, 16, 48] : [240, 16, 24];
  const before = left();
  const random = seeded(IS_SOAK ? Date.now() % 1_000_000 : 7);
  const attached = new Map<string, Result>();
  const busy = new Set<string>();
  const deaths = [0.25, 0.5, 0.75].map((share) => Math.floor(calls * share));
  const counts: Record<string, number> = { ADD: 0, DEL: 0, CHECK: 0, GC: 0, killed: 0 };
  let done = 0;
  let turn: Promise<unknown> = Promise.resolve();
  let dying: Promise<void> = Promise.resolve();
  let running = 0;
  /** Odd while the agent is dead. */
  let generation = 0;
  const lived = (since: number) => since % 2 === 0 && generation === since;

  /** GC comes alone, as the specification wants of a runtime. */
  const alone = (work: () => Promise<void>): Promise<void> => {
    const run = turn.then(async () => {
      await until('nobody else at work', async () => (running === 0 ? true : undefined));
      await work();
    });
    turn = run;
    return run;
  };

  async function one(): Promise<void> {
    let pod: string;
    do pod = `p${Math.floor(random() * pods)}`;
    while (busy.has(pod));
    busy.add(pod);
    running++;
    const at = generation;
    try {
      const result = attached.get(pod);
      if (result === undefined) {
        counts['ADD'] = (counts['ADD'] ?? 0) + 1;
        const made = await addChain(pod);
        if (made !== undefined) attached.set(pod, made);
        else {
          expect(lived(at), `ADD of ${pod} failed while the agent lived: ${refusal}`).toBe(false);
          for (const { status } of await each('DEL', pod, {})) expect(status).toBe(0);
        }
      } else if (random() < 0.4) {
        counts['CHECK'] = (counts['CHECK'] ?? 0) + 1;
        const outcomes = await each('CHECK', pod, { prevResult: result });
        if (lived(at)) for (const { status, stdout } of outcomes) expect(status, stdout).toBe(0);
      } else {
        counts['DEL'] = (counts['DEL'] ?? 0) + 1;
        for (const { status, stdout } of await each('DEL', pod, { prevResult: result }))
          expect(status, stdout).toBe(0);
        attached.delete(pod);
      }
    } finally {
      running--;
      busy.delete(pod);
    }
  }

  async function collect(): Promise<void> {
    counts['GC'] = (counts['GC'] ?? 0) + 1;
    const at = generation;
    const valid = Array.from(attached.keys(), (pod) => ({ containerID: `container-${pod}`, ifname: 'eth0' }));
    const outcomes = await each('GC', 'p0', { 'cni.dev/valid-attachments': valid });
    if (lived(at)) for (const { status, stdout } of outcomes) expect(status, stdout).toBe(0);
  }

  async function die(): Promise<void> {
    counts['killed'] = (counts['killed'] ?? 0) + 1;
    generation++;
    await host.stopAgent('SIGKILL');
    await host.startAgent();
    generation++;
  }

  async function caller(): Promise<void> {
    while (done < calls) {
      const isDeath = ++done === deaths[0];
      if (isDeath) deaths.shift();
      await turn;
      if (isDeath) {
        dying = dying.then(die);
        await dying;
      } else if (random() < 0.02) await alone(collect);
      else await one();
    }
  }

  await Promise.all(Array.from({ length: callers }, caller));
  for (const pod of attached.keys()) await delChain(pod);
  await expectLeft(before, JSON.stringify(counts));
  console.log(`calls by 16 callers: ${JSON.stringify(counts)}`);
  expect(counts['killed']).toBe(3);
  for (const command of ['ADD', 'DEL', 'CHECK', 'GC']) expect(counts[command], command).toBeGreaterThan(0);
});

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
