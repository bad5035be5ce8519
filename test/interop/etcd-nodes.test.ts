/** Hundreds of nodes on a real etcd, in random order: never two owners of one subnet. */
import { describe, expect, it, vi } from 'vitest';
import { listRange, pairsOverlap } from '#core/lease/etcd/index.ts';
import { parseNetConf } from '#core/lease/index.ts';
import { systemClock } from '#io/clock/index.ts';
import { connectEtcd } from '#io/etcd/index.ts';
import { IS_SOAK } from '#testing/soak.ts';
import { Auditor } from './etcd-auditor.ts';
import { type CrowdOptions, FlannelNode, layout, PoplinNode, WatchHub } from './etcd-crowd.ts';
import { EtcdServer } from './etcd-server.ts';

const POPLIN_NODES = 180;
const FLANNEL_NODES = 30;
/** Come at once; the others one by one. */
const FIRST_NODES = 60;
/** Every eighth node's lease may end while it is paused; the others' last, as they would in life. */
const durationSec = (index: number) => (index % 8 === 0 ? 5 : 60);
const LONGEST_PAUSE_MS = 9_000;
const STORM_MS = IS_SOAK ? 300_000 : 6_000;

const CONFIG = {
  Network: '10.5.0.0/16',
  EnableIPv6: true,
  IPv6Network: 'fd00:5::/56',
  Backend: { Type: 'host-gw' },
};

const seed = IS_SOAK ? Date.now() % 1_000_000 : 20_260_101;

function netConf() {
  const result = parseNetConf(JSON.stringify(CONFIG), 'test');
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.value;
}

function randomOf(start: number): () => number {
  let state = start;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

class Crowd {
  readonly options: CrowdOptions;
  readonly auditor: Auditor;
  readonly poplins: PoplinNode[];
  readonly flannels: FlannelNode[];
  readonly random = randomOf(seed);
  readonly counts = {
    stop: 0,
    start: 0,
    pause: 0,
    delete: 0,
    flannelStop: 0,
    flannelStart: 0,
    flannelPause: 0,
  };
  private joined = FIRST_NODES;
  private readonly stopping: Promise<void>[] = [];
  private readonly resumptions: Disposable[] = [];

  constructor(options: CrowdOptions, auditor: Auditor) {
    this.options = options;
    this.auditor = auditor;
    this.poplins = Array.from({ length: POPLIN_NODES }, (_, index) => new PoplinNode(index + 1, options));
    this.flannels = Array.from({ length: FLANNEL_NODES }, (_, index) => new FlannelNode(index + 1, options));
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)] as T;
  }

  /** One thing happens to one node. */
  happen(): void {
    const dice = this.random();
    if (dice < 0.15) this.happenToFlannel();
    else this.happenToPoplin((dice - 0.15) / 0.85);
  }

  /** The next node that was never there. */
  join(): void {
    const node = this.poplins[this.joined];
    if (node === undefined) return;
    this.joined++;
    if (!node.isRunning) node.start();
  }

  private happenToPoplin(dice: number): void {
    // Some nodes are left in peace: they must keep what they have.
    const node = this.pick(this.poplins.slice(FIRST_NODES / 2, this.joined));
    node.isDisturbed = true;
    if (!node.isRunning) {
      this.counts.start++;
      node.start();
    } else if (dice < 0.4) {
      this.counts.stop++;
      this.stopping.push(node.stop());
    } else if (dice < 0.9) {
      if (node.isPaused) return;
      this.counts.pause++;
      node.pause();
      const ms = this.random() * LONGEST_PAUSE_MS;
      this.resumptions.push(systemClock.setTimeout(ms, () => node.resume()));
    } else if (node.isComplete) {
      this.counts.delete++;
      const op = { type: 'delete', key: node.key } as const;
      void this.options.client.txn({ compare: [], success: [op], failure: [] });
    }
  }

  private happenToFlannel(): void {
    const node = this.pick(this.flannels);
    if (!node.isRunning) {
      this.counts.flannelStart++;
      void node.start();
    } else if (this.random() < 0.5) {
      this.counts.flannelStop++;
      node.stop();
    } else {
      this.counts.flannelPause++;
      node.pause(this.random() * LONGEST_PAUSE_MS);
    }
  }

  /** All nodes are there and awake. */
  async rest(): Promise<void> {
    await Promise.all(this.stopping);
    for (const resumption of this.resumptions) resumption[Symbol.dispose]();
    for (const node of this.poplins) {
      node.resume();
      if (!node.isRunning) node.start();
    }
  }

  /** Nodes that believe to hold a subnet which another believes to hold as well, while the keys of both are live. */
  doubleBelievers(): string[] {
    const { live } = this.auditor;
    const believers = this.poplins.filter(
      (node) => node.isComplete && live.get(node.key)?.value.owner?.node === node.name,
    );
    return believers.flatMap((one, index) =>
      believers
        .slice(index + 1)
        .filter((other) => pairsOverlap(one.believed, other.believed))
        .map((other) => `${one.name} and ${other.name}`),
    );
  }

  async stop(): Promise<void> {
    for (const node of this.flannels) node.stop();
    await Promise.all(this.poplins.map((node) => node.stop()));
  }
}

