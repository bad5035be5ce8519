/**
 * Whatever happens in whatever order to policies, pods, labels, namespaces and nodes, and however often the agent is ended in the middle of it, with the
 * API server there or away: the kernel has in the end, word for word, the tables that a fresh start gives. What one change needs comes in one transaction.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { KernelLoop, PolicyKeeper } from '#app/agent/index.ts';
import type { PodEndpoint } from '#app/cni/index.ts';
import type { Clock } from '#base/clock.ts';
import { policyResourceOf } from '#core/policy/index.ts';
import type { KubeObject, ResourcePath } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { RealKernel } from '#io/kernel/index.ts';
import type { Namespace } from '#io/namespace/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { IS_SOAK, soaked } from '#testing/soak.ts';
import { Dice } from '../oracle/random.ts';
import { NODES, randomCluster } from '../oracle/random-cluster.ts';
import { randomPolicies } from '../oracle/random-policies.ts';
import type { Document } from '../oracle/world.ts';
import { NamespaceFolder } from './namespace-folder.ts';

const NODE = NODES[0];
const STEPS = 250;
const logger = pino({ level: 'silent' });
/** Waits are a hundredth of an agent's. */
const clock: Clock = {
  now: () => systemClock.now(),
  setTimeout: (ms, fn) => systemClock.setTimeout(ms / 100, fn),
};

/** An agent's policy, from its start to its end. */
class Agent {
  readonly keeper: PolicyKeeper;
  readonly #loop: KernelLoop;
  readonly #kernel: RealKernel;
  readonly #stop = new AbortController();

  constructor(namespace: Namespace, journalFile: string, store: FakeStore, attached: Iterable<PodEndpoint>) {
    this.#kernel = RealKernel.open(namespace);
    const times = { clock, random: systemRandom };
    this.#loop = new KernelLoop({ ...times, kernel: this.#kernel, owners: [], logger });
    this.keeper = new PolicyKeeper({
      ...times,
      node: NODE,
      store,
      loop: this.#loop,
      journalFile,
      bridge: 'none',
      logger,
      signal: this.#stop.signal,
    });
    for (const endpoint of attached) this.keeper.restored(endpoint);
  }

  async start(): Promise<this> {
    await this.keeper.start();
    this.#loop.start();
    return this;
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.keeper[Symbol.asyncDispose]();
    await this.#loop[Symbol.asyncDispose]();
    this.#kernel[Symbol.dispose]();
  }
}

/** What lies in a cluster, by what it is called. */
class Cluster {
  readonly store = new FakeStore();
  readonly documents = new Map<string, Document>();

  async put(document: Document): Promise<void> {
    const { resource, options, name, key } = placeOf(document);
    if (this.documents.has(key)) await this.store.delete(resource, name, options);
    await this.store.create(resource, document as KubeObject, options);
    this.documents.set(key, document);
  }

  async remove(document: Document): Promise<void> {
    const { resource, options, name, key } = placeOf(document);
    if (this.documents.delete(key)) await this.store.delete(resource, name, options);
  }
}

function placeOf(document: Document): {
  readonly resource: ResourcePath;
  readonly options: { readonly namespace?: string };
  readonly name: string;
  readonly key: string;
} {
  const resource = policyResourceOf(document) as ResourcePath;
  const { name, namespace } = document.metadata as { name: string; namespace?: string };
  return {
    resource,
    options: namespace === undefined ? {} : { namespace },
    name,
    key: `${resource.plural} ${namespace} ${name}`,
  };
}

/** The pods of this node as a runtime attaches them, whatever the API server has of them by then. */
function endpointsOf(documents: readonly Document[]): PodEndpoint[] {
  return documents.flatMap(({ kind, metadata, spec, status }): PodEndpoint[] => {
    if (kind !== 'Pod' || spec.nodeName !== NODE || spec.hostNetwork === true) return [];
    const { name, namespace } = metadata;
    return [
      {
        part: `poplin:cni:${namespace}/${name}`,
        containerId: name,
        pod: { namespace, name },
        addresses: status.podIPs.map(({ ip }: { ip: string }) => ip),
        link: `veth-${name}`,
      },
    ];
  });
}

