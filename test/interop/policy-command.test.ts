/** `poplin policy` against an API server: objects applied by kubectl, Calico's kinds not there. */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kubeconfigText } from '#app/apiserver/kubeconfig.ts';
import { ApiWorld } from './apiserver-world.ts';
import { Kubectl } from './kubectl.ts';

const ROOT = join(import.meta.dirname, '../..');
let world: ApiWorld;
let kubectl: Kubectl;
let kubeconfig: string;

beforeAll(async () => {
  world = await ApiWorld.open();
  kubeconfig = join(world.folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText({ url: world.url }));
  mkdirSync(join(world.folder, 'home'));
  kubectl = new Kubectl(kubeconfig, join(world.folder, 'home'));
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly verdicts: readonly {
    readonly flow: { readonly source: string };
    readonly verdict: { readonly action: string };
  }[];
}

const execute = promisify(execFile);

async function explain(source: string, destination: string): Promise<Answer> {
  const args = [join(ROOT, 'dist/poplin.mjs'), 'policy', 'explain', source, destination, '--json'];
  try {
    const { stdout } = await execute(process.execPath, [...args, '--kubeconfig', kubeconfig]);
    return { status: 0, verdicts: JSON.parse(stdout) as Answer['verdicts'] };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { status: code, verdicts: JSON.parse(stdout) as Answer['verdicts'] };
  }
}

const pod = (name: string, app: string, ips: readonly string[]) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels: { app } },
  spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'none' }] },
  status: { phase: 'Running', podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) },
});

it('explains flows of a live cluster, before and after a policy is applied', async () => {
  await kubectl.ok(['create', 'namespace', 'shop']);
  for (const each of [
    pod('web', 'web', ['10.1.1.2', 'fd01:1::2']),
    pod('db', 'db', ['10.1.2.2', 'fd01:2::2']),
  ]) {
    const { status, ...object } = each;
    await kubectl.ok(['apply', '-f', '-'], JSON.stringify(object));
    expect(
      (await world.patch(`/api/v1/namespaces/shop/pods/${object.metadata.name}/status`, 'merge', { status }))
        .code,
    ).toBe(200);
  }
  expect(await explain('shop/web', 'shop/db:5432')).toMatchObject({
    status: 0,
    verdicts: [{ verdict: { action: 'allow' } }, { verdict: { action: 'allow' } }],
  });
  const policy = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'db', namespace: 'shop' },
    spec: {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 5432 }] }],
    },
  };
  await kubectl.ok(['apply', '--validate=strict', '-f', '-'], JSON.stringify(policy));
  expect((await explain('shop/web', 'shop/db:5432')).status).toBe(0);
  const denied = await explain('shop/web', 'shop/db:22');
  expect(denied.status).toBe(1);
  expect(denied.verdicts.map(({ flow, verdict }) => [flow.source, verdict.action])).toEqual([
    ['10.1.1.2', 'deny'],
    ['fd01:1::2', 'deny'],
  ]);
});
