/**
 * Whatever is done in whatever order: after each delta the tables say of packets what the engine says of flows, and in the end they are byte
 * for byte those of a fresh start. Since what a delta changes is one transaction, no packet meets anything else.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DesiredState } from '#core/kernel/index.ts';
import { packetOf } from '#testing/flow-packet.ts';
import { Interpreter, type Passing } from '#testing/nft-interpreter.ts';
import { anyStep, applyStep, BEGINNING, type Step } from '#testing/policy-arbitrary.ts';
import { repeatableRuns } from '#testing/soak.ts';
import { evaluate, PolicyGraph } from '../engine/index.ts';
import type { Flow, Policy, PolicyRule, RuleAction } from '../model.ts';
import { FILTER, FORWARD } from './base-chains.ts';
import { type LocalEndpoint, POLICY_PART, PolicyCompiler } from './index.ts';

const OPTIONS = { bridge: 'conntrack', flows: true } as const;
const few = <T>(...values: readonly T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

/** What the rules of the steps do not have. */
const more: fc.Arbitrary<Partial<PolicyRule>> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  fc.record(
    {
      action: few<RuleAction>('log'),
      protocol: few(1, 58, 132, 136, 47),
      notProtocol: few(1, 132),
      icmp: few({ type: 8 }, { type: 8, code: 1 }),
      notIcmp: few({ type: 8 }, { type: 8, code: 1 }),
    },
    { requiredKeys: [] },
  ),
);

const policyStep = fc
  .tuple(anyStep, fc.array(more, { minLength: 4, maxLength: 4 }))
  .map(([step, fields]): Step => {
    const [kind, key, value] = step;
    if (kind !== 'policy' || value === null) return step;
    const { ingress, egress } = value as Policy;
    const with_ = (rules: readonly PolicyRule[], from: number): PolicyRule[] =>
      rules.map((rule, at) => withProtocol({ ...rule, ...fields[from + at] }));
    return [
      kind,
      key,
      {
        ...(value as Policy),
        ...(ingress && { ingress: with_(ingress, 0) }),
        ...(egress && { egress: with_(egress, 2) }),
      },
    ];
  });

/** As translators have it: ports by name have a protocol. */
function withProtocol(rule: PolicyRule): PolicyRule {
  const ports = [rule.source, rule.destination].flatMap((end) => [
    ...(end.ports ?? []),
    ...(end.notPorts ?? []),
  ]);
  return ports.some((port) => 'name' in port) ? { protocol: 6, ...rule } : rule;
}

type Attached = 'closed' | 'open' | undefined;
const attachStep: fc.Arbitrary<Step> = fc.tuple(
  fc.constant('attach'),
  few('p1', 'p2', 'p3'),
  few<Attached>('closed', 'closed', 'open', undefined),
);
const flowsStep: fc.Arbitrary<Step> = fc.tuple(fc.constant('flows'), fc.constant('told'), fc.boolean());
const steps = fc.array(fc.oneof({ weight: 6, arbitrary: policyStep }, attachStep, flowsStep), {
  maxLength: 60,
  size: 'max',
});

function endpointOf(key: string): LocalEndpoint {
  const number = key.slice(1);
  return {
    key,
    addresses: [`10.0.1.${number}`, `fd00:1::${number}`],
    link: `veth${number}`,
    ...(key !== 'p3' && { linkNumber: Number(number) + 10 }),
    ...(key === 'p2' && { bridge: 'br0' }),
  };
}

/** Graph, compiler and what it wants, as a node has them. */
class Node {
  readonly graph = new PolicyGraph();
  readonly compiler = new PolicyCompiler(OPTIONS);
  readonly desired = new DesiredState();
  readonly attached = new Map<string, 'closed' | 'open'>();
  readonly local = new Set<string>();

