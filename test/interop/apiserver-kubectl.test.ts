/** The real kubectl does its daily work against the embedded API server. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { kubeconfigText } from '#app/apiserver/kubeconfig.ts';
import { DEFINITION, NODE, pod } from './apiserver-manifests.ts';
import { ApiWorld } from './apiserver-world.ts';
import { Kubectl } from './kubectl.ts';

let world: ApiWorld;
let kubectl: Kubectl;

beforeAll(async () => {
  world = await ApiWorld.open();
  const kubeconfig = join(world.folder, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigText({ url: world.url }));
  await mkdir(join(world.folder, 'home'));
  kubectl = new Kubectl(kubeconfig, join(world.folder, 'home'));
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const rows = (text: string) =>
  text
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/ {2,}/));

describe('kubectl', () => {
  it('knows the server and its resources', async () => {
    expect(await kubectl.ok(['version'])).toContain('Server Version: v1.35');
    const names = (await kubectl.ok(['api-resources', '--no-headers', '-o', 'name'])).trim().split('\n');
    expect(names).toEqual(
      expect.arrayContaining(['pods', 'nodes', 'namespaces', 'configmaps', 'leases.coordination.k8s.io']),
    );
    expect(await kubectl.ok(['explain', 'pod.spec.containers.ports'])).toContain('containerPort');
  });

  it('applies, applies again without a change, and applies a change', async () => {
    expect(await kubectl.ok(['apply', '-f', '-'], pod('web'))).toBe('pod/web created\n');
    expect(await kubectl.ok(['apply', '-f', '-'], pod('web'))).toBe('pod/web unchanged\n');
    expect(await kubectl.ok(['apply', '-f', '-'], pod('web', 'web:2'))).toBe('pod/web configured\n');
    expect(await kubectl.ok(['get', 'pod', 'web', '-o', 'jsonpath={.spec.containers[0].image}'])).toBe(
      'web:2',
    );
    expect(await kubectl.ok(['diff', '-f', '-'], pod('web', 'web:2'))).toBe('');
  });

  it('prints the columns people know', async () => {
    await kubectl.ok(['apply', '-f', '-'], NODE);
    const [header, node] = rows(await kubectl.ok(['get', 'nodes', '-o', 'wide']));
    expect(header).toEqual([
      'NAME',
      'STATUS',
      'ROLES',
      'AGE',
      'VERSION',
      'INTERNAL-IP',
      'EXTERNAL-IP',
      'OS-IMAGE',
      'KERNEL-VERSION',
      'CONTAINER-RUNTIME',
    ]);
    expect(node).toEqual([
      'n1',
      'Ready',
      'worker',
      expect.any(String),
      'v1.35.0',
      '192.0.2.1',
      '<none>',
      'Linux',
      '6.1',
      'none',
    ]);
    const status = {
      status: { phase: 'Running', podIP: '10.1.0.2', podIPs: [{ ip: '10.1.0.2' }, { ip: 'fd00:1::2' }] },
    };
    await kubectl.ok([
      'patch',
      'pod',
      'web',
      '--subresource',
      'status',
      '--type',
      'merge',
      '-p',
      JSON.stringify(status),
    ]);
    const [names, web] = rows(await kubectl.ok(['get', 'pods', '-o', 'wide']));
    expect(names).toEqual([
      'NAME',
      'READY',
      'STATUS',
      'RESTARTS',
      'AGE',
      'IP',
      'NODE',
      'NOMINATED NODE',
      'READINESS GATES',
    ]);
    expect(web).toEqual([
      'web',
      '0/1',
      'Running',
      '0',
      expect.any(String),
      '10.1.0.2',
      '<none>',
      '<none>',
      '<none>',
    ]);
  });

  it('describes a pod and a node, events included', async () => {
    const uid = await kubectl.ok(['get', 'pod', 'web', '-o', 'jsonpath={.metadata.uid}']);
    await kubectl.ok(
      ['create', '-f', '-'],
      `
apiVersion: v1
kind: Event
metadata: {name: web.1, namespace: default}
involvedObject: {apiVersion: v1, kind: Pod, name: web, namespace: default, uid: ${uid}}
reason: Attached
message: the pod has an address
type: Normal
`,
    );
    const text = await kubectl.ok(['describe', 'pod', 'web']);
    expect(text).toMatch(/Status: +Running/);
    expect(text).toContain('fd00:1::2');
    expect(text).toContain('the pod has an address');
    expect(await kubectl.ok(['get', 'events'])).toContain('pod/web');
    expect(await kubectl.ok(['describe', 'node', 'n1'])).toMatch(/PodCIDRs: +10.1.0.0\/24,fd00:1::\/64/);
  });

  it('patches in all three ways, labels, annotates, cordons and taints', async () => {
    await kubectl.ok(['patch', 'pod', 'web', '-p', '{"spec":{"containers":[{"name":"c","image":"web:3"}]}}']);
    await kubectl.ok([
      'patch',
      'pod',
      'web',
      '--type',
      'merge',
      '-p',
      '{"metadata":{"labels":{"tier":"front"}}}',
    ]);
    await kubectl.ok([
      'patch',
      'pod',
      'web',
      '--type',
      'json',
      '-p',
      '[{"op":"test","path":"/metadata/labels/tier","value":"front"},{"op":"remove","path":"/metadata/labels/tier"}]',
    ]);
    const refusal = await kubectl.refused([
      'patch',
      'pod',
      'web',
      '--type',
      'json',
      '-p',
      '[{"op":"test","path":"/metadata/labels/app","value":"db"}]',
    ]);
    expect(refusal).toContain('test /metadata/labels/app: found "web", expected "db"');
    await kubectl.ok(['label', 'pod', 'web', 'zone=a']);
    await kubectl.ok(['annotate', 'pod', 'web', 'example.com/note=hello']);
    const web = JSON.parse(await kubectl.ok(['get', 'pod', 'web', '-o', 'json'])) as {
      metadata: { labels: unknown; annotations: Record<string, string> };
      spec: { containers: { image: string; ports: unknown[] }[] };
    };
    expect(web.metadata.labels).toEqual({ app: 'web', zone: 'a' });
    expect(web.metadata.annotations['example.com/note']).toBe('hello');
    expect(web.spec.containers).toMatchObject([{ image: 'web:3', ports: [{ containerPort: 80 }] }]);
    await kubectl.ok(['cordon', 'n1']);
    await kubectl.ok(['taint', 'node', 'n1', 'dedicated=net:NoSchedule']);
    expect(await kubectl.ok(['get', 'nodes', '--field-selector', 'spec.unschedulable=true'])).toContain(
      'Ready,SchedulingDisabled',
    );
    await kubectl.ok(['uncordon', 'n1']);
  });

  it('refuses a stale update, with the words people know', async () => {
    const stale = await kubectl.ok(['get', 'pod', 'web', '-o', 'json']);
    await kubectl.ok(['label', 'pod', 'web', 'zone=b', '--overwrite']);
    const refusal = await kubectl.refused(['replace', '-f', '-'], stale);
    expect(refusal).toContain(
      'the object has been modified; please apply your changes to the latest version and try again',
    );
    expect(await kubectl.ok(['get', 'pod', 'web', '-o', 'jsonpath={.metadata.labels.zone}'])).toBe('b');
  });

  it('creates what Go clients write as protobuf', async () => {
    await kubectl.ok(['create', 'namespace', 'team']);
    await kubectl.ok(['create', 'configmap', 'settings', '-n', 'team', '--from-literal=mode=fast']);
    await kubectl.ok(['create', 'secret', 'generic', 'key', '-n', 'team', '--from-literal=token=s3cret']);
    await kubectl.ok(['create', 'service', 'clusterip', 'web', '-n', 'team', '--tcp=80:8080']);
    await kubectl.ok(['create', 'serviceaccount', 'agent', '-n', 'team']);
    expect(await kubectl.ok(['get', 'cm', 'settings', '-n', 'team', '-o', 'jsonpath={.data}'])).toBe(
      '{"mode":"fast"}',
    );
    expect(await kubectl.ok(['get', 'secret', 'key', '-n', 'team', '-o', 'jsonpath={.data.token}'])).toBe(
      'czNjcmV0',
    );
    expect(
      await kubectl.ok(['get', 'svc', 'web', '-n', 'team', '-o', 'jsonpath={.spec.ports[0].targetPort}']),
    ).toBe('8080');
  });

  it('selects by labels and by fields', async () => {
    await kubectl.ok(
      ['apply', '-f', '-'],
      `${pod('db', 'db:1', 'app: db')}---${pod('cache', 'cache:1', 'app: cache')}`,
    );
    const names = async (...args: string[]) =>
      (await kubectl.ok(['get', 'pods', '-o', 'name', ...args])).trim().split('\n').toSorted();
    expect(await names('-l', 'app in (db,cache)')).toEqual(['pod/cache', 'pod/db']);
    expect(await names('-l', 'app!=db,app')).toEqual(['pod/cache', 'pod/web']);
    expect(await names('-l', '!zone')).toEqual(['pod/cache', 'pod/db']);
    expect(await names('--field-selector', 'status.phase!=Running')).toEqual(['pod/cache', 'pod/db']);
    expect(await names('--field-selector', 'metadata.name=web')).toEqual(['pod/web']);
    const refusal = await kubectl.refused(['get', 'pods', '--field-selector', 'spec.color=red']);
    expect(refusal).toContain('field label not supported: spec.color');
    expect((await names('--chunk-size', '1')).length).toBe(3);
  });

  it('watches what happens', async () => {
    const watch = kubectl.start(['get', 'pods', '-w', '-l', 'app=late', '--output-watch-events']);
    try {
      await kubectl.ok(['apply', '-f', '-'], pod('late', 'late:1', 'app: late'));
      await vi.waitFor(() => expect(watch.output()).toMatch(/ADDED +late/), { timeout: 10_000 });
      await kubectl.ok(['label', 'pod', 'late', 'app=gone', '--overwrite']);
      await vi.waitFor(() => expect(watch.output()).toMatch(/DELETED +late/), { timeout: 10_000 });
    } finally {
      await watch.stop();
    }
  });

  it('is told of unknown and invalid fields by name', async () => {
    const typo = pod('bad').replace('image:', 'imagee:');
    expect(await kubectl.refused(['apply', '-f', '-'], typo)).toContain(
      'unknown field "spec.containers[0].imagee"',
    );
    const warned = await kubectl.run(['apply', '--validate=warn', '-f', '-'], typo);
    expect(warned.stderr).toContain('Warning: unknown field "spec.containers[0].imagee"');
    expect(warned.stderr).toContain('spec.containers[0].image: Required value');
    const name = await kubectl.refused(['create', 'configmap', 'Bad_Name']);
    expect(name).toContain('a lowercase RFC 1123 subdomain must consist of');
  });

  it('is told what to use instead of server-side apply', async () => {
    expect(await kubectl.refused(['apply', '--server-side', '-f', '-'], pod('web'))).toContain(
      '--server-side=false',
    );
  });

  it('defines a resource, uses it and takes it away', async () => {
    await kubectl.ok(['apply', '-f', '-'], DEFINITION);
    await kubectl.ok([
      'wait',
      '--for',
      'condition=established',
      'crd/pools.net.example.com',
      '--timeout=10s',
    ]);
    await kubectl.ok(
      ['apply', '-f', '-'],
      'apiVersion: net.example.com/v1\nkind: Pool\nmetadata: {name: p}\nspec: {cidr: 10.0.0.0/8}\n',
    );
    await kubectl.ok([
      'patch',
      'pool',
      'p',
      '--subresource',
      'status',
      '--type',
      'merge',
      '-p',
      '{"status":{"used":3}}',
    ]);
    const [header, row] = rows(await kubectl.ok(['get', 'pl', '-o', 'wide']));
    expect(header).toEqual(['NAME', 'CIDR', 'USED', 'AGE']);
    expect(row).toEqual(['p', '10.0.0.0/8', '3', expect.any(String)]);
    const refusal = await kubectl.refused([
      'patch',
      'pool',
      'p',
      '--type',
      'merge',
      '-p',
      '{"spec":{"size":100,"cidr":5}}',
    ]);
    expect(refusal).toContain(
      'spec.size: Invalid value: 100: spec.size in body should be less than or equal to 64',
    );
    expect(refusal).toContain('spec.cidr: Invalid value: 5: spec.cidr in body must be of type string');
    const old = await kubectl.run([
      'get',
      'pools.v1alpha1.net.example.com',
      'p',
      '-o',
      'jsonpath={.apiVersion} {.spec.size}',
    ]);
    expect(old.stdout).toBe('net.example.com/v1alpha1 26');
    expect(old.stderr).toContain('deprecated');
    expect(await kubectl.ok(['explain', 'pool.spec'])).toContain('The prefix.');
    await kubectl.ok(['delete', 'crd', 'pools.net.example.com']);
    expect(await kubectl.refused(['get', 'pools'])).toMatch(/could not find|doesn't have a resource type/);
  });

  it('deletes objects, collections and namespaces with what is in them', async () => {
    expect(await kubectl.ok(['delete', 'pod', 'web'])).toContain('deleted');
    expect(await kubectl.refused(['get', 'pod', 'web'])).toContain('pods "web" not found');
    await kubectl.ok(['delete', 'pods', '--all']);
    expect(await kubectl.ok(['get', 'pods', '-o', 'name'])).toBe('');
    await kubectl.ok(['delete', 'namespace', 'team']);
    expect(await kubectl.refused(['get', 'namespace', 'team'])).toContain('namespaces "team" not found');
    expect(await kubectl.ok(['get', 'cm', '-n', 'team', '-o', 'name'])).toBe('');
    expect(await kubectl.refused(['delete', 'namespace', 'default'])).toContain('may not be deleted');
  });

  it('holds an object back for its finalizer', async () => {
    await kubectl.ok(['create', 'configmap', 'held']);
    await kubectl.ok([
      'patch',
      'cm',
      'held',
      '--type',
      'merge',
      '-p',
      '{"metadata":{"finalizers":["example.com/hold"]}}',
    ]);
    await kubectl.ok(['delete', 'cm', 'held', '--wait=false']);
    expect(await kubectl.ok(['get', 'cm', 'held', '-o', 'jsonpath={.metadata.deletionTimestamp}'])).not.toBe(
      '',
    );
    await kubectl.ok([
      'patch',
      'cm',
      'held',
      '--type',
      'json',
      '-p',
      '[{"op":"remove","path":"/metadata/finalizers"}]',
    ]);
    expect(await kubectl.refused(['get', 'cm', 'held'])).toContain('not found');
  });
});
