import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PodEndpoint } from '#app/cni/index.ts';
import type { KernelListener, KernelState } from '#core/kernel/index.ts';
import { POLICY_RESOURCES } from '#core/policy/index.ts';
import { type KubeObject, RESOURCES, type ResourcePath, StoreError } from '#core/store/index.ts';
import { FakeKernel } from '#testing/fake-kernel/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { KernelLoop } from '../kernel-loop.ts';
import { type FlowJudge, PolicyKeeper, type PolicyKeeperOptions } from './keeper.ts';
import type { LinkNumbers } from './link-numbers.ts';

const logger = pino({ level: 'silent' });
const policies = POLICY_RESOURCES.find(({ plural }) => plural === 'networkpolicies') as ResourcePath;

/** A server without Calico's and the cluster's kinds. */
class PlainStore extends FakeStore {
  /** Those that it has all the same. */
  readonly groups = new Set<string>();

  override list: FakeStore['list'] = async (place, options) => {
    const isExtra = place.group.includes('calico') || place.group.startsWith('policy.');
    if (isExtra && !this.groups.has(place.group))
      throw new StoreError(404, 'NotFound', 'the server has no such kind');
    return super.list(place, options);
  };
}

let folder: string;
let store: PlainStore;
let kernel: FakeKernel;
let clock: SimClock;
const opened: AsyncDisposable[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-keeper-'));
  store = new PlainStore();
  kernel = new FakeKernel();
  clock = new SimClock();
});
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** Numbers of links, as a kernel has them that is told of others' changes. */
class Links implements LinkNumbers {
  readonly numbers = new Map<string, number>();
  readonly listeners = new Set<KernelListener>();

  readonly linkIndex = (link: string): number | undefined => this.numbers.get(link);

  watch(listener: KernelListener): Disposable {
    this.listeners.add(listener);
    return { [Symbol.dispose]: () => void this.listeners.delete(listener) };
  }

  /** Somebody else makes it, anew if it is there, or with undefined removes it. */
  change(link: string, number: number | undefined): void {
    if (number === undefined) this.numbers.delete(link);
    else this.numbers.set(link, number);
    for (const { changed } of this.listeners) changed(new Set([`link ${link}`]));
  }
}

interface Agent {
  readonly keeper: PolicyKeeper;
  readonly loop: KernelLoop;
  /** How often flows were looked at, and what a flow would be told. */
  readonly judged: { count: number; judge?: FlowJudge };
  stop(): Promise<void>;
}

/** An agent's policy as it starts: endpoints that were attached before are told first. */
async function start(
  before: readonly PodEndpoint[] = [],
  more: Pick<PolicyKeeperOptions, 'links' | 'isLogHeard'> = {},
): Promise<Agent> {
  const stop = new AbortController();
  const loop = new KernelLoop({ kernel, owners: [], clock, random: () => 0, logger });
  const judged: Agent['judged'] = { count: 0 };
  const keeper = new PolicyKeeper({
    node: 'n1',
    store,
    loop,
    journalFile: join(folder, 'policy'),
    bridge: 'none',
    ...more,
    openCutter: (judge) => {
      judged.judge = judge;
      return {
        enforce: async () => {
          judged.count++;
          return { seen: 0, judged: 0, cut: 0, restored: 0, durationMs: 0 };
        },
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
    clock,
    random: () => 0,
    logger,
    signal: stop.signal,
  });
  for (const endpoint of before) keeper.restored(endpoint);
  await keeper.start();
  loop.start();
  await settle();
  const agent: Agent = {
    keeper,
    loop,
    judged,
    stop: async () => {
      stop.abort();
      await keeper[Symbol.asyncDispose]();
      await loop[Symbol.asyncDispose]();
    },
  };
  opened.push({ [Symbol.asyncDispose]: () => agent.stop() });
  return agent;
}

const pod = (name: string, labels: Record<string, string> = {}, namespace = 'shop'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace, labels },
  spec: { nodeName: 'n1', containers: [] },
  status: { phase: 'Running' },
});
const addPod = (object: KubeObject) =>
  store.create(RESOURCES.pods, object, { namespace: object.metadata.namespace as string });