  do(step: Step): void {
    const [kind, key, value] = step;
    if (kind === 'local' && value === true) this.local.add(key);
    if (kind === 'local' && value !== true) this.local.delete(key);
    if (kind === 'take') this.flush();
    else if (kind === 'flows') this.compiler.tellFlows(value === true);
    else if (kind !== 'attach') applyStep(this.graph, step);
    else if (value === undefined) {
      this.compiler.removeEndpoint(key);
      this.attached.delete(key);
    } else {
      this.compiler.setEndpoint(endpointOf(key), value as 'closed' | 'open');
      this.attached.set(key, value as 'closed' | 'open');
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

const flow: fc.Arbitrary<Flow> = fc
  .record({
    ends: few(
      ['10.0.1.1', '10.0.1.2'],
      ['10.0.1.2', '10.0.1.1'],
      ['10.0.1.3', '10.0.1.1'],
      ['10.0.0.2', '10.0.1.1'],
      ['10.0.1.1', '10.0.0.1'],
      ['10.1.2.3', '10.0.1.2'],
      ['10.0.1.2', '10.2.0.1'],
    ),
    protocol: few(6, 6, 17, 1, 132, 136, 47),
    sourcePort: few(1, 80, 3),
    destinationPort: few(1, 2, 80, 81, 3),
    icmp: few({ type: 8, code: 0 }, { type: 8, code: 1 }, { type: 3, code: 1 }),
  })
  .map(({ ends: [source = '', destination = ''], protocol, icmp, ...ports }): Flow => {
    const rest = protocol === 1 ? { icmp } : protocol === 47 ? {} : ports;
    return { source, destination, protocol, ...rest };
  });

/** Of a packet that bears all marks, what is left: a bit of it is policy's own, and says nothing if others set it. */
const OTHERS_MARK = 0xffdf_ffff;

/** Counts what was compared. */
const told = { flows: 0, denied: 0 };

/** Of ends that are attached, known, and have their address for themselves. */
function expectAgreement(node: Node, asked: readonly Flow[]): void {
  const tables = [...node.desired.state.values()];
  for (const family of ['inet', 'bridge'] as const) {
    const rules = new Interpreter(tables, family);
    for (const one of asked) {
      const verdict = evaluate(node.graph, one);
      // A member may have addresses here that its attachment has not.
      if (verdict.egress.steps.some((step) => step.by === 'default' && step.reason === 'itself')) continue;
      const [egress, ingress] = (['egress', 'ingress'] as const).map((direction) => {
        const judge = judgeOf(node, direction === 'egress' ? one.source : one.destination);
        return judge === 'engine' ? verdict[direction].action : judge;
      });
      const expectSaid = (hook: 'forward' | 'input', wanted: 'allow' | 'deny'): void => {
        const packet: Passing = { bytes: packetOf(one), mark: 0xffff_ffff };
        // Behind is what tells of answers.
        const end = FILTER[family] + FORWARD;
        const said = rules.passesFrom(hook, packet, -1000, end) ? 'allow' : 'deny';
        if (said !== wanted)
          expect.fail(`${family} ${hook} ${JSON.stringify(one)}: ${said}, not ${JSON.stringify(verdict)}`);
        if (said === 'allow') expect(packet.mark, 'what others set, and no more').toBe(OTHERS_MARK);
        told.flows++;
        if (wanted === 'deny') told.denied++;
      };
      // What comes to the host is asked about egress alone.
      if (family === 'inet' && egress !== undefined) expectSaid('input', egress);
      if (egress !== undefined && ingress !== undefined)
        expectSaid('forward', egress === 'allow' && ingress === 'allow' ? 'allow' : 'deny');
    }
  }
}

/** Who says what becomes of packets of an address: the engine, or that nobody knows its pod; undefined if the engine takes it for another's. */
function judgeOf({ graph, attached, local }: Node, address: string): 'engine' | 'allow' | 'deny' | undefined {
  const key = `p${address.split('.')[3]}`;
  const state = attached.get(key);
  if (!address.startsWith('10.0.1.') || state === undefined) return 'allow';
  const member = local.has(key) ? graph.members.entries.get(key)?.member : undefined;
  if (member === undefined) return state === 'closed' ? 'deny' : 'allow';
  return member.nets.includes(`${address}/32`) ? 'engine' : undefined;
}

test('after each delta the tables say what the engine says, and in the end they are those of a fresh start', () => {
  fc.assert(
    fc.property(
      steps,
      fc.array(flow, { minLength: 6, maxLength: 12 }),
      fc.infiniteStream(fc.nat()),
      (some, flows, dice) => {
        const all = [
          ...BEGINNING,
          ['attach', 'p1', 'closed'] as Step,
          ['attach', 'p2', 'closed'] as Step,
          ...some,
        ];
        const node = new Node();
        for (const step of all) {
          node.do(step);
          if (step[0] === 'take') expectAgreement(node, flows);
        }
        node.flush();
        expectAgreement(node, flows);

        const last = new Map(all.map((each) => [`${each[0]} ${each[1]}`, each]));
        last.delete('take ');
        const anyOrder = [...last.values()].map((each) => [dice.next().value ?? 0, each] as const);
        anyOrder.sort(([a], [b]) => a - b);
        const fresh = new Node();
        for (const [, step] of anyOrder) fresh.do(step);
        fresh.flush();
        expect(node.tables).toEqual(fresh.tables);
      },
    ),
    repeatableRuns(150, 10_000),
  );
  expect(told.denied).toBeGreaterThan(500);
  expect(told.flows - told.denied).toBeGreaterThan(500);
});
