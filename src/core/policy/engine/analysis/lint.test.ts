import fc from 'fast-check';
import { expect, test } from 'vitest';
import { anyRule, anyStep, applyStep } from '#testing/policy-arbitrary.ts';
import { repeatableRuns } from '#testing/soak.ts';
import type { Policy, PolicyRule } from '../../model.ts';
import { PolicyGraph } from '../graph.ts';
import { knownFlow, matchesRule } from '../match.ts';
import { networkPolicy, node, pod, policy, rule, select, TIERS } from '../scene.fixture.ts';
import { coversRule, implies } from './cover.ts';
import type { Finding } from './finding.ts';
import { lint } from './lint.ts';

/** web (1) and db (2), which has the port `sql`, in `shop`; dns (3) in `system`. Their namespaces are not isolated otherwise. */
function findings(...policies: readonly Policy[]): Finding[] {
  const graph = new PolicyGraph();
  for (const tier of TIERS) graph.upsertTier(tier);
  graph.upsertMember(pod('shop/web', 1, { app: 'web' }));
  graph.upsertMember(pod('shop/db', 2, { app: 'db' }, { ports: [{ name: 'sql', protocol: 6, port: 5432 }] }));
  graph.upsertMember(pod('system/dns', 3, { app: 'dns' }));
  graph.upsertMember(node('node-a', 1));
  for (const each of policies) graph.upsertPolicy(each);
  return lint(graph).filter(({ code }) => code !== 'open-namespace');
}

const brief = (list: readonly Finding[]): string[] =>
  list.map(({ code, policy, path }) => [code, policy?.name, path].join(' '));
const at = (path: string, source: PolicyRule['source'], more: Partial<PolicyRule> = {}): PolicyRule =>
  rule(source, {}, { origin: { index: 0, path }, ...more });
const WEB = { selector: select('self:kind=pod', 'app=web') };

test('policies that are well have no findings', () => {
  expect(
    findings(
      networkPolicy('shop/db', ['app=db'], { ingress: [at('ingress[0]', WEB)] }),
      networkPolicy('shop/db2', ['app=db'], { ingress: [at('ingress[0]', WEB)] }), // alike, but nobody is wrong
    ),
  ).toEqual([]);
});

test.each<[string, Policy, string]>([
  [
    'a tier that is not there',
    networkPolicy('shop/p', [], { tier: 'x', ingress: [] }),
    'unknown-tier p tier',
  ],
  ['no direction', networkPolicy('shop/p', [], {}), 'empty-policy p policyTypes'],
  [
    'a subject that is nobody',
    networkPolicy('shop/p', ['app=wbe'], { ingress: [] }),
    'selects-nothing p podSelector',
  ],
  [
    'a peer that is nobody',
    networkPolicy('shop/p', [], { ingress: [at('ingress[0].from[0]', { selector: select('app=wbe') })] }),
    'peer-selects-nothing p ingress[0].from[0]',
  ],
  [
    'a list that is empty',
    networkPolicy('shop/p', [], { ingress: [at('ingress[0]', { nets: [] })] }),
    'matches-nothing p ingress[0]',
  ],
  [
    'a port that its pods do not have by this name',
    networkPolicy('shop/p', ['app=web'], {
      ingress: [{ ...at('ingress[0]', {}, { protocol: 6 }), destination: { ports: [{ name: 'sql' }] } }],
    }),
    'unknown-port-name p ingress[0]',
  ],
])('%s', (_, each, expected) => {
  expect(brief(findings(each))).toEqual([expected]);
});

test('a rule that is never reached, in its policy or behind another that says otherwise', () => {
  const own = networkPolicy('shop/p', ['app=db'], {
    ingress: [at('ingress[0]', {}), at('ingress[1]', WEB, { protocol: 6 })],
  });
  expect(findings(own)).toEqual([
    {
      code: 'shadowed-rule',
      severity: 'warning',
      policy: own.ref,
      path: 'ingress[1]',
      message:
        'ingress[0] of NetworkPolicy shop/p comes first and matches all that this rule does: take this one away',
    },
  ]);
  const deny = policy({ kind: 'GlobalNetworkPolicy', name: 'first' }, select('self:kind=pod'), {
    ingress: [at('ingress[0]', {}, { action: 'deny', protocol: 6 })],
  });
  const allow = networkPolicy('shop/db', ['app=db'], { ingress: [at('ingress[0]', WEB, { protocol: 6 })] });
  expect(brief(findings(deny, allow))).toEqual(['shadowed-rule db ingress[0]']);
  expect(findings({ ...deny, order: 2000 }, allow)).toEqual([]); // behind it
  expect(findings({ ...deny, subject: select('app=web') }, allow)).toEqual([]); // about others
});

test('a rule against what an earlier tier says', () => {
  const admin = (action: PolicyRule['action']): Policy =>
    policy(
      { kind: 'ClusterNetworkPolicy', name: 'a' },
      { op: 'all' },
      { tier: 'admin', ingress: [at('ingress[0]', {}, { action })] },
    );
  const allow = networkPolicy('shop/db', ['app=db'], { ingress: [at('ingress[0]', WEB)] });
  const [found] = findings(admin('deny'), allow);
  expect(found).toMatchObject({ code: 'contradiction', policy: allow.ref });
  expect(found?.message).toContain(
    'ingress[0] of ClusterNetworkPolicy a, of the earlier tier "admin", does deny first',
  );
  expect(findings(admin('pass'), allow)).toEqual([]);
  expect(findings(admin('allow'), allow)).toEqual([]);
  expect(findings(admin('log'), allow)).toEqual([]);
});

