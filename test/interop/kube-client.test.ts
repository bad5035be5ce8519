/**
 * The Kubernetes client keeps the object store contract against the embedded API server, plain and over TLS with a
 * token, as the agent uses it.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { describe, expect, it, vi } from 'vitest';
import { type ApiServerOptions, startApiServer } from '#app/apiserver/index.ts';
import { RESOURCES, type ResourcePath } from '#core/store/index.ts';
import { systemClock, systemRandom } from '#io/clock/index.ts';
import { createKubeStore, loadKubeconfig } from '#io/kube/index.ts';
import { describeObjectStore, type StoreUnderTest, startFollow } from '#testing/object-store-contract.ts';

const HISTORY_LIMIT = 100;
const { configMaps, nodes } = RESOURCES;

interface Secrets {
  readonly tls: { readonly cert: string; readonly key: string };
  readonly token: string;
}

/** A server with a database of its own, and a client configured by a kubeconfig, as users do it. */
async function open(host: string, secrets?: Secrets): Promise<StoreUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'poplin-kube-client-'));
  const port = await freePort(host);
  const options: ApiServerOptions = {
    host,
    port,
    databasePath: join(folder, 'objects.db'),
    historyLimit: HISTORY_LIMIT,
    ...secrets,
  };
  let server = await startApiServer(options);
  const store = createKubeStore(loadKubeconfig(kubeconfigOf(server.url, secrets), { readFile: () => '' }), {
    clock: systemClock,
    random: systemRandom,
  });
  return {
    store,
    async compact() {
      const filler = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'filler', namespace: 'default' },
      };
      await store.create(configMaps, filler);
      for (let i = 0; i < 2 * HISTORY_LIMIT; i++)
        await store.patch(configMaps, 'filler', 'merge', { data: { i: `${i}` } }, { namespace: 'default' });
    },
    async outage(state) {
      if (state === 'down') await server.close();
      else server = await startApiServer(options);
    },
    async [Symbol.asyncDispose]() {
      store.close();
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

describeObjectStore('the kubernetes client of the embedded api server', () => open('127.0.0.1'));

describe('the kubernetes client of an embedded api server with TLS and token', async () => {
  const extensions = [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '::1' }] }];
  const made = await generate([{ name: 'commonName', value: 'poplin' }], { extensions } as Parameters<
    typeof generate
  >[1]);
  const secrets = { tls: { cert: made.cert, key: made.private }, token: 'a-token-of-some-length' };

  it('follows over IPv6, across a restart of the server', async () => {
    await using under = await open('::1', secrets);
    const { store } = under;
    const following = startFollow(store, nodes);
    await store.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'a' } });
    await vi.waitFor(() => expect(following.state()).toEqual(['a']));
    await under.outage?.('down');
    await vi.waitFor(() => expect(following.connections()).toEqual(['down']), { timeout: 10_000 });
    await under.outage?.('up');
    await store.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'b' } });
    await vi.waitFor(() => expect(following.state()).toEqual(['a', 'b']), { timeout: 10_000 });
    await following.stop();
  });

  it('is refused without the right token', async () => {
    await using under = await open('::1', secrets);
    expect((await under.store.list(nodes)).items).toEqual([]);
    const { server } = under.store as unknown as { server: string };
    const config = loadKubeconfig(
      kubeconfigOf(`https://${server}`, { ...secrets, token: 'not-this-token-here' }),
      {
        readFile: () => '',
      },
    );
    using stranger = createKubeStore(config, { clock: systemClock, random: systemRandom });
    await expect(stranger.list(nodes)).rejects.toMatchObject({ code: 401, reason: 'Unauthorized' });
  });
});

describe('the kubernetes client', () => {
  it('uses resources as soon as their definition is made', async () => {
    await using under = await open('127.0.0.1');
    const { store } = under;
    const definitions: ResourcePath = {
      group: 'apiextensions.k8s.io',
      version: 'v1',
      plural: 'customresourcedefinitions',
      kind: 'CustomResourceDefinition',
      namespaced: false,
    };
    const widgets: ResourcePath = {
      group: 'test.poplin.example',
      version: 'v1',
      plural: 'widgets',
      kind: 'Widget',
      namespaced: true,
    };
    const missing = await store.list(widgets).catch((error: unknown) => error);
    expect(missing).toMatchObject({ code: 404, reason: 'NotFound' });
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    await store.create(definitions, {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.test.poplin.example' },
      spec: {
        group: widgets.group,
        scope: 'Namespaced',
        names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
        versions: [{ name: 'v1', served: true, storage: true, schema, subresources: { status: {} } }],
      },
    });
    const widget = {
      apiVersion: 'test.poplin.example/v1',
      kind: 'Widget',
      metadata: { name: 'w', namespace: 'default' },
      spec: { size: 1 },
    };
    await vi.waitFor(() => store.create(widgets, widget));
    expect((await store.list(widgets)).items).toMatchObject([widget]);
  });
});

function kubeconfigOf(url: string, secrets?: Secrets): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    clusters: [{ name: 'test', cluster: { server: url, ...(secrets ? authority(secrets) : {}) } }],
    users: [{ name: 'test', user: secrets ? { token: secrets.token } : {} }],
  });
}

function authority({ tls }: Secrets): object {
  return { 'certificate-authority-data': Buffer.from(tls.cert).toString('base64') };
}

async function freePort(host: string): Promise<number> {
  const probe = createServer().listen(0, host);
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}
