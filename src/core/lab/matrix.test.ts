import { describe, expect, test } from 'vitest';
import { describeFailures, drawMatrix } from './matrix.ts';
import { type Endpoint, type ProbeOutcome, passed, probesOf, summarise } from './reachability.ts';

const endpoint = (name: string, kind: 'pod' | 'node', ...addresses: string[]): Endpoint => ({
  name,
  kind,
  targets: addresses,
  own: addresses,
});
const POD1 = endpoint('pod1', 'pod', '10.1.0.2', 'fd10::2');
const POD2 = endpoint('pod2', 'pod', '10.2.0.2', 'fd20::2');
const POD4 = endpoint('only4', 'pod', '10.3.0.2');
const NODE = endpoint('n', 'node', '192.0.2.1', '2001:db8::1');
const ALL = [POD1, POD2, POD4, NODE];

/** What an honest network answers. */
function answered(endpoints: readonly Endpoint[]): ProbeOutcome[] {
  return probesOf(endpoints).map((probe) => {
    const seen = probe.source.own.find((own) => own.includes(':') === (probe.family === 6));
    return { probe, ...(seen !== undefined && { seen }) };
  });
}

describe('the probes', () => {
  test('are all ordered pairs with a pod, in each family that both have', () => {
    const probes = probesOf(ALL).map(
      ({ source, target, family }) => `${source.name}>${target.name}/${family}`,
    );
    expect(probes).toContain('pod1>pod2/6');
    expect(probes).toContain('n>only4/4');
    expect(probes.filter((probe) => probe.includes('only4') && probe.endsWith('/6'))).toEqual([]);
    expect(new Set(probes).size).toBe(probes.length);
    // pod1 with pod2 and the node in two families, only4 with all three in one, each both ways.
    expect(probes).toHaveLength(2 * (3 * 2 + 3));
  });

  test('nodes among themselves are not asked', () => {
    expect(probesOf([NODE, endpoint('m', 'node', '192.0.2.2')])).toEqual([]);
  });
});

describe('the summary', () => {
  test('counts kinds of pairs', () => {
    expect(summarise(answered(ALL))).toEqual({
      podToPod: { passed: 8, failed: 0 },
      podToNode: { passed: 5, failed: 0 },
      nodeToPod: { passed: 5, failed: 0 },
      natFree: true,
    });
  });

  test('a source that is seen under a foreign address failed, and the network is not free of NAT', () => {
    const outcomes = answered([POD1, POD2]).map((outcome, at) =>
      at === 0 ? { ...outcome, seen: '192.0.2.1' } : outcome,
    );
    expect(outcomes.map(passed)).toEqual([false, true, true, true]);
    expect(summarise(outcomes)).toMatchObject({ podToPod: { passed: 3, failed: 1 }, natFree: false });
  });

  test('silence is a failure, and no proof of freedom from NAT', () => {
    const silent = probesOf([POD1, POD2]).map((probe) => ({ probe, reason: 'no answer' }));
    expect(summarise(silent)).toMatchObject({ podToPod: { passed: 0, failed: 4 }, natFree: false });
  });

  test('where there is nothing to ask, nothing is wrong', () => {
    expect(summarise([])).toMatchObject({ podToPod: { passed: 0, failed: 0 }, natFree: true });
  });
});

describe('the table', () => {
  const broken = answered(ALL).map((outcome): ProbeOutcome => {
    const { source, target, family } = outcome.probe;
    if (source === POD1 && target === POD2) return { probe: outcome.probe, reason: 'no answer' };
    if (source === POD2 && target === POD1 && family === 4) return { ...outcome, seen: '192.0.2.1' };
    if (source === NODE && target === POD1 && family === 6)
      return { probe: outcome.probe, reason: 'no route' };
    return outcome;
  });

  test('stands in columns whatever the names are', () => {
    expect(drawMatrix(ALL, broken, { maxColumns: 80 })).toBe(
      [
        'from \\ to  pod1  pod2  only4  n',
        'pod1        ·     ✗      ✓    ✓',
        'pod2        6     ·      ✓    ✓',
        'only4       ✓     ✓      ·    ✓',
        'n           4     ✓      ✓    ·',
      ].join('\n'),
    );
  });

  test('is dense where it would be too wide', () => {
    const pods = Array.from({ length: 7 }, (_, at) => endpoint(`pod${at + 1}`, 'pod', `10.1.0.${at + 2}`));
    const text = drawMatrix(pods, answered(pods), { maxColumns: 40 });
    expect(text.split('\n').slice(0, 2)).toEqual(['pod1       ·✓✓✓✓ ✓✓', 'pod2       ✓·✓✓✓ ✓✓']);
    expect(text).toMatch(/\n\ncolumns: the same names in the same order$/);
  });

  test('is explained in words, families of one reason together', () => {
    expect(describeFailures(broken)).toEqual([
      'pod1 → pod2: no answer (IPv4, IPv6)',
      'pod2 → pod1: translated on the way: pod1 saw 192.0.2.1, which is no address of pod2 (IPv4)',
      'n → pod1: no route (IPv6)',
    ]);
  });
});
