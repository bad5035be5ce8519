/** What agents ask of the API server is what the chart's roles grant, for each registry: nothing more, nothing less. */
import { writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kubeNodesRegistry } from '#app/agent/index.ts';
import { leaseObjects } from '#app/agent/registries/lease-objects.ts';
import type { RegistrySource } from '#app/agent/registries/source.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createKubeStore } from '#io/kube/index.ts';
import { renderChart } from '../../tools/manifest.ts';
import { until } from '../e2e/agent-world.ts';
import { ApiWorld } from './apiserver-world.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** `get configmaps poplin-config in poplin-system`, one for each verb of each rule of the chart with a registry. */
function granted(registry: 'leases' | 'nodes'): string[] {
  const objects = parseAllDocuments(renderChart('--set', `registry=${registry}`)).map(
    (document) => document.toJS() as { kind: string; rules?: Rule[] },
  );
  return objects
    .flatMap(({ kind, rules = [] }) =>
      rules.flatMap(({ apiGroups, resources, resourceNames, verbs }) =>
        verbs.map((verb) => {
          const resource = [...apiGroups.filter((group) => group !== ''), ...resources].join('/');
          const name = resourceNames === undefined ? '' : ` ${resourceNames.join(',')}`;
          return `${verb} ${resource}${name}${kind === 'Role' ? ' in poplin-system' : ''}`;
        }),
      ),
    )
    .sort();
}

const VERBS: Readonly<Record<string, string>> = {
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};
/** The resources that roles name one by one. */
const BY_NAME = new Set(['configmaps', 'namespaces']);

/** The words of `granted` for one request. Creating has no name: a role cannot restrict it to one. */
function asked(method: string, url: string): string {
  const { pathname, searchParams } = new URL(url, 'http://server');
  const match =
    /^\/(?:api|apis\/([^/]+))\/v1(?:\/namespaces\/([^/]+)(?=\/))?\/([^/]+)(?:\/([^/]+))?(?:\/(status))?$/.exec(
      pathname,
    );
  if (match === null) throw new Error(`${method} ${url} is no path of a resource`);
  const [, group, namespace, plural = '', name, subresource] = match;
  const reading = name !== undefined ? 'get' : searchParams.has('watch') ? 'watch' : 'list';
  const resource = [group, plural, subresource].filter((part) => part !== undefined).join('/');
  const named = name !== undefined && BY_NAME.has(plural) ? ` ${name}` : '';
  return `${VERBS[method] ?? reading} ${resource}${named}${namespace === undefined ? '' : ` in ${namespace}`}`;
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
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/poplin-system/leases';

/** Runs a registry against the recorder until the check is fulfilled. */
async function runRegistry(
  source: (world: Parameters<typeof leaseObjects>[0]) => RegistrySource,
  done: (held: readonly string[]) => Promise<boolean> | boolean,
): Promise<void> {
  const { signal } = new AbortController();
  const logger = pino({ level: 'silent' });
  const { port } = recorder.address() as AddressInfo;
  const base = { clock: systemClock, random: systemRandom, logger };
  using store = createKubeStore({ server: `http://127.0.0.1:${port}`, source: 'test' }, base);
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
  await world.create('/api/v1/namespaces/poplin-system/configmaps', {
    metadata: { name: 'poplin-config' },
    data: { 'net-conf.json': NET_CONF },
  });
  await runRegistry(leaseObjects, () => used.has(`update coordination.k8s.io/leases in poplin-system`));
  // A lease that the network's new range has no place for is given back.
  const configMap = '/api/v1/namespaces/poplin-system/configmaps/poplin-config';
  const other = { data: { 'net-conf.json': NET_CONF.replace('10.244', '10.99') } };
  expect((await world.patch(configMap, 'merge', other)).code).toBe(200);
  await runRegistry(leaseObjects, async () => {
    const { body } = await world.get(LEASES);
    return body.items.length === 1 && body.items[0]?.metadata.name.includes('10.99') === true;
  });
  expect([...used].sort()).toEqual(granted('leases'));
});

it('an agent with Node objects uses all that the roles grant, and no more', async () => {
  const netConfFile = join(world.folder, 'net-conf.json');
  writeFileSync(netConfFile, NET_CONF);
  await runRegistry(
    (options) => kubeNodesRegistry({ ...options, netConfFile }),
    (held) => held.length > 0 && used.has('patch nodes/status'),
  );
  expect([...used].sort()).toEqual(granted('nodes'));
});
