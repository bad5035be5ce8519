import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KubeObject } from '#core/store/index.ts';
import { essenceOf } from './essence.ts';
import { translate } from './translate/index.ts';
import { WHOLE_DOCUMENTS } from './translate/whole-documents.fixture.ts';

const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'web-1',
    namespace: 'shop',
    uid: 'u1',
    labels: { app: 'web' },
    resourceVersion: '7',
    managedFields: [{}],
  },
  spec: {
    nodeName: 'a',
    serviceAccountName: 'web',
    volumes: [{}],
    containers: [
      { name: 'side', image: 'x' },
      { name: 'web', image: 'y', ports: [{ name: 'http', containerPort: 80 }] },
    ],
    initContainers: [
      { name: 'i', restartPolicy: 'Always', ports: [{ name: 'm', containerPort: 9, protocol: 'UDP' }] },
    ],
  },
  status: {
    phase: 'Running',
    podIP: '10.1.0.2',
    podIPs: [{ ip: '10.1.0.2' }, { ip: 'fd00::2' }],
    conditions: [{}],
  },
};

describe('the essence of an object', () => {
  test('means what the object means, for every kind', () => {
    for (const object of [pod, ...(WHOLE_DOCUMENTS as readonly KubeObject[])]) {
      const { fact, problems } = translate(object);
      expect(translate(essenceOf(object)).fact, object.kind).toEqual(fact);
      expect(translate(essenceOf(object)).problems, object.kind).toEqual(problems);
      expect(essenceOf(essenceOf(object)), object.kind).toEqual(essenceOf(object));
    }
  });

  test('does not change with what is nothing to policies', () => {
    const later = structuredClone(pod);
    later.metadata.resourceVersion = '8';
    (later['status'] as Record<string, unknown>)['conditions'] = [{ type: 'Ready' }];
    (later['spec'] as Record<string, unknown>)['volumes'] = [];
    expect(essenceOf(later)).toEqual(essenceOf(pod));
    expect(JSON.stringify(essenceOf(pod)).length).toBeLessThan(JSON.stringify(pod).length);
  });

  test('is there for anything that is called an object', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('Pod', 'Node', 'Namespace', 'Secret'),
        fc.object(),
        fc.object(),
        (kind, spec, status) => {
          const object = { apiVersion: 'v1', kind, metadata: { name: 'n', namespace: 's' }, spec, status };
          expect(essenceOf(object).metadata.name).toBe('n');
        },
      ),
    );
  });
});
