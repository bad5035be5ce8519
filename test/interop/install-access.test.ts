/** What agents ask of the API server is what the chart's roles grant, for each registry: nothing more, nothing less. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kubeNodesRegistry } from '#app/agent/index.ts';
import { KernelLoop } from '#app/agent/kernel-loop.ts';
import { PolicyKeeper } from '#app/agent/policy/index.ts';
import { leaseObjects } from '#app/agent/registries/lease-objects.ts';
import { NetworkStore } from '#app/agent/registries/network-store.ts';
import type { RegistrySource } from '#app/agent/registries/source.ts';
import { POLICY_RESOURCES, storedResource } from '#core/policy/index.ts';
import type { ResourcePath } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createKubeStore } from '#io/kube/index.ts';
import { FakeKernel } from '#testing/fake-kernel/index.ts';
import { renderChart } from '../../tools/manifest.ts';
import { until } from '../e2e/agent-world.ts';
import { ApiWorld } from './apiserver-world.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** `get configmaps poplin-config in poplin-system`, one for each verb of each rule of the chart with these values. */
function granted(...values: readonly string[]): string[] {
  const options = values.flatMap((value) => ['--set', value]);
  const objects = parseAllDocuments(renderChart(...options)).map(
    (document) =>
      document.toJS() as { kind: string; metadata: { namespace?: string }; rules?: readonly Rule[] },
  );
  return objects
    .flatMap(({ kind, metadata, rules = [] }) =>
      rules.flatMap((rule) => wordsOf(rule, kind === 'Role' ? ` in ${metadata.namespace}` : '')),
    )
    .sort();
}

function wordsOf({ apiGroups, resources, resourceNames, verbs }: Rule, where: string): string[] {
  const paths = apiGroups.flatMap((group) =>
    resources.map((resource) => (group === '' ? resource : `${group}/${resource}`)),
  );
  const names = resourceNames?.map((name) => ` ${name}`) ?? [''];
  return paths.flatMap((path) =>
    names.flatMap((name) => verbs.map((verb) => `${verb} ${path}${name}${where}`)),
  );
}

const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
/** The resources that roles name one by one. */
const BY_NAME = new Set(['configmaps', 'namespaces']);
/** Of these agents ask wherever a pod or a policy is: no role of a namespace is about them. */
const OF_ALL = new Set(['pods', 'events']);

/** The words of `granted` for one request. Creating has no name: a role cannot restrict it to one. */
function asked(method: string, url: string): string {
  const { pathname, searchParams } = new URL(url, 'http://server');
  const match =
    /^\/(?:api|apis\/([^/]+))\/v\w+(?:\/namespaces\/([^/]+)(?=\/))?\/([^/]+)(?:\/([^/]+))?(?:\/(status))?$/.exec(
      pathname,
    );
  if (match === null) throw new Error(`${method} ${url} is no path of a resource`);
  const [, group, namespace, plural = '', name, subresource] = match;
  const reading = name !== undefined ? 'get' : searchParams.has('watch') ? 'watch' : 'list';
  const resource = [group, plural, subresource].filter((part) => part !== undefined).join('/');
  const named = name !== undefined && BY_NAME.has(plural) ? ` ${name}` : '';
  const where = namespace === undefined || OF_ALL.has(plural) ? '' : ` in ${namespace}`;
  return `${VERBS[method] ?? reading} ${resource}${named}${where}`;
}

let world: ApiWorld;
let recorder: Server;
const used = new Set<string>();

