import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LeaseRegistry, RegistryEntry } from '#core/lease/index.ts';
import { FLANNEL_VXLAN, FLANNEL_VXLAN_DUAL, nodeObject } from '#core/lease/kube-nodes/nodes.fixture.ts';
import { type KubeObject, RESOURCES, StoreError } from '#core/store/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { SimClock, settle } from '#testing/sim-clock.ts';
import { kubeNodesRegistry } from './kube-nodes.ts';
import { COLLECT_MS, type RegistrySource } from './source.ts';

const V4 = { Network: '10.244.0.0/16', Backend: { Type: 'vxlan' } };
const DUAL = { ...V4, EnableIPv6: true, IPv6Network: 'fd00:10:244::/48' };
const PREFIX = 'flannel.alpha.coreos.com/';
const SIGNAL = new AbortController().signal;
const A = ['10.244.1.0/24', 'fd00:10:244:1::/64'];

let folder = '';
let store: FakeStore;
let clock: SimClock;
let source: RegistrySource;
let registry: LeaseRegistry;
let log: string[];
let told: RegistryEntry[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poplin-nodes-'));
  clock = new SimClock();
  store = new FakeStore({ now: () => new Date(clock.now()) });
  log = [];
  told = [];
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function start(config: object = V4, more: { setNodeNetworkUnavailable?: boolean } = {}): Promise<void> {
  const netConfFile = join(folder, 'net-conf.json');
  writeFileSync(netConfFile, JSON.stringify(config));
  const logger = pino({ level: 'silent' });
  source = kubeNodesRegistry({ store, clock, random: () => 0.5, logger, netConfFile, ...more });
  const netConf = await source.netConf(SIGNAL);
  const data = { VNI: 1, VtepMAC: '02:00:00:00:00:01' };
  const publicIps = { ipv4: '192.0.2.1', ipv6: '2001:db8::1' };
  const offer = {
    backendType: 'vxlan',
    ipv4: { publicIp: publicIps.ipv4, backendData: data },
    ipv6: { publicIp: publicIps.ipv6, backendData: data },
  };
  registry = await source.open({ node: 'a', netConf, offer, publicIps }, SIGNAL);
  registry.start({
    held: ({ ipv4, ipv6 }) => log.push(`held ${[ipv4, ipv6].map((part) => part?.subnet ?? '-').join(' ')}`),
    lost: (family) => log.push(`lost ${family}`),
    sync: (entries) => {
      told.push(...entries);
      log.push(`sync ${entries.map(({ name }) => name).join(', ')}`);
    },
    upsert: (entry) => {
      told.push(entry);
      log.push(`upsert ${entry.name}${'refused' in entry ? ' refused' : ''}`);
    },
    remove: (name) => log.push(`remove ${name}`),
    connection: (state) => log.push(state),
  });
  await settle();
}

const add = (node: KubeObject) => store.create(RESOURCES.nodes, node);
const get = (name: string) => store.get(RESOURCES.nodes, name);
const patch = (name: string, body: object) => store.patch(RESOURCES.nodes, name, 'merge', body);
const annotate = (name: string, key: string, value: string | null) =>
  patch(name, { metadata: { annotations: { [PREFIX + key]: value } } });
const setCidrs = (name: string, podCIDRs: readonly string[]) =>
  patch(name, { spec: { podCIDR: podCIDRs[0] ?? null, podCIDRs } });
const writes = () => store.calls.filter(({ verb }) => verb === 'patch').length;
async function news(): Promise<string[]> {
  await settle();
  return log.splice(0);
}

describe('the registry of Node objects', () => {
  it('holds the pod cidrs once the annotations are written, and leaves all else as it is', async () => {
    await add(nodeObject('a', [...A].reverse()));
    await add(nodeObject('b', ['10.244.2.0/24', 'fd00:10:244:2::/64'], FLANNEL_VXLAN_DUAL));
    await start(DUAL);
    expect(await news()).toEqual([
      'sync a ipv4, a ipv6, b ipv4, b ipv6',
      'held 10.244.1.0/24 fd00:10:244:1::/64',
    ]);
    const { metadata, status } = (await get('a')) as KubeObject & { status: object };
    expect(metadata.annotations).toEqual({
      'node.alpha.kubernetes.io/ttl': '0',
      [`${PREFIX}backend-data`]: '{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}',
      [`${PREFIX}backend-type`]: 'vxlan',
      [`${PREFIX}backend-v6-data`]: '{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}',
      [`${PREFIX}kube-subnet-manager`]: 'true',
      [`${PREFIX}public-ip`]: '192.0.2.1',
      [`${PREFIX}public-ipv6`]: '2001:db8::1',
    });
    expect(status).toEqual(nodeObject('a', [])['status']);
    expect(registry.problemTexts()).toEqual([]);
    await clock.advanceAsync(3_600_000);
    expect(writes()).toBe(1);
  });

  it('writes nothing where everything is written already', async () => {
    const data = { 'backend-data': '{"VNI":1,"VtepMAC":"02:00:00:00:00:01"}', 'public-ip': '192.0.2.1' };
    await add(nodeObject('a', A, { ...FLANNEL_VXLAN, ...data }));
    await start();
    expect(await news()).toContain('held 10.244.1.0/24 -');
    expect(writes()).toBe(0);
  });

  it('waits for a pod cidr, and says so', async () => {
    await start();
    expect(registry.problemTexts()).toEqual(['there is no node "a" in the API server']);
    await add(nodeObject('a', []));
    await settle();
    expect(registry.problemTexts()).toEqual(['node "a" pod cidr not assigned']);
    expect(writes()).toBe(0);
    log.length = 0;
    await setCidrs('a', A);
    expect(await news()).toEqual(['upsert a ipv4', 'held 10.244.1.0/24 -']);
    expect(registry.problemTexts()).toEqual([]);
  });

  it('gives up a pod cidr that was changed, and holds the other', async () => {
    await add(nodeObject('a', A));
    await start(DUAL);
    await news();
    await setCidrs('a', ['10.244.7.0/24', A[1] ?? '']);
    expect(await news()).toEqual([
      'remove a ipv4',
      'lost ipv4',
      'upsert a ipv4',
      'held 10.244.7.0/24 fd00:10:244:1::/64',
    ]);
    // One is this test's own: the annotations say nothing of subnets.
    expect(writes()).toBe(2);
  });

  it('keeps what it uses when its node is deleted, until another node has it', async () => {
    await add(nodeObject('a', A));
    await start();
    await news();
    await store.delete(RESOURCES.nodes, 'a');
    expect(await news()).toEqual([]);
    expect(registry.problemTexts()).toEqual(['there is no node "a" in the API server']);
    await add(nodeObject('b', A, FLANNEL_VXLAN));
    expect(await news()).toEqual(['upsert b ipv4 refused', 'remove a ipv4', 'upsert b ipv4', 'lost ipv4']);
    expect(registry.problemTexts()[0]).toBe('pod cidr 10.244.1.0/24 of this node is node "b"\'s now');
    await add(nodeObject('a', ['10.244.3.0/24']));
    await clock.advanceAsync(10_000);
    expect(await news()).toEqual(['upsert a ipv4', 'held 10.244.3.0/24 -']);
  });

  it('works on through an outage, and then tells differences alone', async () => {
    await add(nodeObject('a', A));
    for (const [index, name] of ['b', 'c', 'd'].entries())
      await add(nodeObject(name, [`10.244.${index + 2}.0/24`], FLANNEL_VXLAN));
    await start();
    await news();
    store.outage('down');
    expect(await news()).toEqual(['down']);
    store.outage('up');
    await settle();
    expect(await news()).toEqual(['up']);
    store.outage('down');
    await settle();
    store.compact();
    store.outage('up');
    await store.delete(RESOURCES.nodes, 'c');
    await annotate('d', 'public-ip', '192.0.2.99');
    expect(await news()).toEqual(expect.arrayContaining(['remove c ipv4', 'upsert d ipv4']));
    expect(log.filter((line) => line.includes('b ipv4') || line.startsWith('held'))).toEqual([]);
  });

  it('repeats a write that failed, and names the reason meanwhile', async () => {
    await add(nodeObject('a', A));
    const patchOf = store.patch.bind(store);
    let failing = true;
    store.patch = (...args: Parameters<typeof patchOf>) =>
      failing
        ? Promise.reject(new StoreError(403, 'Forbidden', 'nodes/status "a" is forbidden'))
        : (patchOf(...args) as never);
    await start();
    expect(await news()).not.toContain('held 10.244.1.0/24 -');
    expect(registry.problemTexts()).toEqual([
      'annotations of node "a" could not be written: nodes/status "a" is forbidden',
    ]);
    failing = false;
    await clock.advanceAsync(60_000);
    expect(await news()).toEqual(['held 10.244.1.0/24 -']);
    expect(registry.problemTexts()).toEqual([]);
  });

  it('follows an overwrite of its public address there and back', async () => {
    await add(nodeObject('a', A));
    await start();
    await annotate('a', 'public-ip-overwrite', '203.0.113.5');
    await clock.advanceAsync(10_000);
    expect((await get('a')).metadata.annotations?.[`${PREFIX}public-ip`]).toBe('203.0.113.5');
    await annotate('a', 'public-ip-overwrite', null);
    await clock.advanceAsync(10_000);
    expect((await get('a')).metadata.annotations?.[`${PREFIX}public-ip`]).toBe('192.0.2.1');
    expect(registry.problemTexts()).toEqual([]);
    await annotate('a', 'node-public-ip', '192.0.2.77');
    expect(await source.wishedPublicIps?.('a', SIGNAL)).toEqual({ ipv4: '192.0.2.77' });
  });

  it('does not flood the store where another program writes the same annotations, and names it', async () => {
    await add(nodeObject('a', A));
    await start();
    const before = writes();
    for (let second = 0; second < 60; second++) {
      await annotate('a', 'public-ip', '192.0.2.200');
      await clock.advanceAsync(1000);
    }
    // 60 of them are this test's own.
    expect(writes() - before - 60).toBeLessThanOrEqual(7);
    expect(registry.problemTexts()[0]).toMatch(
      /^another program wrote "192.0.2.200" into annotation flannel.alpha.coreos.com\/public-ip of node "a"/,
    );
  });

  it('does nothing for the heartbeats of 5000 nodes', async () => {
    await add(nodeObject('a', ['10.0.0.0/24']));
    const names = Array.from({ length: 5000 }, (_, index) => `n${index}`);
    for (const [index, name] of names.entries()) {
      const cidr = `10.${1 + (index >> 8)}.${index & 255}.0/24`;
      await add(nodeObject(name, [cidr], FLANNEL_VXLAN));
    }
    await start({ Network: '10.0.0.0/8', Backend: { Type: 'vxlan' } });
    await news();
    const count = told.length;
    store.calls.length = 0;
    for (const name of names)
      await store.patch(
        RESOURCES.nodes,
        name,
        'strategic',
        { status: { conditions: [{ type: 'Ready', lastHeartbeatTime: '2024-01-01T00:05:00Z' }] } },
        { subresource: 'status' },
      );
    expect(await news()).toEqual([]);
    expect(told).toHaveLength(count);
    expect(store.calls).toHaveLength(5000);
  });

  it('follows nodes in groups: nobody waits for a single one', async () => {
    await add(nodeObject('a', A));
    const follow = vi.spyOn(store, 'follow');
    await start();
    expect(follow.mock.calls.map(([resource, { collectMs }]) => [resource, collectMs])).toEqual([
      [RESOURCES.nodes, COLLECT_MS],
    ]);
  });

  it('watches its own node alone where nothing is carried', async () => {
    await add(nodeObject('a', A));
    await add(nodeObject('b', ['10.244.2.0/24'], FLANNEL_VXLAN));
    await start({ ...V4, Backend: { Type: 'alloc' } });
    expect((await news())[0]).toBe('sync a ipv4');
  });

  it('clears NetworkUnavailable once, and leaves other conditions alone', async () => {
    await add(nodeObject('a', A));
    await start();
    const announce = () => source.announce?.({} as never, {}, SIGNAL);
    const before = writes();
    await announce();
    await announce();
    expect(writes() - before).toBe(1);
    expect((await get('a'))['status']).toMatchObject({
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'NetworkUnavailable', status: 'False', reason: 'FlannelIsUp' },
      ],
    });
    await registry[Symbol.asyncDispose]();
    await start(V4, { setNodeNetworkUnavailable: false });
    store.calls.length = 0;
    await announce();
    expect(store.calls).toEqual([]);
  });
});
