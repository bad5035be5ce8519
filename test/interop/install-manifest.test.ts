/** The manifest and the chart of deploy/: helm renders them, kubectl applies them with the server checking every field. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kubeconfigText } from '#app/apiserver/kubeconfig.ts';
import { validateNetwork } from '#core/cni/index.ts';
import { parseNetConf } from '#core/lease/index.ts';
import { MANIFEST, manifestText, renderChart } from '../../tools/manifest.ts';
import { ApiWorld } from './apiserver-world.ts';
import { Kubectl } from './kubectl.ts';

let world: ApiWorld;
let kubectl: Kubectl;
let manifest: string;

beforeAll(async () => {
  world = await ApiWorld.open();
  const kubeconfig = join(world.folder, 'kubeconfig');
  await writeFile(kubeconfig, kubeconfigText({ url: world.url }));
  await mkdir(join(world.folder, 'home'));
  kubectl = new Kubectl(kubeconfig, join(world.folder, 'home'));
  manifest = await readFile(MANIFEST, 'utf8');
}, 60_000);

afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

const UDP_DOCUMENT = join(import.meta.dirname, '../../docs/udp.md');

interface Container {
  readonly securityContext: { readonly capabilities: { add: string[] } };
  readonly volumeMounts: object[];
}
interface PodSpec {
  readonly containers: readonly Container[];
  readonly volumes: { readonly name: string }[];
}
const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1);

function daemonSetOf(document: ReturnType<typeof parseAllDocuments>[number]): PodSpec | undefined {
  const object = document.toJS() as { kind: string; spec: { template: { spec: PodSpec } } };
  return object.kind === 'DaemonSet' ? object.spec.template.spec : undefined;
}

const apply = (text: string) => kubectl.ok(['apply', '--validate=strict', '-f', '-'], text);

const OBJECTS = [
  'namespace/poplin-system',
  'serviceaccount/poplin',
  'configmap/poplin-config',
  'clusterrole.rbac.authorization.k8s.io/poplin',
  'clusterrolebinding.rbac.authorization.k8s.io/poplin',
  'role.rbac.authorization.k8s.io/poplin',
  'rolebinding.rbac.authorization.k8s.io/poplin',
  'daemonset.apps/poplin',
];

describe('the manifest', () => {
  it('is what the chart gives by default', () => {
    expect(manifest).toBe(manifestText());
  });

  it('is taken by the API server, and a second time without a change', async () => {
    const created = (await apply(manifest)).trim().split('\n');
    expect(created).toEqual(OBJECTS.map((name) => `${name} created`));
    expect((await apply(manifest)).trim().split('\n')).toEqual(OBJECTS.map((name) => `${name} unchanged`));
    expect(await kubectl.ok(['-n', 'poplin-system', 'get', 'daemonset'])).toMatch(/^NAME +DESIRED +CURRENT/);
    expect(await kubectl.ok(['explain', 'daemonset.spec.updateStrategy'])).toContain('rollingUpdate');
  });

  it('outlives the server', async () => {
    await world.stop();
    await world.start();
    const kubeconfig = join(world.folder, 'kubeconfig');
    await writeFile(kubeconfig, kubeconfigText({ url: world.url }));
    expect((await apply(manifest)).trim().split('\n')).toEqual(OBJECTS.map((name) => `${name} unchanged`));
  });

  it('becomes what the chart gives for udp by the edit that docs/udp.md tells', async () => {
    const wanted = parseAllDocuments(renderChart('--set', 'tunDevice=true')).map(daemonSetOf).find(Boolean);
    const given = parseAllDocuments(manifest).map(daemonSetOf).find(Boolean);
    const [, told = ''] = /```yaml\n([^]*?)```/.exec(await readFile(UDP_DOCUMENT, 'utf8')) ?? [];
    const [container = '', volumes = ''] = told.split(/^ {6}volumes:\n/m);
    const edit = parseAllDocuments(container)[0]?.toJS() as Container;
    const agent = given?.containers[0];
    if (given === undefined || agent === undefined) throw new Error('no DaemonSet');
    agent.securityContext.capabilities.add = edit.securityContext.capabilities.add;
    agent.volumeMounts.push(...edit.volumeMounts);
    given.volumes.push(...(parseAllDocuments(volumes)[0]?.toJS() as PodSpec['volumes']));
    const sorted = (spec: PodSpec | undefined) => spec && { ...spec, volumes: spec.volumes.toSorted(byName) };
    expect(sorted(given)).toEqual(sorted(wanted));
  });

  it('carries configurations that Poplin itself finds right', async () => {
    const { stdout } = await kubectl.run(['-n', 'poplin-system', 'get', 'cm', 'poplin-config', '-o', 'json']);
    const { data } = JSON.parse(stdout) as { data: Record<string, string> };
    expect(parseNetConf(data['net-conf.json'] ?? '', 'net-conf.json')).toMatchObject({
      ok: true,
      warnings: [],
    });
    expect(validateNetwork(data['cni-conf.json'] ?? '', 'cni-conf.json').problems).toEqual([]);
  });

  it.each<[string, string, string, string]>([
    [
      'a misspelt field of the DaemonSet',
      'hostNetwork: true',
      'hostNetwrok: true',
      'spec.template.spec.hostNetwrok',
    ],
    ['a misspelt probe', 'livenessProbe:', 'livenesProbe:', 'spec.template.spec.containers[0].livenesProbe'],
    ['a port that is a word', '    failureThreshold: 6', '    failureThreshold: six', 'failureThreshold'],
    ['a strategy that nobody knows', 'type: RollingUpdate', 'type: Rolling', 'spec.updateStrategy.type'],
    [
      'labels that do not match',
      'matchLabels:\n      app.kubernetes.io/name: poplin',
      'matchLabels:\n      app.kubernetes.io/name: other',
      'spec.template.metadata.labels',
    ],
    [
      'a mount without a volume',
      '- name: netns\n          hostPath',
      '- name: nets\n          hostPath',
      'spec.template.spec.containers[0].volumeMounts[2].name',
    ],
    [
      'a misspelt field of a role',
      'resourceNames: [poplin-config]',
      'resourceName: [poplin-config]',
      'rules[1].resourceName',
    ],
    ['verbs that are a word', 'verbs: [get]', 'verbs: get', 'rules[1].verbs'],
    [
      'a subject of another kind',
      'kind: ServiceAccount\n    name',
      'kind: Robot\n    name',
      'subjects[0].kind',
    ],
  ])('is refused with the field named: %s', async (_, right, wrong, field) => {
    expect(manifest).toContain(right);
    expect(
      await kubectl.refused(['apply', '--validate=strict', '-f', '-'], manifest.replace(right, wrong)),
    ).toContain(field);
  });
});

describe('the chart', () => {
  it('takes the subnets of Node objects and leaves the CNI configuration alone, as beside flannel', async () => {
    const text = renderChart('--set', 'registry=nodes', '--set', 'cni.install=false');
    await apply(text);
    expect(text).toMatch(/- --node-pod-cidrs\n +- --net-conf=\/etc\/poplin\/net-conf.json/);
    expect(text).not.toContain('initContainers');
    expect(text).not.toContain('kind: Role\n');
  });

  it('takes leases from etcd with the certificate and the password of Secrets, and asks for nothing of the API server', async () => {
    const text = renderChart(
      ...['--set', 'registry=etcd', '--set', 'etcd.endpoints=https://192.0.2.1:2379'],
      ...['--set', 'etcd.tlsSecret=etcd', '--set', 'etcd.clientCertificate=true'],
      ...['--set', 'etcd.passwordSecret=etcd-user'],
    );
    await apply(text);
    for (const part of [
      '- --etcd-endpoints=https://192.0.2.1:2379',
      '- --etcd-prefix=/coreos.com/network',
      '- --etcd-certfile=/etc/poplin-etcd/tls.crt',
      '- --etcd-username=$(ETCD_USERNAME)',
      'secretName: etcd',
      'automountServiceAccountToken: false',
    ])
      expect(text).toContain(part);
    expect(text).not.toContain('rbac.authorization');
  });

  it('is applied with other values, which reach their places', async () => {
    const text = renderChart(
      ...['--set', 'createNamespace=false', '--set', 'image.repository=registry.example/poplin'],
      ...['--set-string', 'image.tag=9', '--set', 'network.Backend.Type=udp', '--set', 'tunDevice=true'],
      ...['--set', 'network.EnableIPv6=true', '--set', 'network.IPv6Network=fd00:10::/48'],
      ...['--set', 'apiServer.host=192.0.2.1', '--set', 'apiServer.port=6443', '--set', 'ipMasq=false'],
      ...['--set', 'extraArgs[0]=--iface=eth1', '--set', 'imagePullSecrets[0].name=pull'],
    );
    await apply(text);
    const objects = parseAllDocuments(text).map(
      (document) => document.toJS() as { kind: string; data?: Record<string, string> },
    );
    expect(objects.map(({ kind }) => kind)).not.toContain('Namespace');
    for (const part of [
      'registry.example/poplin:9',
      '/dev/net/tun',
      'SETPCAP',
      '"192.0.2.1"',
      '- --iface=eth1',
      '- name: pull',
    ]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain('--ip-masq');
    const netConf = objects.find(({ kind }) => kind === 'ConfigMap')?.data?.['net-conf.json'] ?? '';
    expect(parseNetConf(netConf, 'net-conf.json')).toMatchObject({
      ok: true,
      value: { backend: { type: 'udp' } },
    });
  });

  it('leaves policies to others where they are off, and then reads nothing of them', async () => {
    const text = renderChart('--set', 'policies=false');
    await apply(text);
    expect(text).toContain('- --no-policies\n');
    expect(text).not.toContain('networkpolicies');
    for (const registry of [
      ['registry=leases'],
      ['registry=nodes'],
      ['registry=etcd', 'etcd.endpoints=http://a'],
    ])
      expect(renderChart(...registry.flatMap((value) => ['--set', value]))).not.toContain('--no-policies');
  });

  it('makes the namespaces and the roles of further networks', async () => {
    const made = (await apply(renderChart('--set', 'networks={second,third}'))).split('\n');
    for (const kind of ['namespace/poplin-system-second', 'namespace/poplin-system-third'])
      expect(made).toContain(`${kind} created`);
    const roles = await kubectl.ok(['get', 'roles,rolebindings', '-A', '-o', 'name']);
    expect(roles.trim().split('\n').toSorted()).toEqual([
      ...Array.from({ length: 3 }, () => 'role.rbac.authorization.k8s.io/poplin'),
      ...Array.from({ length: 3 }, () => 'rolebinding.rbac.authorization.k8s.io/poplin'),
    ]);
  });

  it.each<[string[], string]>([
    [['--set', 'networks={Second}'], 'networks'],
    [['--set', 'networks={default}'], 'networks'],
    [['--set', 'networks={second}', '--set', 'registry=nodes'], 'only where registry is leases'],
    [['--set', 'policies=some'], 'policies'],
    [['--set', 'registry=etcd'], 'registry: etcd and etcd.endpoints go together'],
    [['--set', 'etcd.endpoints=https://192.0.2.1:2379'], 'registry: etcd and etcd.endpoints go together'],
    [['--set', 'registry=consul'], 'registry'],
    [['--set', 'imgae.tag=1'], 'imgae'],
    [['--set', 'health.port=0'], 'port'],
    [['--set', 'cni.binDir=opt'], 'binDir'],
    [['--set', 'apiServer.host=192.0.2.1'], 'apiServer.host and apiServer.port go together'],
  ])('refuses the values %j: %s', (options, message) => {
    expect(() => renderChart(...options)).toThrow(message);
  });
});
