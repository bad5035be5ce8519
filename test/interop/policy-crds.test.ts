/** The definitions of policies' kinds: kubectl applies them, what people write is taken, and what is wrong is refused with its field. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments, stringify } from 'yaml';
import { kubeconfigText } from '#app/apiserver/kubeconfig.ts';
import { WHOLE_DOCUMENTS } from '#core/policy/translate/whole-documents.fixture.ts';
import { renderChart } from '../../tools/manifest.ts';
import { POLICY_CRDS, policyCrdsText } from '../../tools/policy-crds.ts';
import { ApiWorld } from './apiserver-world.ts';
import { Kubectl } from './kubectl.ts';

const ROOT = join(import.meta.dirname, '../..');
let world: ApiWorld;
let kubectl: Kubectl;
const [file = ''] = POLICY_CRDS;

beforeAll(async () => {
  world = await ApiWorld.open();
  const kubeconfig = join(world.folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText({ url: world.url }));
  mkdirSync(join(world.folder, 'home'));
  kubectl = new Kubectl(kubeconfig, join(world.folder, 'home'));
  await kubectl.ok(['create', 'namespace', 'shop']);
}, 60_000);
afterAll(() => world[Symbol.asyncDispose]());

const STRICT = ['apply', '--validate=strict', '-f', '-'];
const names = (output: string): string[] =>
  output
    .trim()
    .split('\n')
    .map((line) => line.replace(/^customresourcedefinition\.apiextensions\.k8s\.io\/|\s.*$/g, ''));

describe('the definitions', () => {
  it('are what the tool gives', () => {
    for (const path of POLICY_CRDS) expect(readFileSync(path, 'utf8')).toBe(policyCrdsText());
  });

  it('are taken by the API server without a warning, and a second time without a change', async () => {
    const { code, stdout, stderr } = await kubectl.run(['apply', '--validate=strict', '-f', file]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(names(stdout)).toHaveLength(13);
    expect(await kubectl.ok(['apply', '--validate=strict', '-f', file])).not.toMatch(/created|configured/);
  });

  it('are in the chart where it is asked for them', () => {
    const kindsOf = (text: string) =>
      parseAllDocuments(text).filter((each) => each.get('kind') === 'CustomResourceDefinition');
    expect(kindsOf(renderChart())).toEqual([]);
    const given = kindsOf(renderChart('--set', 'crds=true')).map((each) => each.toJS() as object);
    expect(given).toEqual(parseAllDocuments(policyCrdsText()).map((each) => each.toJS() as object));
  });

  it('explain their fields', async () => {
    const explained = await kubectl.ok(['explain', 'globalnetworkpolicies.spec.egress.destination.http']);
    expect(explained).toContain('Poplin looks at packets');
    expect(await kubectl.ok(['explain', 'clusternetworkpolicies.spec.tier'])).toContain('ENUM');
  });
});

describe('what people write', () => {
  const own = WHOLE_DOCUMENTS.filter(({ apiVersion }) => !apiVersion.startsWith('networking.k8s.io'));

  it.each(own.map((each) => [`${each.apiVersion} ${each.kind}`, each] as const))(
    'is taken whole: %s',
    async (_, document) => {
      await kubectl.ok(STRICT, JSON.stringify(document));
      const { name, namespace } = document.metadata as { name: string; namespace?: string };
      const group = document.apiVersion.replace(/\/.*/, '');
      const where = namespace === undefined ? [] : ['-n', namespace];
      const kept = await kubectl.ok(['get', `${document.kind}.${group}`, name, ...where, '-o', 'json']);
      expect((JSON.parse(kept) as { spec: object }).spec).toEqual(document['spec']);
    },
  );

  const folder = join(ROOT, 'docs/examples/policy');
  const examples = readdirSync(folder)
    .filter((name) => name !== 'expected.yaml')
    .map((name) => [`docs/examples/policy/${name}`, readFileSync(join(folder, name), 'utf8')] as const);
  const documented = [...readFileSync(join(ROOT, 'docs/policy.md'), 'utf8').matchAll(/```yaml\n([^]*?)```/g)];

  it.each([
    ...examples,
    ...documented.map(([, text = ''], index) => [`docs/policy.md, block ${index + 1}`, text] as const),
  ])('is taken as documented: %s', async (_, text) => {
    const documents = parseAllDocuments(text).map(
      (each) => each.toJS() as { metadata: { namespace?: string } },
    );
    for (const { metadata } of documents)
      if (metadata.namespace !== undefined)
        await kubectl.run(['create', 'namespace', metadata.namespace, '--save-config']);
    await kubectl.ok(STRICT, text);
  });

  it('is shown in columns', async () => {
    const tiers = await kubectl.ok(['get', 'tiers']);
    expect(tiers).toMatch(/^NAME +ORDER +DEFAULT +AGE\nweb +10 +Pass /);
    expect(await kubectl.ok(['get', 'cnp'])).toMatch(/^NAME +TIER +PRIORITY +ACCEPTED +AGE\n/);
    expect(await kubectl.ok(['get', 'hep'])).toMatch(
      /^NAME +NODE +INTERFACE +ADDRESSES +AGE\nweb +node-a +eth0 /,
    );
  });
});

