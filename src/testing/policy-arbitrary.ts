/** Anything that may be done to a graph, at random, with so few names and addresses that things meet. */
import fc from 'fast-check';
import type { PolicyGraph } from '#core/policy/engine/index.ts';
import type {
  EndMatch,
  LabelsOf,
  Member,
  Policy,
  PolicyRule,
  PortMatch,
  RuleAction,
  Selector,
  Tier,
} from '#core/policy/index.ts';

/** One thing done to a graph. `take` stands for somebody asking for a delta. */
export type Step = readonly [kind: string, key: string, value: unknown];

/** Stands for an address that nobody else has. */
const OWN_NET = 'own';

const few = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);
const labels = fc.dictionary(few('app', 'tier'), few('x', 'y'), { maxKeys: 2 });
const leaf: fc.Arbitrary<Selector> = fc.oneof(
  fc.record({
    op: few('in' as const),
    of: few<LabelsOf>('member', 'namespace', 'service-account'),
    key: few('app', 'tier'),
    values: fc.subarray(['x', 'y']),
  }),
  fc.record({
    op: few('in' as const),
    of: few('self' as const),
    key: few('namespace', 'name'),
    values: fc.subarray(['a', 'b', 'p1']),
  }),
  fc.record({ op: few('has' as const), of: few<LabelsOf>('member', 'namespace'), key: few('app', 'tier') }),
  fc.record({
    op: few('starts' as const, 'contains' as const),
    of: few('member' as const),
    key: few('app'),
    value: few('x', ''),
  }),
  fc.record({ op: few('all' as const, 'none' as const) }),
);
const selector: fc.Arbitrary<Selector> = fc.letrec<{ any: Selector }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.record({ op: few('not' as const), part: tie('any') }),
    fc.record({
      op: few('and' as const, 'or' as const),
      parts: fc.array(tie('any'), { minLength: 2, maxLength: 3 }),
    }),
  ),
})).any;
const nets = few<readonly string[]>(['10.0.0.0/24'], ['10.0.0.1/32', 'fd00::/8'], ['10.0.0.0/8'], []);
const ports = few<readonly PortMatch[]>([{ name: 'http' }, { from: 1, to: 2 }], [{ from: 80, to: 80 }], []);
const end: fc.Arbitrary<EndMatch> = fc.record(
  {
    selector,
    notSelector: selector,
    nets,
    notNets: nets,
    ports,
    notPorts: ports,
    domains: fc.constant(['*.x']),
    service: few({ namespace: 'a', name: 's' }),
  },
  { requiredKeys: [] },
);
/** A rule; most of its ends leave most things open. */
export const anyRule: fc.Arbitrary<PolicyRule> = fc.record(
  {
    origin: fc.constant({ index: 0, path: 'r' }),
    action: few<RuleAction>('allow', 'deny', 'pass'),
    protocol: few(6, 17),
    notProtocol: few(6, 17),
    family: few<4 | 6>(4, 6),
    source: sparse(end),
    destination: sparse(end),
  },
  { requiredKeys: ['origin', 'action', 'source', 'destination'] },
);
const rules = fc.array(anyRule, { maxLength: 2 });

/** Leaves out most of what an end says, so that rules match something. */
function sparse(of: fc.Arbitrary<EndMatch>): fc.Arbitrary<EndMatch> {
  return fc.tuple(of, fc.nat({ max: 3 }), fc.nat()).map(([match, count, from]) => {
    const keys = Object.keys(match);
    const kept = Array.from(
      { length: Math.min(count, keys.length) },
      (_, at) => keys[(from + at) % keys.length],
    );
    return Object.fromEntries(Object.entries(match).filter(([key]) => kept.includes(key)));
  });
}

/** Anything, with weights such that something is there to be changed. */
export const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(few('member'), few('p1', 'p2', 'p3', 'p4'), fc.option(memberOf())) },
  { weight: 4, arbitrary: fc.tuple(few('policy'), few('r1', 'r2', 'r3'), fc.option(policyOf())) },
  fc.tuple(
    few('tier'),
    few('t1', 't2'),
    fc.option(fc.record({ order: few(1, 2), defaultAction: few('deny', 'pass') })),
  ),
  fc.tuple(few('namespace'), few('a', 'b'), labels),
  fc.tuple(few('account'), few('a', 'b'), labels),
  fc.tuple(few('service'), few('s'), fc.subarray(['10.0.0.1', '10.0.0.2'])),
  fc.tuple(few('domain'), few('w.x', 'v.x', 'x'), fc.subarray(['10.0.0.1', '10.0.0.2'])),
  fc.tuple(few('local'), few('p1', 'p2', 'p3'), fc.boolean()),
  { weight: 3, arbitrary: fc.constant(['take', '', undefined] as const) },
);

/** Without which most sequences tell nothing. */
export const BEGINNING: readonly Step[] = [
  ['tier', 't1', { order: 1, defaultAction: 'pass' }],
  ['tier', 't2', { order: 2, defaultAction: 'deny' }],
  ['local', 'p1', true],
  ['local', 'p2', true],
];

function memberOf(): fc.Arbitrary<unknown> {
  return fc.record({
    namespace: few('a', 'b'),
    labels,
    serviceAccount: few('robot'),
    nets: fc.oneof(
      fc.constant([OWN_NET, 'fd00::1/128']),
      fc.subarray([OWN_NET, '10.0.0.1/32', '10.0.0.2/32', '10.1.0.0/16']),
    ),
    ports: fc.subarray([
      { name: 'http', protocol: 6, port: 80 },
      { name: 'http', protocol: 6, port: 81 },
    ]),
  });
}

function policyOf(): fc.Arbitrary<unknown> {
  return fc.record(
    {
      tier: few('t1', 't2'),
      order: few(1, 2),
      subject: fc.oneof(few<Selector>({ op: 'all' }), selector),
      ingress: rules,
      egress: rules,
      staged: few('set'),
    },
    { requiredKeys: ['tier', 'order', 'subject'] },
  );
}

/** Does it; not for `take`. */
export function applyStep(graph: PolicyGraph, [kind, key, value]: Step): void {
  if (kind === 'member') {
    if (value === null) graph.removeMember(key);
    else {
      const { nets, ...rest } = value as Member;
      const own = nets.map((net) => (net === OWN_NET ? `10.0.1.${key.slice(1)}/32` : net));
      graph.upsertMember({ ...rest, nets: own, key, name: key, kind: 'pod' });
    }
  } else if (kind === 'policy') {
    const ref = { kind: 'GlobalNetworkPolicy', name: key } as const;
    if (value === null) graph.removePolicy(ref);
    else graph.upsertPolicy({ ...(value as Policy), ref });
  } else if (kind === 'tier') {
    if (value === null) graph.removeTier(key);
    else graph.upsertTier({ ...(value as Tier), name: key });
  } else if (kind === 'namespace') graph.upsertNamespace(key, value as Record<string, string>);
  else if (kind === 'account') graph.upsertServiceAccount(key, 'robot', value as Record<string, string>);
  else if (kind === 'service')
    graph.upsertService(
      'a',
      key,
      (value as string[]).map((address) => ({ address, protocol: 6, port: 1 })),
    );
  else if (kind === 'domain') graph.upsertDomain(key, value as string[]);
  else if (value === true) graph.setLocal(key);
  else graph.unsetLocal(key);
}
