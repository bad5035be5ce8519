/** What an agent says of policies that cannot be used, as kubectl shows it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KernelLoop } from '#app/agent/kernel-loop.ts';
import { PolicyKeeper } from '#app/agent/policy/index.ts';
import { kubeconfigText } from '#app/apiserver/kubeconfig.ts';
import { systemClock } from '#io/clock/index.ts';
import { createKubeStore } from '#io/kube/index.ts';
import { FakeKernel } from '#testing/fake-kernel/index.ts';
import { POLICY_CRDS } from '../../tools/policy-crds.ts';
import { until } from '../e2e/agent-world.ts';
import { ApiWorld } from './apiserver-world.ts';
import { Kubectl } from './kubectl.ts';

let world: ApiWorld;
let kubectl: Kubectl;
const ended = new AbortController();
const resources = new AsyncDisposableStack();

beforeAll(async () => {
  world = await ApiWorld.open();
  const kubeconfig = join(world.folder, 'kubeconfig');
  writeFileSync(kubeconfig, kubeconfigText({ url: world.url }));
  mkdirSync(join(world.folder, 'home'));
  kubectl = new Kubectl(kubeconfig, join(world.folder, 'home'));
  await kubectl.ok(['apply', '-f', POLICY_CRDS[0] ?? '']);
  await startKeeper('one');
  await startKeeper('other');
}, 60_000);
afterAll(async () => {
  ended.abort();
  await resources.disposeAsync();
  await world[Symbol.asyncDispose]();
});

/** Policy of an agent, in a kernel that is none. */
async function startKeeper(node: string): Promise<void> {
  const base = { clock: systemClock, random: () => 0.01, logger: pino({ level: 'silent' }) };
  const store = resources.use(createKubeStore({ server: world.url, source: 'test' }, base));
  const loop = resources.use(new KernelLoop({ ...base, kernel: new FakeKernel(), owners: [] }));
  mkdirSync(join(world.folder, node));
  const keeper = resources.use(
    new PolicyKeeper({
      ...base,
      ...{ node, store, loop, bridge: 'netfilter', signal: ended.signal },
      journalFile: join(world.folder, node, 'policy'),
    }),
  );
  await keeper.start();
}

const apply = (object: object) => kubectl.ok(['apply', '-f', '-'], JSON.stringify(object));
/** What kubectl says once it says this. */
const shown = (args: readonly string[], pattern: RegExp): Promise<string> =>
  until(`kubectl ${args.join(' ')}: ${pattern}`, async () => {
    const output = await kubectl.ok(args);
    return pattern.test(output) && output;
  });

it('kubectl describe shows what is wrong with a policy', async () => {
  await apply({
    apiVersion: 'projectcalico.org/v3',
    kind: 'GlobalNetworkPolicy',
    metadata: { name: 'edge' },
    spec: { selector: 'app == web', types: ['Egress'] },
  });
  const text = await shown(['describe', 'globalnetworkpolicy', 'edge'], /InvalidPolicy/);
  expect(text).toMatch(
    /Warning +InvalidPolicy +\S+ .*poplin.* +spec\.selector: .*a text in quotes is expected/,
  );
  const events = await kubectl.ok(['get', 'events', '-A', '-o', 'name']);
  expect(events.trim().split('\n')).toHaveLength(1);
});

it('kubectl get shows whether a ClusterNetworkPolicy is used, and describe why not', async () => {
  const policy = (end: number) => ({
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: 'edge' },
    spec: {
      ...{ tier: 'Admin', priority: 1, subject: { namespaces: {} } },
      ingress: [
        {
          action: 'Deny',
          from: [{ namespaces: {} }],
          protocols: [{ tcp: { destinationPort: { range: { start: 90, end } } } }],
        },
      ],
    },
  });
  await apply(policy(99));
  await shown(['get', 'clusternetworkpolicy', 'edge'], /^edge +Admin +1 +True /m);
  await apply(policy(80));
  await shown(['get', 'clusternetworkpolicy', 'edge'], /^edge +Admin +1 +False /m);
  const why = 'spec.ingress[0].protocols[0].tcp.destinationPort.range.end: 80 is less than start, 90';
  const told = await kubectl.ok(['get', 'cnp', 'edge', '-o', 'jsonpath={.status.conditions}']);
  expect(JSON.parse(told)).toMatchObject([
    { type: 'Accepted', status: 'False', reason: 'Invalid', message: why, observedGeneration: 2 },
  ]);
  expect(await kubectl.ok(['describe', 'cnp', 'edge'])).toMatch(
    /Warning +InvalidPolicy .*range\.end: 80 is less/,
  );
  await apply(policy(99));
  await shown(['get', 'clusternetworkpolicy', 'edge'], /^edge +Admin +1 +True /m);
});
