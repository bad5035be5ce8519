import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#core/store/index.ts';
import { BUILT_IN_RESOURCES } from '../resource/built-in.ts';
import { ageOf, formatAge } from './age.ts';
import { printerColumn } from './column.ts';
import { evaluateJsonPath, parseJsonPath } from './json-path.ts';
import { podStatusWord } from './pod-columns.ts';
import { tableOf } from './table.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-01-02T00:00:00Z');

describe('an age', () => {
  it.each([
    [-5 * SECOND, '<invalid>'],
    [0, '0s'],
    [119 * SECOND, '119s'],
    [2 * MINUTE, '2m'],
    [9 * MINUTE + 59 * SECOND, '9m59s'],
    [10 * MINUTE + 30 * SECOND, '10m'],
    [179 * MINUTE, '179m'],
    [3 * HOUR + 5 * MINUTE, '3h5m'],
    [8 * HOUR + 5 * MINUTE, '8h'],
    [47 * HOUR, '47h'],
    [2 * DAY + 4 * HOUR, '2d4h'],
    [8 * DAY + 4 * HOUR, '8d'],
    [729 * DAY, '729d'],
    [800 * DAY, '2y70d'],
    [3000 * DAY, '8y'],
  ])('of %d ms is %s', (span, text) => {
    expect(formatAge(span)).toBe(text);
  });

  it('is unknown without a time', () => {
    for (const none of [undefined, 5, 'yesterday']) expect(ageOf(none, NOW)).toBe('<unknown>');
    expect(ageOf('2026-01-01T23:59:00Z', NOW)).toBe('60s');
  });
});

describe('a JSON path', () => {
  const root = {
    spec: { replicas: 3, 'a.b': 'dotted', list: [{ n: 1 }, { n: 2 }] },
    metadata: { labels: { 'app.kubernetes.io/name': 'web' } },
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Disk', status: 'False' },
      ],
    },
  };

  it.each<[string, unknown[]]>([
    ['.spec.replicas', [3]],
    ['{.spec.replicas}', [3]],
    ['spec.replicas', [3]],
    ['.spec.a\\.b', ['dotted']],
    [".spec['a.b']", ['dotted']],
    ['.metadata.labels.app\\.kubernetes\\.io/name', ['web']],
    ['.spec.list[0].n', [1]],
    ['.spec.list[-1].n', [2]],
    ['.spec.list[*].n', [1, 2]],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    [".status.conditions[?(@.type=='Disk')].status", ['False']],
    ['.status.conditions[?(@.type!="Ready")].type', ['Disk']],
    ['.spec.nothing', []],
    ['.spec.toString', []],
  ])('%s reaches %j', (text, expected) => {
    expect(evaluateJsonPath(parseJsonPath(text) ?? [], root)).toEqual(expected);
  });

  it.each(['.a[', '.a[?(x)]', '..a', '.a[b]'])('%s is none', (text) => {
    expect(parseJsonPath(text)).toBeUndefined();
  });
});

describe('a printer column', () => {
  const object = {
    apiVersion: 'v1',
    kind: 'X',
    metadata: { name: 'x' },
    spec: { n: 3, s: 'text', b: true, l: [1, 2], t: '2026-01-01T23:00:00Z' },
  };
  it.each<[string, string, unknown]>([
    ['integer', '.spec.n', 3],
    ['string', '.spec.s', 'text'],
    ['string', '.spec.n', '3'],
    ['boolean', '.spec.b', true],
    ['string', '.spec.l', '[1,2]'],
    ['string', '.spec.l[*]', '[1,2]'],
    ['date', '.spec.t', '60m'],
    ['integer', '.spec.s', null],
    ['string', '.spec.none', null],
  ])('of type %s at %s shows %j', (type, jsonPath, expected) => {
    expect(printerColumn({ name: 'C', type, jsonPath })?.cell(object, NOW)).toBe(expected);
  });
});

describe('the status word of a pod', () => {
  const pod = (status: object, spec: object = {}, metadata: object = {}): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', ...metadata },
    spec,
    status,
  });
  const container = (state: object, extra: object = {}) => ({ name: 'c', state, ...extra });
  it.each<[string, KubeObject]>([
    ['Pending', pod({ phase: 'Pending' })],
    ['Running', pod({ phase: 'Running', containerStatuses: [container({ running: {} }, { ready: true })] })],
    [
      'CrashLoopBackOff',
      pod({ phase: 'Running', containerStatuses: [container({ waiting: { reason: 'CrashLoopBackOff' } })] }),
    ],
    [
      'OOMKilled',
      pod({
        phase: 'Failed',
        containerStatuses: [container({ terminated: { reason: 'OOMKilled', exitCode: 137 } })],
      }),
    ],
    ['ExitCode:3', pod({ phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 3 } })] })],
    ['Signal:9', pod({ phase: 'Failed', containerStatuses: [container({ terminated: { signal: 9 } })] })],
    ['Evicted', pod({ phase: 'Failed', reason: 'Evicted' })],
    ['Terminating', pod({ phase: 'Running' }, {}, { deletionTimestamp: '2026-01-01T00:00:00Z' })],
    [
      'Init:0/2',
      pod(
        { phase: 'Pending', initContainerStatuses: [container({ running: {} })] },
        { initContainers: [{ name: 'c' }, { name: 'd' }] },
      ),
    ],
    [
      'Init:Error',
      pod({
        phase: 'Pending',
        initContainerStatuses: [container({ terminated: { exitCode: 1, reason: 'Error' } })],
      }),
    ],
    [
      'Init:ImagePullBackOff',
      pod({
        phase: 'Pending',
        initContainerStatuses: [container({ waiting: { reason: 'ImagePullBackOff' } })],
      }),
    ],
    [
      'NotReady',
      pod({
        phase: 'Running',
        containerStatuses: [
          container({ terminated: { reason: 'Completed', exitCode: 0 } }),
          container({ running: {} }, { ready: true }),
        ],
      }),
    ],
  ])('%s', (word, object) => {
    expect(podStatusWord(object)).toBe(word);
  });
});

describe('the columns of built-in types', () => {
  it.each(BUILT_IN_RESOURCES.map(({ kind, columns }) => [kind, columns] as const))(
    'of %s show an object that says nothing else',
    (kind, columns) => {
      const object = { apiVersion: 'v1', kind, metadata: { name: 'x' } };
      const table = tableOf([object], columns, NOW, 'None', {});
      expect(table['rows']).toEqual([{ cells: columns.map(() => expect.anything() as unknown) }]);
      expect(columns.some(({ name, format }) => name === 'Name' && format === 'name')).toBe(true);
    },
  );
});