beforeAll(async () => {
  world = await ApiWorld.open();
  await world.create('/api/v1/nodes', { metadata: { name: 'a' }, spec: { podCIDR: '10.244.7.0/24' } });
  recorder = createServer((from, to) => {
    used.add(asked(from.method ?? '', from.url ?? ''));
    const onward = request(
      world.url + (from.url ?? ''),
      { method: from.method, headers: from.headers },
      (answer) => {
        to.writeHead(answer.statusCode ?? 500, answer.headers);
        to.flushHeaders();
        answer.pipe(to);
      },
    );
    from.pipe(onward);
    onward.once('error', () => to.destroy());
    to.once('close', () => onward.destroy());
  });
  await new Promise<void>((resolve) => recorder.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  recorder.closeAllConnections();
  recorder.close();
  await world[Symbol.asyncDispose]();
});

const NET_CONF = '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}';

/** The API server behind the recorder. */
function openStore() {
  const logger = pino({ level: 'silent' });
  const { port } = recorder.address() as AddressInfo;
  const base = { clock: systemClock, random: systemRandom, logger };
  return { base, store: createKubeStore({ server: `http://127.0.0.1:${port}`, source: 'test' }, base) };
}

/** Runs a registry against the recorder until the check is fulfilled. */
async function runRegistry(
  source: (world: Parameters<typeof leaseObjects>[0]) => RegistrySource,
  done: (held: readonly string[]) => Promise<boolean> | boolean,
): Promise<void> {
  const { signal } = new AbortController();
  const { base, store } = openStore();
  using _store = store;
  const from = source({ ...base, store, registerNode: false, publishNode: false });
  const netConf = await from.netConf(signal);
  const data = { VNI: 1, VtepMAC: '02:00:00:00:00:01' };
  const publicIps = { ipv4: '192.0.2.1' };
  const offer = { backendType: 'vxlan', ipv4: { publicIp: publicIps.ipv4, backendData: data }, ipv6: {} };
  const leaseTimes = { durationSec: 3, renewMarginSec: 2, clockSkewSec: 0 };
  await from.wishedPublicIps?.('a', signal);
  await using registry = await from.open({ node: 'a', netConf, offer, publicIps, leaseTimes }, signal);
  const held: string[] = [];
  const announced: Promise<void>[] = [];
  registry.start({
    held: (lease) => {
      held.push(String(lease.ipv4?.subnet));
      announced.push(Promise.resolve(from.announce?.(lease, publicIps, signal)).catch(() => undefined));
    },
    lost: () => undefined,
    sync: () => undefined,
    upsert: () => undefined,
    remove: () => undefined,
    connection: () => undefined,
  });
  await until('all that a registry does', () => done(held));
  await Promise.all(announced);
}

beforeEach(() => used.clear());

it('an agent with Lease objects uses all that the roles grant, and no more', async () => {
  await world.create('/api/v1/namespaces', { metadata: { name: 'poplin-system' } });
  await leaseAndMove(leaseObjects, 'poplin-system');
  expect([...used].sort()).toEqual(granted('policies=false'));
});

it('an agent of a further network uses all that the roles grant for it, and no more', async () => {
  await world.create('/api/v1/namespaces', { metadata: { name: 'poplin-system-second' } });
  await leaseAndMove(
    (options) => leaseObjects({ ...options, store: new NetworkStore(options.store, 'second') }),
    'poplin-system-second',
  );
  const all = granted('policies=false', 'networks={second,third}');
  const ofOthers = (word: string) => / poplin-system(-third)?$/.test(word);
  expect([...used].sort()).toEqual(all.filter((word) => !ofOthers(word) && !/ in .*third$/.test(word)));
  expect(all.filter(ofOthers)).toHaveLength(2 + 2 * 6);
});

/** Takes a lease, renews it, and gives it up for one in another range. */
async function leaseAndMove(source: Parameters<typeof runRegistry>[0], namespace: string): Promise<void> {
  await world.create(`/api/v1/namespaces/${namespace}/configmaps`, {
    metadata: { name: 'poplin-config' },
    data: { 'net-conf.json': NET_CONF },
  });
  await runRegistry(source, () => used.has(`update coordination.k8s.io/leases in ${namespace}`));
  // A lease that the network's new range has no place for is given back.
  const configMap = `/api/v1/namespaces/${namespace}/configmaps/poplin-config`;
  const other = { data: { 'net-conf.json': NET_CONF.replace('10.244', '10.99') } };
  expect((await world.patch(configMap, 'merge', other)).code).toBe(200);
  await runRegistry(source, async () => {
    const { body } = await world.get(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`);
    return body.items.length === 1 && body.items[0]?.metadata.name.includes('10.99') === true;
  });
}

it('an agent with Node objects uses all that the roles grant, and no more', async () => {
  const netConfFile = join(world.folder, 'net-conf.json');
  writeFileSync(netConfFile, NET_CONF);
  const all = granted('registry=nodes', 'policies=false');
  await runRegistry(
    (options) => kubeNodesRegistry({ ...options, netConfFile }),
    (held) => held.length > 0 && all.every((word) => used.has(word)),
  );
  expect([...used].sort()).toEqual(all);
});

describe('policies', () => {
  const KINDS = POLICY_RESOURCES.filter(({ group }) => /^(policy|projectcalico)/.test(group));
  const asked = new Set<string>();

  beforeAll(async () => {
    used.clear();
    await world.namespace('shop');
    await world.create('/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies', {
      metadata: { name: 'all' },
      spec: { podSelector: {} },
    });
    // As Calico keeps its kinds where its API server is not there, and then as that shows them.
    const stored = KINDS.map((kind) => storedResource(kind) ?? kind);
    for (const kinds of [stored, KINDS.filter((kind) => storedResource(kind) !== undefined)]) {
      for (const kind of kinds) await define(kind);
      const wanted = [...POLICY_RESOURCES.filter((each) => !KINDS.includes(each)), ...kinds];
      const ofCluster = kinds.filter(({ group }) => group.startsWith('policy'));
      // What is wrong with these is said by an Event each, and in their status.
      for (const { group, version, plural } of ofCluster)
        await world.create(`/apis/${group}/${version}/${plural}`, { metadata: { name: 'bad' } });
      await runPolicies([
        ...wanted.map((kind) => `watch ${wordOf(kind)}`),
        ...ofCluster.flatMap((kind) => [`patch ${wordOf(kind)}/status`, 'create events']),
      ]);
      for (const word of used) asked.add(word);
      used.clear();
    }
  }, 60_000);

  it.each<[string, string]>([
    ['leases', 'beside Lease objects'],
    ['nodes', 'beside Node objects'],
  ])('with registry=%s an agent uses all that the roles grant for them, and no more: %s', (registry) => {
    const without = granted(`registry=${registry}`, 'policies=false');
    const all = new Set([...without, ...asked]);
    expect([...all].sort()).toEqual(granted(`registry=${registry}`, 'policies=true'));
  });
});

const wordOf = ({ group, plural }: ResourcePath): string => `${group === '' ? '' : `${group}/`}${plural}`;

async function define({ group, version, plural, kind, namespaced }: ResourcePath): Promise<void> {
  const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  await world.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      names: { plural, kind },
      versions: [
        {
          ...{ name: version, served: true, storage: true, schema: { openAPIV3Schema: schema } },
          ...(group.startsWith('policy') && { subresources: { status: {} } }),
        },
      ],
    },
  });
}

/** Runs policy of an agent against the recorder until all this was asked for; nothing of it is in a kernel. */
async function runPolicies(wanted: readonly string[]): Promise<void> {
  const { base, store } = openStore();
  using _store = store;
  const ended = new AbortController();
  const folder = mkdtempSync(join(world.folder, 'policy-'));
  await using loop = new KernelLoop({ ...base, kernel: new FakeKernel(), owners: [] });
  {
    await using keeper = new PolicyKeeper({
      ...base,
      ...{ node: 'a', store, loop, bridge: 'netfilter', signal: ended.signal, random: () => 0 },
      journalFile: join(folder, 'policy'),
    });
    using _end = { [Symbol.dispose]: () => ended.abort() };
    await keeper.start();
    loop.start();
    const pod = { namespace: 'shop', name: 'gone' };
    await keeper.admit({ part: 'p', containerId: 'c', pod, addresses: [] });
    await until(`asked for ${wanted.join(', ')}`, () => wanted.every((word) => used.has(word)));
  }
}