test('pods that cannot ask for names', () => {
  const egress = (...rules: readonly PolicyRule[]): string[] =>
    brief(findings(networkPolicy('shop/out', ['app=web'], { egress: rules })));
  const dns = { selector: select('app=dns') };
  expect(egress()).toEqual(['dns-blocked out egress']);
  expect(egress(rule({}, { ...dns, ports: [{ from: 80, to: 80 }] }, { protocol: 6 }))).toEqual([
    'dns-blocked out egress',
  ]);
  const admin = policy({ kind: 'ClusterNetworkPolicy', name: 'none' }, select('app=web'), {
    tier: 'admin',
    egress: [rule({}, {}, { action: 'deny' })],
  });
  expect(brief(findings(admin))).toEqual(['dns-blocked none egress']);
  expect(egress(rule({}, dns))).toEqual([]);
  expect(egress(rule({}, { ports: [{ from: 53, to: 53 }] }, { protocol: 17 }))).toEqual([]);
  expect(egress(rule({}, { nets: ['192.0.2.0/24'] }))).toEqual([]); // a server out there
  expect(egress(rule({}, { selector: select('self:kind=node') }))).toEqual([]); // a cache on the node
});

test('namespaces that no policy is about', () => {
  const graph = new PolicyGraph();
  for (const tier of TIERS) graph.upsertTier(tier);
  graph.upsertNamespace('empty', { team: 'x' });
  graph.upsertMember(pod('shop/web', 1));
  graph.upsertMember(pod('ops/tool', 2));
  graph.upsertPolicy(networkPolicy('shop/p', [], { ingress: [] }));
  expect(lint(graph)).toMatchObject([{ code: 'open-namespace', severity: 'info', namespace: 'ops' }]);
});

const tcp80 = { protocol: 6, destination: { ports: [{ from: 80, to: 80 }] } } as const;

test.each<[boolean, Partial<PolicyRule>, Partial<PolicyRule>]>([
  [true, {}, tcp80],
  [false, tcp80, {}],
  [true, { protocol: 6, destination: { ports: [{ from: 1, to: 100 }] } }, tcp80],
  [false, { protocol: 6, destination: { ports: [{ from: 81, to: 100 }] } }, tcp80],
  [true, { notProtocol: 17 }, tcp80],
  [false, { notProtocol: 6 }, tcp80],
  [true, { source: { nets: ['10.0.0.0/8'] } }, { source: { nets: ['10.1.0.0/16', '10.2.0.0/16'] } }],
  [false, { source: { nets: ['10.0.0.0/8'] } }, { source: { nets: ['10.1.0.0/16', 'fd00::/8'] } }],
  [false, { source: { notNets: ['10.0.0.0/8'] } }, { source: { nets: ['10.1.0.0/16'] } }],
  [true, { source: { notNets: ['10.1.0.0/16'] } }, { source: { notNets: ['10.0.0.0/8'] } }],
  [true, { icmp: { type: 8 } }, { icmp: { type: 8, code: 0 } }],
  [false, { icmp: { type: 8, code: 0 } }, { icmp: { type: 8 } }],
  [true, { source: { selector: select('app') } }, { source: { selector: select('app=web', 'tier=x') } }],
  [false, { source: { selector: select('app=web') } }, { source: { selector: select('app=web|db') } }],
  [true, { source: { notSelector: select('app=web') } }, { source: { notSelector: select('app') } }],
  [false, { source: { notSelector: select('app') } }, { source: { notSelector: select('app=web') } }],
  [false, { destination: { domains: ['a.example'] } }, { destination: { domains: ['b.example'] } }],
])('covers: %s, %j and %j', (expected, wide, narrow) => {
  expect(coversRule(rule({}, {}, wide), rule({}, {}, narrow))).toBe(expected);
});

test('a selector implies another where what is written says so', () => {
  const web = select('app=web');
  const not = { op: 'not', part: select('app') } as const;
  expect(implies({ op: 'or', parts: [web, select('app=db')] }, select('app=web|db|x'))).toBe(true);
  expect(implies(web, { op: 'or', parts: [not, select('app')] })).toBe(true);
  expect(implies(not, { op: 'not', part: web })).toBe(true);
  expect(implies({ op: 'not', part: web }, not)).toBe(false);
  expect(implies(select('ns:app=web'), web)).toBe(false);
});

test('what a rule covers, it matches', () => {
  let covered = 0;
  const steps = fc.array(
    anyStep.filter(([kind]) => kind !== 'take'),
    { maxLength: 30, size: 'max' },
  );
  const some = fc.array(anyRule, { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(steps, some, (all, rules) => {
      const graph = new PolicyGraph();
      for (const each of all) applyStep(graph, each);
      const addresses = ['10.0.0.1', '10.0.0.2', '10.0.1.1', '10.0.1.2', '192.0.2.1'];
      const flows = addresses.flatMap((source) =>
        addresses.map((destination) =>
          knownFlow(graph, { source, destination, protocol: 6, sourcePort: 1, destinationPort: 80 }),
        ),
      );
      const both = (a: PolicyRule, b: PolicyRule): PolicyRule => ({
        ...b,
        ...a,
        source: { ...b.source, ...a.source },
        destination: { ...b.destination, ...a.destination },
      });
      const narrower = rules.slice(1).map((each, index) => both(rules[index]!, each));
      for (const [index, each] of narrower.entries()) expect(coversRule(rules[index]!, each)).toBe(true);
      for (const wide of [...rules, ...narrower]) {
        for (const narrow of [...rules, ...narrower]) {
          if (wide === narrow || !coversRule(wide, narrow)) continue;
          for (const flow of flows) {
            if (!matchesRule(narrow, flow)) continue;
            expect(matchesRule(wide, flow)).toBe(true);
            covered++;
          }
        }
      }
    }),
    repeatableRuns(100, 5000),
  );
  expect(covered).toBeGreaterThan(100); // or else nothing was compared
});