const shut = (name = 'shut', podSelector: object = {}, namespace = 'shop'): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace },
  spec: { podSelector, policyTypes: ['Ingress', 'Egress'] },
});
const addPolicy = (object: KubeObject) =>
  store.create(policies, object, { namespace: object.metadata.namespace as string });

const web: PodEndpoint = {
  part: 'poplin:cni:web',
  containerId: 'c1',
  pod: { namespace: 'shop', name: 'web' },
  addresses: ['10.1.0.2', 'fd00::2'],
  link: 'veth1',
};

/** The chain that a map of the table leads an address to. */
function chainOf(state: KernelState, map: string, address: string): string | undefined {
  for (const object of state.values())
    if (object.kind === 'nft-element' && object.set === map && object.key[0] === address)
      return (object.data as { readonly chain?: string } | undefined)?.chain;
  return undefined;
}
const chains = (address4 = '10.1.0.2', address6 = 'fd00::2') =>
  [chainOf(kernel.state(), 'egress4', address4), chainOf(kernel.state(), 'ingress6', address6)] as const;
const hasTable = (): boolean => [...kernel.state().values()].some(({ kind }) => kind === 'nft-table');

/** Numbers of links in the guard, each with the chain it leads to. */
function numbers(): Record<string, string> {
  const found: Record<string, string> = {};
  for (const object of kernel.state().values())
    if (object.kind === 'nft-element' && object.set === 'guarded-numbers')
      found[String(object.key[0])] = (object.data as { readonly chain: string }).chain;
  return found;
}

describe('links', () => {
  test('are known by their numbers, which are followed, with one change of the kernel for many', async () => {
    await addPolicy(shut());
    const links = new Links();
    links.numbers.set('veth1', 11);
    const { keeper, loop } = await start([web], { links });
    expect(numbers()).toEqual({ 11: 'from-veth1' });
    const api: PodEndpoint = { ...web, part: 'poplin:cni:api', pod: { namespace: 'shop', name: 'api' } };
    const more: readonly PodEndpoint[] = [
      { ...api, addresses: ['10.1.0.3'], link: 'veth2' },
      {
        ...api,
        part: 'poplin:cni:db',
        pod: { ...api.pod, name: 'db' },
        addresses: ['10.1.0.4'],
        link: 'veth3',
      },
    ];
    for (const each of more) await keeper.admit(each);
    // Policies come first, and the link after.
    links.numbers.set('veth2', 12).set('veth3', 13);
    const before = loop.status().ops;
    for (const each of more) keeper.restored(each);
    links.change('veth1', 21);
    links.change('eth0', 2);
    await settle();
    expect(loop.status().ops).toBe(before);
    await clock.advanceAsync(250);
    await settle();
    expect(numbers()).toEqual({ 12: 'from-veth2', 13: 'from-veth3', 21: 'from-veth1' });
    links.change('veth1', undefined);
    keeper.released('poplin:cni:api');
    await keeper.settled();
    expect(numbers()).toEqual({ 13: 'from-veth3' });
  });

  test('are read anew when notifications were lost, and not followed after the end', async () => {
    await addPolicy(shut());
    const links = new Links();
    links.numbers.set('veth1', 11);
    const agent = await start([web], { links });
    links.numbers.set('veth1', 31);
    for (const { resynced } of links.listeners) resynced();
    await clock.advanceAsync(250);
    await settle();
    expect(numbers()).toEqual({ 31: 'from-veth1' });
    await agent.stop();
    expect(links.listeners.size).toBe(0);
  });
});

test('rules tell what they decide while somebody listens, and nobody is looked for without a policy', async () => {
  const log = { isHeard: true, looks: 0 };
  const isLogHeard = (): boolean => {
    log.looks++;
    return log.isHeard;
  };
  const telling = (): number => JSON.stringify([...kernel.state().values()]).split('poplin:').length - 1;
  await start([web], { isLogHeard });
  await clock.advanceAsync(5000);
  expect(log.looks).toBe(0);
  await addPolicy(shut());
  await addPod(pod('web'));
  await settle();
  expect(telling()).toBeGreaterThan(0);
  log.isHeard = false;
  await clock.advanceAsync(500);
  await settle();
  expect(telling()).toBe(0);
  expect(hasTable()).toBe(true);
  log.isHeard = true;
  await clock.advanceAsync(499);
  expect(telling()).toBe(0);
  await clock.advanceAsync(1);
  await settle();
  expect(telling()).toBeGreaterThan(0);
  await store.delete(policies, 'shut', { namespace: 'shop' });
  await settle();
  expect(hasTable()).toBe(false);
  const { looks } = log;
  await clock.advanceAsync(5000);
  expect(log.looks).toBe(looks);
});