describe('hundreds of nodes on a real etcd', () => {
  it('never own one subnet twice, though they join, leave, pause and return among flannel nodes', async () => {
    await using server = await EtcdServer.start();
    using client = connectEtcd({ endpoints: [server.url] }, { clock: systemClock });
    const config = { type: 'put', key: layout.configKey, value: JSON.stringify(CONFIG) } as const;
    await client.txn({ compare: [], success: [config], failure: [] });
    const { revision, kvs } = await listRange(client, layout.subnets);
    const auditor = new Auditor(kvs);
    const random = randomOf(seed + 1);
    const crowds: Crowd[] = [];
    const hub = new WatchHub(client, revision + 1, (events) => {
      auditor.take(events);
      for (const event of events)
        if (event.type === 'delete') for (const node of crowds[0]?.flannels ?? []) node.removed(event.key);
    });
    const crowd = new Crowd({ client, hub, netConf: netConf(), random, durationSec }, auditor);
    crowds.push(crowd);
    try {
      const joinedAt = performance.now();
      for (const node of crowd.poplins.slice(0, FIRST_NODES)) node.start();
      for (const node of crowd.flannels.slice(0, FLANNEL_NODES / 2)) void node.start();
      await vi.waitFor(
        () => expect(crowd.poplins.filter((node) => node.isRunning && !node.isComplete)).toEqual([]),
        { timeout: 40_000, interval: 50 },
      );
      const joinMs = Math.round(performance.now() - joinedAt);

      // On a busy machine it goes on until each kind of thing has happened.
      const hasAll = () => Object.values(crowd.counts).every((count) => count > 0);
      const [began, elapsedMs] = [performance.now(), () => performance.now() - began];
      while (elapsedMs() < STORM_MS || (!hasAll() && elapsedMs() < 4 * STORM_MS)) {
        crowd.happen();
        crowd.join();
        expect(crowd.doubleBelievers()).toEqual([]);
        expect(auditor.faults).toEqual([]);
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
      await crowd.rest();
      const settled = new Set<string>();
      await vi.waitFor(
        () => {
          for (const node of crowd.poplins) {
            const holds = node.isComplete && auditor.live.get(node.key)?.value.owner?.node === node.name;
            // On a busy machine a short lease comes and goes: once is enough.
            if (holds) settled.add(node.name);
            else if (!node.hasShortLease) settled.delete(node.name);
          }
          expect(crowd.poplins.map(({ name }) => name).filter((name) => !settled.has(name))).toEqual([]);
          expect(auditor.doubles().filter((text) => text.includes('PoplinOwner'))).toEqual([]);
        },
        { timeout: 60_000, interval: 200 },
      );
      expect(auditor.faults).toEqual([]);
      const undisturbed = crowd.poplins.filter(
        (node) => !node.hasShortLease && !node.isDisturbed && !auditor.trodden.has(`uid-${node.name}`),
      );
      expect(undisturbed.length).toBeGreaterThan(10);
      expect(undisturbed.filter((node) => node.losses > 0).map(({ name }) => name)).toEqual([]);
      for (const count of Object.values(crowd.counts)) expect(count).toBeGreaterThan(0);
      const losses = crowd.poplins.reduce((sum, node) => sum + node.losses, 0);
      const { created, rewritten, trodden } = auditor;
      process.stdout.write(
        `${FIRST_NODES} nodes joined in ${joinMs} ms; of ${POPLIN_NODES} and ${FLANNEL_NODES} of flannel ${JSON.stringify(crowd.counts)}: ` +
          `${created} keys made, ${rewritten} rewritten, ${losses} subnets lost, ${trodden.size} nodes trodden on by flannel; seed ${seed}\n`,
      );
    } finally {
      await crowd.stop();
      await hub.stop();
    }
  });
});