describe('what is wrong', () => {
  const calico = (
    kind: string,
    spec: object,
    namespaced = kind.endsWith('NetworkPolicy') && !kind.includes('Global'),
  ) => ({
    apiVersion: 'projectcalico.org/v3',
    kind,
    metadata: { name: 'bad', ...(namespaced && { namespace: 'shop' }) },
    spec,
  });
  const rule = (more: object) => calico('NetworkPolicy', { ingress: [{ action: 'Allow', ...more }] });
  const subject = { namespaces: {} };
  const cluster = (spec: object) => ({
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: 'bad' },
    spec: { tier: 'Admin', priority: 1, subject, ...spec },
  });
  const admin = (kind: string, name: string, spec: object) => ({
    apiVersion: 'policy.networking.k8s.io/v1alpha1',
    kind,
    metadata: { name },
    spec: { subject, ...spec },
  });
  const to = (peer: object) => cluster({ egress: [{ action: 'Accept', to: [peer] }] });
  const from = { from: [subject] };

  it.each<[string, object]>([
    ['spec.ingress[0].action', calico('NetworkPolicy', { ingress: [{ action: 'allow' }] })],
    ['spec.ingress[0].action', calico('GlobalNetworkPolicy', { ingress: [{ protocol: 'TCP' }] })],
    ['spec.ingress[0].protocol', rule({ protocol: 'HTTP' })],
    ['spec.ingress[0].protocol', rule({ protocol: 256 })],
    ['spec.ingress[0].ipVersion', rule({ ipVersion: 5 })],
    ['spec.ingress[0].icmp.type', rule({ protocol: 'ICMP', icmp: { type: 255 } })],
    ['spec.ingress[0].source.nets[1]', rule({ source: { nets: ['10.0.0.0/8', 'ten'] } })],
    ['spec.ingress[0].source.net', rule({ source: { net: ['10.0.0.0/8'] } })],
    ['spec.ingress[0].destination.ports[0]', rule({ protocol: 'TCP', destination: { ports: [70_000] } })],
    ['spec.ingress[0].destination.ports[0]', rule({ protocol: 'TCP', destination: { ports: ['80-90'] } })],
    ['spec.ingress[0].http', rule({ http: { methods: ['GET'] } })],
    ['spec.types[0]', calico('GlobalNetworkPolicy', { types: ['ingress'] })],
    ['spec.order', calico('NetworkPolicy', { order: 'first' })],
    ['spec.stagedAction', calico('StagedNetworkPolicy', { stagedAction: 'Try' })],
    [
      'spec.podSelector.matchExpressions[0].operator',
      calico('StagedKubernetesNetworkPolicy', {
        podSelector: { matchExpressions: [{ key: 'a', operator: 'Is' }] },
      }),
    ],
    ['spec.ingress[0].from[0]', calico('StagedKubernetesNetworkPolicy', { ingress: [{ from: [{}] }] })],
    [
      'spec.ingress[0].from[0].ipBlock.cidr',
      calico('StagedKubernetesNetworkPolicy', { ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.1' } }] }] }),
    ],
    ['spec.defaultAction', calico('Tier', { defaultAction: 'Allow' })],
    ['spec.nets[0]', calico('GlobalNetworkSet', { nets: ['example.com'] })],
    ['spec.node', calico('HostEndpoint', { interfaceName: 'eth0' })],
    ['spec', calico('HostEndpoint', { node: 'a' })],
    ['spec.expectedIPs[0]', calico('HostEndpoint', { node: 'a', expectedIPs: ['10.0.0.0/8'] })],
    [
      'spec.ports[0].protocol',
      calico('HostEndpoint', { node: 'a', interfaceName: '*', ports: [{ name: 'a', port: 1 }] }),
    ],
    ['spec.tier', cluster({ tier: 'admin' })],
    ['spec.priority', cluster({ priority: 1001 })],
    ['spec.subject', cluster({ subject: {} })],
    ['spec.subject', cluster({ subject: { namespaces: {}, pods: { podSelector: {} } } })],
    ['spec.subject.pods.podSelector', cluster({ subject: { pods: { namespaceSelector: {} } } })],
    [
      'spec.subject.namespaces.matchLabels.a',
      cluster({ subject: { namespaces: { matchLabels: { a: 'x y' } } } }),
    ],
    ['spec.ingress[0].action', cluster({ ingress: [{ action: 'Allow', ...from }] })],
    ['spec.ingress[0].from', cluster({ ingress: [{ action: 'Deny' }] })],
    ['spec.ingress[0].from', cluster({ ingress: [{ action: 'Deny', from: [] }] })],
    ['spec.ingress[0].from[0]', cluster({ ingress: [{ action: 'Deny', from: [{}] }] })],
    [
      'spec.ingress[0].ports',
      cluster({ ingress: [{ action: 'Deny', ...from, ports: [{ portNumber: { port: 1 } }] }] }),
    ],
    [
      'spec.ingress[0].protocols[0].tcp.destinationPort',
      cluster({
        ingress: [
          {
            action: 'Deny',
            ...from,
            protocols: [{ tcp: { destinationPort: { number: 1, range: { start: 1, end: 2 } } } }],
          },
        ],
      }),
    ],
    ['spec.egress[0].to[0].networks[0]', to({ networks: ['10.0.0.1'] })],
    ['spec.egress[0].to[0].domainNames[0]', to({ domainNames: ['*'] })],
    ['spec.egress[0].to[0]', to({ nodes: {}, namespaces: {} })],
    ['spec.priority', admin('AdminNetworkPolicy', 'bad', {})],
    [
      'spec.ingress[0].action',
      admin('AdminNetworkPolicy', 'bad', { priority: 1, ingress: [{ action: 'Accept', ...from }] }),
    ],
    [
      'spec.ingress[0].ports[0].portRange.end',
      admin('AdminNetworkPolicy', 'bad', {
        priority: 1,
        ingress: [{ action: 'Deny', ...from, ports: [{ portRange: { start: 1 } }] }],
      }),
    ],
    ['metadata.name', admin('BaselineAdminNetworkPolicy', 'other', {})],
    [
      'spec.ingress[0].action',
      admin('BaselineAdminNetworkPolicy', 'default', { ingress: [{ action: 'Pass', ...from }] }),
    ],
  ])('is refused with the field %s named (%#)', async (field, document) => {
    const complaint = await kubectl.refused(STRICT, stringify(document));
    expect(complaint).toMatch(new RegExp(`(?:^|[\\s"])${field.replaceAll(/[[\].]/g, '\\$&')}[\\s":]`, 'm'));
  });
});
