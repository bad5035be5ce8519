import { expect, it } from 'vitest';
import { LEASE_NAMESPACE } from '#core/lease/index.ts';
import { type KubeObject, RESOURCES } from '#core/store/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import { NetworkStore, networkNamespace } from './network-store.ts';

const OWN = networkNamespace('b');
const lease = (name: string): KubeObject => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, namespace: LEASE_NAMESPACE },
});

it('keeps in a namespace of its own what the first network keeps in poplin-system, and shows it there', async () => {
  const store = new FakeStore();
  const network = new NetworkStore(store, 'b');
  const scope = { namespace: LEASE_NAMESPACE };
  for (const each of [store, network])
    await each.create(RESOURCES.namespaces, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: LEASE_NAMESPACE },
    });
  expect((await network.get(RESOURCES.namespaces, LEASE_NAMESPACE)).metadata.name).toBe(OWN);
  await store.create(RESOURCES.leases, lease('first'), scope);
  const made = await network.create(RESOURCES.leases, lease('second'), scope);
  expect(made.metadata.namespace).toBe(LEASE_NAMESPACE);
  const names = async (from: typeof store | typeof network, namespace: string) =>
    (await from.list(RESOURCES.leases, { namespace })).items.map(({ metadata }) => metadata.name);
  expect(await names(network, LEASE_NAMESPACE)).toEqual(['second']);
  expect(await names(store, LEASE_NAMESPACE)).toEqual(['first']);
  expect(await names(store, OWN)).toEqual(['second']);

  const seen: string[] = [];
  const stop = new AbortController();
  const following = network.follow(
    RESOURCES.leases,
    { ...scope, signal: stop.signal },
    {
      sync: (items) =>
        seen.push(...items.map(({ metadata }) => `sync ${metadata.namespace}/${metadata.name}`)),
      upsert: ({ metadata }) => seen.push(`upsert ${metadata.namespace}/${metadata.name}`),
      remove: ({ metadata }) => seen.push(`remove ${metadata.namespace}/${metadata.name}`),
    },
  );
  await expect.poll(() => seen).toEqual([`sync ${LEASE_NAMESPACE}/second`]);
  const change = { metadata: { annotations: { a: 'b' } } };
  expect((await network.patch(RESOURCES.leases, 'second', 'merge', change, scope)).metadata).toMatchObject({
    namespace: LEASE_NAMESPACE,
    annotations: { a: 'b' },
  });
  const again = await network.get(RESOURCES.leases, 'second', scope);
  await network.replace(RESOURCES.leases, { ...again, spec: { holderIdentity: 'n1' } }, scope);
  await network.delete(RESOURCES.leases, 'second', scope);
  await expect.poll(() => seen.at(-1)).toBe(`remove ${LEASE_NAMESPACE}/second`);
  expect(await names(store, LEASE_NAMESPACE)).toEqual(['first']);
  stop.abort();
  await following.catch(() => undefined);
});

it('leaves what is no network’s alone', async () => {
  const store = new FakeStore();
  const network = new NetworkStore(store, 'b');
  await network.create(RESOURCES.nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
  expect((await store.get(RESOURCES.nodes, 'n1')).metadata.name).toBe('n1');
});