describe('policy on a node', () => {
  test('is nothing in the kernel without a policy, and there as long as there is one', async () => {
    await addPod(pod('web'));
    const { keeper } = await start();
    await keeper.admit(web);
    expect(hasTable()).toBe(false);
    await addPolicy(shut());
    await settle();
    expect(hasTable()).toBe(true);
    expect(chains()).toEqual([expect.stringMatching(/^egress4-/), expect.stringMatching(/^ingress6-/)]);
    await store.delete(policies, 'shut', { namespace: 'shop' });
    await settle();
    expect(hasTable()).toBe(false);
    await addPolicy(shut());
    await settle();
    expect(chains()[0]).toMatch(/^egress4-/);
    expect(keeper.status()).toMatchObject({ known: 'api', policies: 1, endpoints: 1, unknownPods: [] });
  });

  test('is in the kernel when a pod is admitted, and gone with it', async () => {
    await addPolicy(shut());
    await addPod(pod('web'));
    const { keeper } = await start();
    await keeper.admit(web);
    expect(chains()[0]).toMatch(/^egress4-[0-9a-f]+$/);
    keeper.released(web.part);
    await settle();
    expect(chains()).toEqual([undefined, undefined]);
  });

  test('lets nothing pass of a pod that nobody has told of, where a policy could select it', async () => {
    await addPolicy(shut());
    const { keeper } = await start();
    await keeper.admit(web);
    expect(chains()).toEqual(['unknown-egress', 'unknown-ingress']);
    expect(keeper.status().unknownPods).toEqual(['pod shop/web']);
    await keeper.admit({
      ...web,
      part: 'other',
      pod: { namespace: 'free', name: 'web' },
      addresses: ['10.1.0.3'],
    });
    expect(chainOf(kernel.state(), 'egress4', '10.1.0.3')).toBeUndefined();
    await addPod(pod('web'));
    await settle();
    expect(chains()[0]).toMatch(/^egress4-/);
  });

  test('asks for a pod that the watch knows an earlier one of', async () => {
    await addPolicy(shut('shut', { matchLabels: { app: 'db' } }));
    await addPod(pod('web', { app: 'web' }));
    const { keeper } = await start();
    store.endWatches(new StoreError(503, 'ServiceUnavailable', 'later'));
    await store.delete(RESOURCES.pods, 'web', { namespace: 'shop' });
    const { metadata } = await addPod(pod('web', { app: 'db' }));
    await keeper.admit({ ...web, pod: { ...web.pod, uid: metadata.uid as string } });
    expect(chains()[0]).toMatch(/^egress4-/);
  });

  test('attaches nobody while nothing is known', async () => {
    store.outage('down');
    const { keeper } = await start();
    const admitted = expect(keeper.admit(web)).rejects.toMatchObject({ code: 11 });
    await clock.advanceAsync(10_000);
    await admitted;
    expect(keeper.status().known).toBe('nothing');
    store.outage('up');
    await clock.advanceAsync(60_000);
    await keeper.admit(web);
    expect(keeper.status().known).toBe('api');
  });

  test('is what it was after a start without the API server, and attaches what is known', async () => {
    await addPolicy(shut());
    for (const name of ['web', 'db']) await addPod(pod(name));
    const first = await start();
    await first.keeper.admit(web);
    const before = new Map(kernel.state());
    await first.stop();
    store.outage('down');
    const { keeper } = await start([web]);
    expect(new Map(kernel.state())).toEqual(before);
    expect(keeper.status()).toMatchObject({ known: 'disk', policies: 1 });
    await keeper.admit({
      ...web,
      part: 'db',
      containerId: 'c2',
      pod: { namespace: 'shop', name: 'db' },
      addresses: ['10.1.0.9'],
    });
    expect(chainOf(kernel.state(), 'egress4', '10.1.0.9')).toMatch(/^egress4-[0-9a-f]+$/);
    // The policy went meanwhile; that counts when the server says so, and not before.
    store.outage('up');
    await store.delete(policies, 'shut', { namespace: 'shop' });
    expect(hasTable()).toBe(true);
    await clock.advanceAsync(60_000);
    expect(keeper.status()).toMatchObject({ known: 'api', policies: 0 });
    expect(hasTable()).toBe(false);
  });

  test('takes away nothing from the kernel before it knows what is to be there', async () => {
    await addPolicy(shut());
    await addPod(pod('web'));
    const first = await start();
    await first.keeper.admit(web);
    await first.stop();
    rmSync(join(folder, 'policy'));
    store.outage('down');
    const { keeper } = await start([web]);
    expect(chains()[0]).toMatch(/^egress4-/);
    expect(keeper.status().known).toBe('nothing');
  });

  test('goes by the container attached last, whichever goes first', async () => {
    await addPolicy(shut());
    await addPod(pod('web'));
    const { keeper } = await start();
    await keeper.admit(web);
    await keeper.admit({ ...web, part: 'again', containerId: 'c2', addresses: ['10.1.0.7'], link: 'veth2' });
    expect(chainOf(kernel.state(), 'egress4', '10.1.0.7')).toMatch(/^egress4-/);
    keeper.released(web.part);
    await settle();
    expect(chainOf(kernel.state(), 'egress4', '10.1.0.7')).toMatch(/^egress4-/);
    expect(chains()).toEqual([undefined, undefined]);
  });

  test('has flows judged anew when a change may be about them', async () => {
    await addPod(pod('web'));
    const { keeper, judged } = await start();
    await keeper.admit(web);
    const flow = { source: '10.1.0.2', destination: '10.9.9.9', protocol: 6, destinationPort: 80 } as const;
    expect(judged.judge?.isAllowed(flow)).toBe(true);
    expect(judged.judge?.isLocal('fd00::2')).toBe(true);
    expect(judged.judge?.isLocal('10.9.9.9')).toBe(false);
    const { count } = judged;
    await addPolicy(shut());
    await settle();
    expect(judged.count).toBeGreaterThan(count);
    expect(judged.judge?.isAllowed(flow)).toBe(false);
  });

  test('is about the links of this node, where they are endpoints, and not about those of others', async () => {
    const hosts = POLICY_RESOURCES.find(({ plural }) => plural === 'hostendpoints') as ResourcePath;
    store.groups.add(hosts.group);
    const { keeper } = await start();
    const host = (name: string, node: string): KubeObject => ({
      apiVersion: 'projectcalico.org/v3',
      kind: 'HostEndpoint',
      metadata: { name },
      spec: { node, interfaceName: 'eth0', expectedIPs: ['192.0.2.1'] },
    });
    await store.create(hosts, host('other', 'n2'));
    await settle();
    expect(hasTable()).toBe(false);
    await store.create(hosts, host('own', 'n1'));
    await settle();
    const links = [...kernel.state().values()].flatMap((object) =>
      object.kind === 'nft-element' && object.key.includes('eth0') ? [object.set] : [],
    );
    expect(links.length).toBeGreaterThan(0);
    expect(keeper.status().known).toBe('api');
    await store.delete(hosts, 'own');
    await settle();
    expect(hasTable()).toBe(false);
  });

  test('keeps the last good state of a policy that was made invalid, and names the fault', async () => {
    await addPolicy(shut());
    await addPod(pod('web'));
    const { keeper } = await start();
    await keeper.admit(web);
    const object = await store.get(policies, 'shut', { namespace: 'shop' });
    await store.replace(
      policies,
      { ...object, spec: { podSelector: { matchLabels: 7 } } },
      { namespace: 'shop' },
    );
    await settle();
    expect(chains()[0]).toMatch(/^egress4-/);
    expect(keeper.problemTexts().join('\n')).toMatch(/NetworkPolicy shop\/shut: spec\.podSelector/);
  });
});
