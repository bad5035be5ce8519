import { describe, expect, it } from 'vitest';
import { describeFailures, drawMatrix } from './matrix.ts';
import {
  type Endpoint,
  type Expectation,
  type ProbeOutcome,
  passed,
  probesOf,
  summarise,
} from './reachability.ts';

const WIDE = { maxColumns: 200 };

const pod = (n: number, families: readonly (4 | 6)[] = [4, 6]): Endpoint => {
  const addresses = families.map((family) => (family === 4 ? `10.10.0.${n}` : `fd10::${n}`));
  return { name: `pod${n}`, kind: 'pod', targets: addresses, own: addresses };
};
/** A node has addresses of its own besides those it is reached by. */
const node = (n: number): Endpoint => {
  const targets = [`192.0.2.${n}`, `2001:db8::${n}`];
  return { name: `node${n}`, kind: 'node', targets, own: [...targets, `10.10.${n}.0`, `fd10:${n}::`] };
};
const many = (count: number, make: (n: number) => Endpoint) =>
  Array.from({ length: count }, (_, at) => make(at + 1));

const answered = (endpoints: readonly Endpoint[]): ProbeOutcome[] =>
  probesOf(endpoints).map((probe) => ({
    probe,
    seen: probe.source.own.find((own) => own.includes(':') === (probe.family === 6)) as string,
  }));

describe('probesOf', () => {
  it.each([
    [6, 3, 60, 36, 36],
    [2, 1, 4, 4, 4],
    [1, 0, 0, 0, 0],
    [0, 3, 0, 0, 0],
  ])(
    '%i pods and %i nodes: %i from pod to pod, %i to nodes, %i from nodes',
    (pods, nodes, toPods, toNodes, fromNodes) => {
      const probes = probesOf([...many(nodes, node), ...many(pods, pod)]);
      const count = (source: string, target: string) =>
        probes.filter((probe) => probe.source.kind === source && probe.target.kind === target).length;
      expect([
        count('pod', 'pod'),
        count('pod', 'node'),
        count('node', 'pod'),
        count('node', 'node'),
      ]).toEqual([toPods, toNodes, fromNodes, 0]);
    },
  );

  it('asks in the families that both ends have', () => {
    const probes = probesOf([pod(1), pod(2, [4]), pod(3, [6])]);
    expect(probes.map(({ source, target, family }) => `${source.name} ${target.name} ${family}`)).toEqual([
      'pod1 pod2 4',
      'pod1 pod3 6',
      'pod2 pod1 4',
      'pod3 pod1 6',
    ]);
  });
});

describe('passed', () => {
  const [probe] = probesOf([node(1), pod(2)]);
  if (probe === undefined) throw new Error('no probe');

  it.each<[string, Partial<ProbeOutcome>, boolean]>([
    ['an answer that saw the address it is asked from', { seen: '192.0.2.1' }, true],
    ['an answer that saw another address of the source', { seen: '10.10.1.0' }, true],
    ['an answer that saw a translated address', { seen: '192.0.2.99' }, false],
    ['no answer', { reason: 'timed out' }, false],
  ])('%s: %s', (_, outcome, expected) => {
    expect(passed({ probe, ...outcome })).toBe(expected);
  });
});

describe('passed, under policies', () => {
  const [probe] = probesOf([node(1), pod(2)]);
  if (probe === undefined) throw new Error('no probe');

  it.each<[Expectation, Partial<ProbeOutcome>, boolean]>([
    ['reached', { seen: '192.0.2.1' }, true],
    ['reached', { reason: 'timed out' }, false],
    ['denied', { seen: '192.0.2.1' }, false],
    ['denied', { seen: '192.0.2.99' }, false],
    ['denied', { reason: 'timed out' }, true],
    ['either', { seen: '192.0.2.1' }, true],
    ['either', { seen: '192.0.2.99' }, false],
    ['either', { reason: 'timed out' }, true],
  ])('what is to be %s and has %j: %s', (expected, outcome, isPassed) => {
    expect(passed({ probe: { ...probe, expected }, ...outcome })).toBe(isPassed);
  });
});

