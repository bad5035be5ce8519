/** A cell of the matrix as it runs: its world, the pods of its hosts, and what situations ask of them. */
import { expect } from 'vitest';
import { until } from '../e2e/agent-world.ts';
import { type Cell, netConfOf } from './cell.ts';
import { Flow } from './flow.ts';
import { cleanUpNetwork } from './second-network.ts';
import { silent } from './talk.ts';
import { BackendWorld, HOSTS, type Host, type PodAddresses } from './world.ts';

export class Subject implements AsyncDisposable {
  readonly cell: Cell;
  readonly world: BackendWorld;
  private readonly flows = new Set<Flow>();

  private constructor(cell: Cell, world: BackendWorld) {
    this.cell = cell;
    this.world = world;
  }

  static async open(cell: Cell): Promise<Subject> {
    const netConf = netConfOf(cell.families, cell.backend, 42);
    return new Subject(cell, await BackendWorld.open({ ...cell, netConf }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endFlows();
    await this.world[Symbol.asyncDispose]();
  }

  get mtuBytes(): number {
    return this.cell.mtuBytes[this.cell.families === 'IPv4' ? 0 : 1];
  }

  /** The pod that was attached to a host last. */
  pod(host: Host): PodAddresses {
    const pod = this.world.pods.get(host);
    if (pod === undefined) throw new Error(`${host} has no pod`);
    return pod;
  }

  netns(host: Host): string {
    return this.world.file(this.pod(host).netns);
  }

  /** Each pod reaches each other, within a moment. */
  async expectReach(hosts: readonly Host[] = HOSTS): Promise<void> {
    await expectReach(hosts.map((host) => ({ ...this.pod(host), netns: this.netns(host) })));
  }

  /** Pings from a host's pod, one for each address of another's, until the situation is over. */
  startFlows(from: Host, to: Host): readonly Flow[] {
    const flows = this.pod(to).addresses.map((address) => new Flow(this.netns(from), address));
    for (const flow of flows) this.flows.add(flow);
    return flows;
  }

  /** Routes of the first network on a host. */
  routes(host: Host): string {
    return this.world.sh(host, 'ip route show proto 112; ip -6 route show proto 112');
  }

  /** Ends what a situation left running that failed. */
  async endFlows(): Promise<void> {
    for (const flow of this.flows) await flow.kill();
    this.flows.clear();
  }

  /** As it was before a situation that failed: everything runs, every host has a pod, and there is one network. */
  async settle(): Promise<void> {
    const { world } = this;
    if (!world.isRunning('store')) await world.startStore();
    for (const host of HOSTS) {
      await world.stop(`${host}-second`);
      await cleanUpNetwork(world, host, 'second').catch(() => undefined);
      if (!world.isRunning(host)) world.startAgent(host);
    }
    for (const host of HOSTS) {
      await world.ready(host);
      await world.attach(host);
    }
  }
}

/** Each of the pods reaches each other, within a moment. */
export async function expectReach(pods: readonly PodAddresses[]): Promise<void> {
  await Promise.all(
    pods.map(async (from) => {
      const others = pods.filter((pod) => pod !== from).flatMap(({ addresses }) => addresses);
      let left = others;
      await until(`${from.netns} reaches ${others.join(', ')}`, async () => {
        left = await silent(from.netns, left);
        return left.length === 0;
      });
    }),
  );
}

/** No packet of the flows is lost, and there were some. */
export async function expectNoLoss(flows: readonly Flow[]): Promise<void> {
  for (const { sent, lost } of await Promise.all(flows.map((flow) => flow.end()))) {
    expect(sent).toBeGreaterThan(20);
    expect(lost).toBe(0);
  }
}
