/** Host endpoints: whatever there is of them and of policies, packets on their way through a node meet what the engine says. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DesiredState } from '#core/kernel/index.ts';
import type { NftHookName } from '#core/nft/index.ts';
import { packetOf } from '#testing/flow-packet.ts';
import { Interpreter, type Passing } from '#testing/nft-interpreter.ts';
import { repeatableRuns } from '#testing/soak.ts';
import { evaluate, PolicyGraph } from '../engine/index.ts';
import { node, pod, policy, rule, select, TIERS } from '../engine/scene.fixture.ts';
import type { Flow, Member, Policy, PolicyRule } from '../model.ts';
import { POLICY_PART, PolicyCompiler } from './index.ts';

const few = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const OWN = { 4: ['172.16.0.1', '172.16.0.2'], 6: ['fd16::1', 'fd16::2'] } as const;
const OUTSIDE = { 4: '203.0.113.9', 6: '2001:db8::9' } as const;
const FAMILIES = [4, 6] as const;

const host = (name: string, more: Partial<Member>): Member => ({
  key: `host node-a/${name}`,
  kind: 'host-endpoint',
  name,
  labels: { of: name, here: 'yes' },
  node: 'node-a',
  nets: [],
  ports: [],
  ...more,
});
const ENDPOINTS: Readonly<Record<string, Member>> = {
  eth0: host('eth0', { link: 'eth0', nets: ['172.16.0.1/32', 'fd16::1/128'] }),
  eth1: host('eth1', { link: 'eth1' }),
  all: host('all', { link: '*' }),
  every: host('every', {}),
  address: host('address', { nets: ['172.16.0.2/32', 'fd16::2/128'] }),
};

type Step =
  | readonly ['endpoint', string, boolean]
  | readonly ['policy', string, Partial<Policy> & { readonly about: string }]
  | readonly ['no policy', string, undefined]
  | readonly ['flush', '', undefined];

const anyRule: fc.Arbitrary<PolicyRule> = fc
  .record({
    action: few<PolicyRule['action']>('allow', 'allow', 'deny', 'pass'),
    protocol: few(6, 6, 17, undefined),
    port: few(22, 53, 80, undefined, undefined),
    net: few('203.0.113.0/24', '10.0.0.0/8', '2001:db8::/32', undefined, undefined),
  })
  .map(({ action, protocol, port, net }) =>
    rule(
      net === undefined ? {} : { nets: [net] },
      port === undefined || protocol === undefined ? {} : { ports: [{ from: port, to: port }] },
      { action, ...(protocol !== undefined && { protocol }) },
    ),
  );
const rules = fc.array(anyRule, { maxLength: 3 });
const anyPolicy = fc
  .record({
    about: few('kind', 'kind', 'eth0', 'eth1', 'all', 'address', 'everything'),
    tier: few('admin', 'default'),
    order: few(1, 2),
    host: few(
      undefined,
      { doNotTrack: false, preDnat: false, applyOnForward: false },
      { doNotTrack: true, preDnat: false, applyOnForward: true },
      { doNotTrack: false, preDnat: true, applyOnForward: true },
      { doNotTrack: false, preDnat: false, applyOnForward: true },
    ),
    ingress: fc.option(rules, { nil: undefined }),
    egress: fc.option(rules, { nil: undefined }),
  })
  .map(({ host: of, ingress, egress, ...rest }) => ({
    ...rest,
    ...(of && { host: of }),
    ...(ingress && { ingress }),
    // Before addresses are translated there is no egress.
    ...(egress && of?.preDnat !== true && { egress }),
  }));

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.tuple(few('endpoint' as const), few(...Object.keys(ENDPOINTS)), fc.boolean()),
    { weight: 3, arbitrary: fc.tuple(few('policy' as const), few('r1', 'r2', 'r3', 'r4'), anyPolicy) },
    fc.tuple(few('no policy' as const), few('r1', 'r2', 'r3', 'r4'), fc.constant(undefined)),
    fc.constant(['flush', '', undefined] as const),
  ),
  { maxLength: 25, size: 'max' },
);

class Node {
  readonly graph = new PolicyGraph();
  readonly compiler = new PolicyCompiler({ bridge: 'none', flows: false });
  readonly desired = new DesiredState();

  constructor() {
    for (const tier of TIERS) this.graph.upsertTier(tier);
    const nets = [...OWN[4].map((each) => `${each}/32`), ...OWN[6].map((each) => `${each}/128`)];
    for (const each of [{ ...node('node-a', 1), nets }, node('node-b', 9)]) this.graph.upsertMember(each);
    for (const number of [1, 2]) {
      const member = pod(`shop/pod${number}`, number, { here: 'yes' });
      this.graph.upsertMember(member);
      this.graph.setLocal(member.key);
      const addresses = [`10.0.0.${number}`, `fd00::${number}`];
      this.compiler.setEndpoint({ key: member.key, addresses, link: `veth${number}` }, 'closed');
    }
    this.graph.upsertMember(pod('shop/pod3', 3, {}, { node: 'node-b' }));
    for (const member of Object.values(ENDPOINTS)) this.graph.setLocal(member.key);
  }

  do([what, name, value]: Step): void {
    const { graph } = this;
    const ref = { kind: 'GlobalNetworkPolicy', name } as const;
    if (what === 'flush') this.flush();
    else if (what === 'no policy') graph.removePolicy(ref);
    else if (what === 'endpoint') {
      const member = ENDPOINTS[name] as Member;
      if (value) graph.upsertMember(member);
      else graph.removeMember(member.key);
    } else {
      const { about, ...rest } = value;
      const subject =
        about === 'everything'
          ? select('here')
          : about === 'kind'
            ? select('self:kind=host-endpoint')
            : select(`of=${about}`);
      graph.upsertPolicy(policy(ref, subject, rest));
    }
  }

  flush(): void {
    this.compiler.apply(this.graph.takeDelta());
    this.desired.amend(POLICY_PART, this.compiler.takeAmendment());
  }

  get tables(): string[] {
    return [...this.desired.state].map(([key, object]) => `${key} ${JSON.stringify(object)}`).toSorted();
  }
}

interface Way {
  readonly hooks: readonly NftHookName[];
  readonly source: string;
  readonly destination: string;
  readonly iifname?: string;
  readonly oifname?: string;
  readonly links?: { readonly source?: string; readonly destination?: string };
}

function waysOf(family: 4 | 6): Way[] {
  const podAt = (number: number): string => (family === 4 ? `10.0.0.${number}` : `fd00::${number}`);
  const [first, second] = OWN[family];
  const outside = OUTSIDE[family];
  const into = ['eth0', 'eth1'].flatMap((link): Way[] => [
    ...[first, second].map(
      (destination): Way => ({
        hooks: ['prerouting', 'input'],
        source: outside,
        destination,
        iifname: link,
        links: { destination: link },
      }),
    ),
    {
      hooks: ['prerouting', 'input'],
      source: podAt(3),
      destination: first,
      iifname: link,
      links: { destination: link },
    },
    ...[outside, podAt(3)].map(
      (source): Way => ({
        hooks: ['prerouting', 'forward'],
        source,
        destination: podAt(1),
        iifname: link,
        oifname: 'veth1',
        links: { destination: link },
      }),
    ),
  ]);
  const out = ['eth0', 'eth1'].flatMap((link): Way[] => [
    ...[first, second].map(
      (source): Way => ({
        hooks: ['output'],
        source,
        destination: outside,
        oifname: link,
        links: { source: link },
      }),
    ),
    {
      hooks: ['prerouting', 'forward'],
      source: podAt(1),
      destination: outside,
      iifname: 'veth1',
      oifname: link,
      links: { source: link },
    },
  ]);
  return [
    ...into,
    ...out,
    {
      hooks: ['prerouting', 'forward'],
      source: podAt(1),
      destination: podAt(2),
      iifname: 'veth1',
      oifname: 'veth2',
    },
    { hooks: ['prerouting', 'input'], source: podAt(1), destination: first, iifname: 'veth1' },
    { hooks: ['output'], source: first, destination: podAt(1), oifname: 'veth1' },
    {
      hooks: ['output', 'prerouting', 'input'],
      source: first,
      destination: second,
      iifname: 'lo',
      oifname: 'lo',
    },
  ];
}

const WAYS = FAMILIES.flatMap(waysOf);
const told = { allow: 0, deny: 0 };

function expectAgreement({ graph, desired }: Node, ports: readonly (readonly [number, number])[]): void {
  const rules_ = new Interpreter(desired.state.values());
  for (const { hooks, source, destination, links, ...link } of WAYS) {
    for (const [protocol, destinationPort] of ports) {
      const flow: Flow = { source, destination, protocol, sourcePort: 40_000, destinationPort };
      const verdict = evaluate(graph, flow, links === undefined ? {} : { links });
      const passing: Passing = { bytes: packetOf(flow), own: [...OWN[4], ...OWN[6]], ...link };
      const said = hooks.every((hook) => rules_.passes(hook, passing)) ? 'allow' : 'deny';
      if (said !== verdict.action)
        expect.fail(`${JSON.stringify({ flow, links, hooks })}: ${said}, not ${JSON.stringify(verdict)}`);
      told[verdict.action]++;
    }
  }
}

test('packets meet host endpoints as the engine says, and the end is that of a fresh start', () => {
  const port = few<readonly [number, number]>([6, 22], [6, 80], [17, 53], [6, 53], [17, 67], [17, 80]);
  fc.assert(
    fc.property(
      steps,
      fc.array(port, { minLength: 2, maxLength: 3 }),
      fc.infiniteStream(fc.nat()),
      (some, ports, dice) => {
        const walked = new Node();
        for (const step of some) {
          walked.do(step);
          if (step[0] === 'flush') expectAgreement(walked, ports);
        }
        walked.flush();
        expectAgreement(walked, ports);

        const last = new Map(some.map((each) => [`${each[0].replace('no ', '')} ${each[1]}`, each]));
        const anyOrder = [...last.values()].map((each) => [dice.next().value ?? 0, each] as const);
        anyOrder.sort(([a], [b]) => a - b);
        const fresh = new Node();
        for (const [, step] of anyOrder) if (step[0] !== 'flush') fresh.do(step);
        fresh.flush();
        expect(walked.tables).toEqual(fresh.tables);
      },
    ),
    repeatableRuns(40, 5000),
  );
  expect(told.allow).toBeGreaterThan(1000);
  expect(told.deny).toBeGreaterThan(1000);
});