/** Tables as nft lists them, without what the kernel numbers and orders as it likes: handles, and the order of blocks and elements. */
function listed(netns: string): string[] {
  const text = execFileSync('nsenter', [`--net=${netns}`, 'nft', '-j', 'list', 'ruleset'], {
    encoding: 'utf8',
  });
  const { nftables } = JSON.parse(text) as { nftables: Record<string, Record<string, unknown>>[] };
  const place = new Map<string, number>();
  return nftables
    .flatMap((object) =>
      Object.entries(object).map(([kind, { handle: _, elem, ...rest }]) => {
        const elements = (elem as unknown[] | undefined)?.map((each) => JSON.stringify(each)).toSorted();
        const chain = kind === 'rule' ? JSON.stringify([rest['family'], rest['chain']]) : undefined;
        const at = chain === undefined ? undefined : (place.get(chain) ?? 0);
        if (chain !== undefined && at !== undefined) place.set(chain, at + 1);
        return `${kind} ${JSON.stringify({ ...rest, ...(elements && { elements }), ...(at !== undefined && { at }) })}`;
      }),
    )
    .toSorted();
}

/** Counts the transactions of a namespace. */
class Transactions implements AsyncDisposable {
  readonly #monitor: ChildProcess;
  #text = '';

  constructor(netns: string) {
    this.#monitor = spawn('nsenter', [`--net=${netns}`, 'nft', 'monitor'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    this.#monitor.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
    });
  }

  /** Until now. Those of the monitor's own looking are none. */
  get count(): number {
    return this.#text.match(/^# new generation/gm)?.length ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#monitor, 'close');
    this.#monitor.kill();
    await ended;
  }
}

const SEEDS = Array.from({ length: soaked(3, 150) }, (_, at) => at + (IS_SOAK ? 1000 : 1));

/** Of all walks. */
const reached = { rules: 0, transactions: 0 };

test.each(SEEDS)(
  'a walk through states ends where a fresh start does (seed %i)',
  { timeout: 120_000 },
  async (seed) => {
    const dice = new Dice(seed);
    using folder = new NamespaceFolder('walk');
    const [walked, fresh] = [folder.make('walked'), folder.make('fresh')];
    const journal = join(folder.path, 'journal');
    const pool = dice.times(3, 5, () => [...randomCluster(dice, 12), ...randomPolicies(dice)]).flat();
    const policies = pool.filter(({ kind }) => /Polic/.test(kind));
    const cluster = new Cluster();
    const attached = new Map<string, PodEndpoint>();
    await using transactions = new Transactions(walked.path);
    let agent = await new Agent(walked, journal, cluster.store, []).start();
    let changes = 1;
    try {
      for (let step = 0; step < STEPS; step++) {
        const what = dice.next();
        if (what < 0.08) {
          // Ended in the middle of what was begun.
          const isAway = dice.chance(0.5);
          if (isAway) cluster.store.outage('down');
          await agent.end();
          agent = await new Agent(walked, journal, cluster.store, attached.values()).start();
          if (isAway) cluster.store.outage('up');
          changes += 2;
        } else if (what < 0.25) {
          const endpoint = dice.one(endpointsOf(pool));
          if (attached.delete(endpoint.part)) agent.keeper.released(endpoint.part);
          else {
            attached.set(endpoint.part, endpoint);
            await agent.keeper.admit(endpoint);
          }
        } else if (what < 0.87) await cluster.put(dice.one(dice.chance(0.6) ? policies : pool));
        else await cluster.remove(dice.one([...cluster.documents.values(), dice.one(pool)]));
        changes++;
        if (dice.chance(0.7)) await agent.keeper.settled();
      }
      // What the server's watch has not brought yet.
      await expect.poll(() => isTold(agent, cluster), { timeout: 30_000 }).toBe(true);
      await agent.keeper.settled();

      const other = new Cluster();
      for (const document of shuffled(dice, [...cluster.documents.values()])) await other.put(document);
      const anew = await new Agent(
        fresh,
        join(folder.path, 'fresh-journal'),
        other.store,
        attached.values(),
      ).start();
      try {
        await anew.keeper.settled();
        const wanted = listed(fresh.path);
        await expect.poll(() => listed(walked.path), { timeout: 30_000 }).toEqual(wanted);
        expect(transactions.count).toBeLessThanOrEqual(changes);
        reached.rules += wanted.filter((each) => each.startsWith('rule')).length;
        reached.transactions += transactions.count;
      } finally {
        await anew.end();
      }
    } finally {
      await agent.end();
    }
  },
);

test('the walks were about something', () => {
  expect(reached.rules / SEEDS.length).toBeGreaterThan(40);
  expect(reached.transactions / SEEDS.length).toBeGreaterThan(30);
});

function isTold({ keeper }: Agent, { documents }: Cluster): boolean {
  const policies = [...documents.keys()].filter((key) => /polic/.test(key)).length;
  return keeper.status().known === 'api' && keeper.status().policies === policies;
}

function shuffled<T>(dice: Dice, list: readonly T[]): T[] {
  return list
    .map((each) => [dice.next(), each] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, each]) => each);
}
