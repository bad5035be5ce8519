import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseTopology, type Topology } from '#core/lab/index.ts';
import { RESOURCES } from '#core/store/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { expectationOf, makePolicies, readPolicies, withPolicies } from './policies.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'poplin-lab-policies-'));
  file = join(folder, 'lab.yaml');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A topology with the pod a of namespace shop, and these policies. */
function topologyOf(policies: string): Topology {
  const text = `nodes: 2\npods: { a: { node: node1, namespace: shop } }\npolicies: ${policies}`;
  const parsed = parseTopology(text, file);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value;
}
const POLICY = (name: string, spec: string) =>
  `{ apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: { name: ${name}, namespace: shop }, spec: ${spec} }`;

describe('policies of a topology', () => {
  it('are those of its file and of the files it names, which lie beside it', () => {
    writeFileSync(join(folder, 'more.yaml'), `${POLICY('two', '{ podSelector: {} }')}\n---\n`);
    const { policies } = withPolicies(
      topologyOf(`[${POLICY('one', '{ podSelector: {} }')}, more.yaml]`),
      file,
    );
    expect(policies).toMatchObject([{ metadata: { name: 'one' } }, { metadata: { name: 'two' } }]);
    const plain = topologyOf('[]');
    expect(withPolicies(plain, file)).toEqual(plain);
  });

  it.each<[string, string]>([
    ['[none.yaml]', 'none.yaml'],
    [
      '[{ apiVersion: v1, kind: Pod, metadata: { name: p } }]',
      'v1 Pod p is neither a policy nor a Namespace',
    ],
    [
      `[${POLICY('web', '{ podSelector: {}, ingress: [{ ports: [{ port: 0 }] }] }')}]`,
      'NetworkPolicy shop/web: spec.ingress[0].ports[0].port: 0 is no port: 1 to 65535',
    ],
  ])('are refused where %s: %s', (policies, message) => {
    expect(() => withPolicies(topologyOf(policies), file)).toThrow(message);
  });

  it('are made with their kinds and the namespaces of all, those of pods too', async () => {
    const store = new FakeStore();
    await makePolicies(
      store,
      withPolicies(
        topologyOf(`
  - { apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { team: a } } }
  - { apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: { name: p, namespace: back }, spec: {} }`),
        file,
      ),
    );
    const namespaces = await store.list(RESOURCES.namespaces);
    expect(namespaces.items.map(({ metadata: { name, labels } }) => [name, labels])).toEqual([
      ['back', undefined],
      ['shop', { team: 'a' }],
    ]);
    const cluster = await readPolicies(store);
    expect([...(cluster?.graph.policies.byRef.keys() ?? [])]).toHaveLength(1);
  });

  it('are none where there is nothing but kinds of Kubernetes', async () => {
    const store = new FakeStore();
    await makePolicies(store, topologyOf('[]'));
    expect(await readPolicies(store)).toBeUndefined();
    const { policies: _, ...plain } = topologyOf('[]');
    store.calls.length = 0;
    await makePolicies(store, plain);
    expect(store.calls.map(({ verb, plural }) => `${verb} ${plural}`)).toEqual(['create namespaces']);
  });
});

describe('what is expected of a probe', () => {
  const end = (kind: 'pod' | 'node', name: string, own: readonly string[], targets = own.slice(0, 1)) => ({
    ...{ kind, name, own, targets },
  });
  const options = { port: 7117, nodeOf: (name: string) => (name === 'web' ? 'near' : undefined) };

  it('is what the policies say; and a node reaches its own pods', async () => {
    const store = new FakeStore();
    const web = { name: 'web', namespace: 'shop', labels: { app: 'web' } };
    await store.create(RESOURCES.pods, {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: web, spec: { nodeName: 'near' } },
      status: { phase: 'Running', podIPs: [{ ip: '10.1.0.2' }] },
    });
    const topology = topologyOf(
      `[${POLICY('web', '{ podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: 192.0.2.0/24 } }], ports: [{ protocol: UDP, port: 7117 }] }] }')}]`,
    );
    await makePolicies(store, withPolicies(topology, file));
    const cluster = await readPolicies(store);
    if (cluster === undefined) throw new Error('no policies');
    const target = end('pod', 'web', ['10.1.0.2']);
    const asked = (source: ReturnType<typeof end>) =>
      expectationOf(cluster, { source, target, family: 4, address: '10.1.0.2' }, options);
    expect(asked(end('pod', 'other', ['10.2.0.2']))).toBe('denied');
    expect(asked(end('node', 'near', ['10.2.0.0']))).toBe('reached');
    expect(asked(end('node', 'far', ['192.0.2.7', 'fd00::1']))).toBe('reached');
    expect(asked(end('node', 'far', ['192.0.2.7', '10.2.0.0']))).toBe('either');
  });
});