describe('summarise', () => {
  const endpoints = [...many(3, node), ...many(6, pod)];

  it('counts by kind of pair', () => {
    expect(summarise(answered(endpoints))).toEqual({
      podToPod: { passed: 60, failed: 0 },
      podToNode: { passed: 36, failed: 0 },
      nodeToPod: { passed: 36, failed: 0 },
      natFree: true,
    });
  });

  it('counts a translated source as failed, and says that there is NAT', () => {
    const outcomes = answered(endpoints).map((outcome, at) =>
      at === 0 ? { ...outcome, seen: '192.0.2.200' } : outcome,
    );
    expect(summarise(outcomes)).toMatchObject({ nodeToPod: { passed: 35, failed: 1 }, natFree: false });
  });

  it('knows nothing of NAT where nobody answered', () => {
    const outcomes = probesOf(endpoints).map((probe) => ({ probe, reason: 'timed out' }));
    expect(summarise(outcomes)).toEqual({
      podToPod: { passed: 0, failed: 60 },
      podToNode: { passed: 0, failed: 36 },
      nodeToPod: { passed: 0, failed: 36 },
      natFree: false,
    });
  });
});

describe('drawMatrix, under policies', () => {
  it('tells what policies deny from what is lost, and what they deny in vain', () => {
    const endpoints = many(4, (n) => pod(n));
    const outcomes = answered(endpoints).map((outcome): ProbeOutcome => {
      const { source, target, family } = outcome.probe;
      if (source.name === 'pod1' && target.name === 'pod2')
        return { probe: { ...outcome.probe, expected: 'denied' } };
      if (source.name === 'pod1' && target.name === 'pod3')
        return family === 4 ? outcome : { probe: { ...outcome.probe, expected: 'denied' } };
      if (source.name === 'pod2' && target.name === 'pod1')
        return { ...outcome, probe: { ...outcome.probe, expected: 'denied' } };
      if (source.name === 'pod3' && target.name === 'pod4') return { probe: outcome.probe };
      return outcome;
    });
    expect(drawMatrix(endpoints, outcomes, WIDE)).toBe(
      `\
from \\ to  pod1  pod2  pod3  pod4
pod1        ·     ○     4     ✓
pod2        !     ·     ✓     ✓
pod3        ✓     ✓     ·     ✗
pod4        ✓     ✓     ✓     ·`,
    );
    expect(describeFailures(outcomes)).toEqual([
      'pod2 → pod1: reached, and policies deny it (IPv4, IPv6)',
      'pod3 → pod4: no answer (IPv4, IPv6)',
    ]);
    expect(summarise(outcomes)).toMatchObject({ podToPod: { passed: 20, failed: 4 }, natFree: true });
  });
});

describe('drawMatrix', () => {
  const endpoints = [node(1), pod(2), pod(3), pod(4, [6])];
  const outcomes = answered(endpoints).map((outcome): ProbeOutcome => {
    const { source, target, family } = outcome.probe;
    if (source.name === 'pod2' && target.name === 'pod3' && family === 6) return { probe: outcome.probe };
    if (source.name === 'pod3' && target.name === 'pod2' && family === 4)
      return { ...outcome, seen: '192.0.2.200' };
    if (source.name === 'pod4' && target.name === 'node1') return { probe: outcome.probe };
    return outcome;
  });

  it('shows both families, one, none and what was not asked', () => {
    expect(drawMatrix(endpoints, outcomes, WIDE)).toBe(
      `\
from \\ to  node1  pod2  pod3  pod4
node1        ·     ✓     ✓     ✓
pod2         ✓     ·     4     ✓
pod3         ✓     6     ·     ✓
pod4         ✗     ✓     ✓     ·`,
    );
  });

  it('draws one character for each target, in groups of five, where names have no room', () => {
    const seven = many(7, (n) => pod(n));
    const lost = answered(seven).map((outcome) =>
      outcome.probe.target.name === 'pod6' ? { probe: outcome.probe } : outcome,
    );
    expect(drawMatrix(seven, lost, { maxColumns: 40 })).toBe(
      `\
pod1       ·✓✓✓✓ ✗✓
pod2       ✓·✓✓✓ ✗✓
pod3       ✓✓·✓✓ ✗✓
pod4       ✓✓✓·✓ ✗✓
pod5       ✓✓✓✓· ✗✓
pod6       ✓✓✓✓✓ ·✓
pod7       ✓✓✓✓✓ ✗·

columns: the same names in the same order`,
    );
  });
});
