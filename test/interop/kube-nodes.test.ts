/** Subnets from Node objects over HTTP, on the embedded API server, with nodes that the real kubectl makes as flannel leaves them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { kubeNodesRegistry } from '#app/agent/index.ts';
import type { LeaseRegistry } from '#core/lease/index.ts';
import { systemClock } from '#io/clock/index.ts';
import { createKubeStore, type KubeStore } from '#io/kube/index.ts';
import { ApiWorld } from './apiserver-world.ts';
import { Kubectl } from './kubectl.ts';

const PREFIX = 'flannel.alpha.coreos.com';
const DATA = { VNI: 1, VtepMAC: '02:00:00:00:00:01' };
const IPS = { ipv4: '192.0.2.1', ipv6: '2001:db8::1' };
const SIGNAL = new AbortController().signal;

let world: ApiWorld;
let store: KubeStore;
let kubectl: Kubectl;
let registry: LeaseRegistry | undefined;
let log: string[];

beforeEach(async () => {
  world = await ApiWorld.open();
  store = createKubeStore({ server: world.url, source: 'test' }, { clock: systemClock, random: Math.random });
  const kubeconfig = join(world.folder, 'kubeconfig');
  const cluster = { name: 'c', cluster: { server: world.url } };
  const context = { name: 'c', context: { cluster: 'c', user: '' } };
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [cluster],
      contexts: [context],
      'current-context': 'c',
    }),
  );
  kubectl = new Kubectl(kubeconfig, world.folder);
  log = [];
});
afterEach(async () => {
  await registry?.[Symbol.asyncDispose]();
  registry = undefined;
  store.close();
  await world[Symbol.asyncDispose]();
});

async function start() {
  const netConfFile = join(world.folder, 'net-conf.json');
  writeFileSync(
    netConfFile,
    '{"Network":"10.244.0.0/16","EnableIPv6":true,"IPv6Network":"fd00:10:244::/48","Backend":{"Type":"vxlan"}}',
  );
  const logger = pino({ level: 'silent' });
  const source = kubeNodesRegistry({ store, clock: systemClock, random: Math.random, logger, netConfFile });
  const netConf = await source.netConf(SIGNAL);
  const offer = {
    backendType: 'vxlan',
    ipv4: { publicIp: IPS.ipv4, backendData: DATA },
    ipv6: { publicIp: IPS.ipv6, backendData: DATA },
  };
  registry = await source.open({ node: 'a', netConf, offer, publicIps: IPS }, SIGNAL);
  registry.start({
    held: ({ ipv4, ipv6 }) => log.push(`held ${ipv4?.subnet} ${ipv6?.subnet}`),
    lost: (family) => log.push(`lost ${family}`),
    sync: (entries) => log.push(...entries.map(({ name }) => `sync ${name}`)),
    upsert: (entry) =>
      log.push(
        'refused' in entry ? `${entry.name}: ${entry.refused}` : `${entry.name} ${entry.record.publicIp}`,
      ),
    remove: (name) => log.push(`remove ${name}`),
    connection: (state) => log.push(state),
  });
  return source;
}

const node = (name: string, index: number) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: {
      podCIDR: `10.244.${index}.0/24`,
      podCIDRs: [`10.244.${index}.0/24`, `fd00:10:244:${index}::/64`],
    },
  });
const annotate = (name: string, index: number) =>
  kubectl.ok([
    'annotate',
    '--overwrite',
    'node',
    name,
    `${PREFIX}/kube-subnet-manager=true`,
    `${PREFIX}/backend-type=vxlan`,
    `${PREFIX}/backend-data={"VNI":1,"VtepMAC":"82:4b:b6:2f:54:0${index}"}`,
    `${PREFIX}/backend-v6-data={"VNI":1,"VtepMAC":"82:4b:b6:2f:54:1${index}"}`,
    `${PREFIX}/public-ip=192.0.2.${index}`,
    `${PREFIX}/public-ipv6=2001:db8::${index}`,
  ]);
const until = (line: string) => vi.waitFor(() => expect(log).toContain(line), { timeout: 20_000 });

it('annotates its node, sees the nodes of flannel come, move and go', async () => {
  await kubectl.ok(['create', '-f', '-'], node('a', 1));
  await kubectl.ok(['create', '-f', '-'], node('b', 2));
  await annotate('b', 2);
  const source = await start();
  await until('held 10.244.1.0/24 fd00:10:244:1::/64');
  expect(log).toEqual(expect.arrayContaining(['sync a ipv4', 'sync a ipv6', 'sync b ipv4', 'sync b ipv6']));
  const own = JSON.parse(await kubectl.ok(['get', 'node', 'a', '-o', 'json']));
  expect(own.metadata.annotations).toEqual({
    [`${PREFIX}/kube-subnet-manager`]: 'true',
    [`${PREFIX}/backend-type`]: 'vxlan',
    [`${PREFIX}/backend-data`]: JSON.stringify(DATA),
    [`${PREFIX}/backend-v6-data`]: JSON.stringify(DATA),
    [`${PREFIX}/public-ip`]: IPS.ipv4,
    [`${PREFIX}/public-ipv6`]: IPS.ipv6,
  });
  expect(own.spec.podCIDRs).toEqual(['10.244.1.0/24', 'fd00:10:244:1::/64']);

  const ready = '{"status":{"conditions":[{"type":"Ready","status":"True","reason":"KubeletReady"}]}}';
  await kubectl.ok(['patch', 'node', 'a', '--subresource=status', '--type=strategic', '-p', ready]);
  await source.announce?.({} as never, {}, SIGNAL);
  const status = await kubectl.ok([
    'get',
    'node',
    'a',
    '-o',
    'jsonpath={range .status.conditions[*]}{.type}={.status} {.reason};{end}',
  ]);
  expect(
    status
      .split(';')
      .filter((part) => part !== '')
      .toSorted(),
  ).toEqual(['NetworkUnavailable=False FlannelIsUp', 'Ready=True KubeletReady']);

  await kubectl.ok(['annotate', '--overwrite', 'node', 'b', `${PREFIX}/public-ip=192.0.2.42`]);
  await until('b ipv4 192.0.2.42');
  await kubectl.ok(['create', '-f', '-'], node('c', 1));
  await annotate('c', 3);
  await until('c ipv4: pod cidr 10.244.1.0/24 of node "c" overlaps this node\'s 10.244.1.0/24');
  await kubectl.ok(['delete', 'node', 'b']);
  await until('remove b ipv6');
  expect(log.filter((line) => line.startsWith('held') || line.startsWith('lost'))).toHaveLength(1);
});

it('refuses to write onto a node that was made anew under the same name', async () => {
  await kubectl.ok(['create', '-f', '-'], node('a', 1));
  const { uid } = JSON.parse(await kubectl.ok(['get', 'node', 'a', '-o', 'json'])).metadata;
  await kubectl.ok(['delete', 'node', 'a']);
  await kubectl.ok(['create', '-f', '-'], node('a', 7));
  const patch = { metadata: { uid, annotations: { [`${PREFIX}/public-ip`]: '192.0.2.1' } } };
  const { code } = await world.patch('/api/v1/nodes/a/status', 'strategic', patch);
  expect(code).toBe(409);
  await start();
  await until('held 10.244.7.0/24 fd00:10:244:7::/64');
});
