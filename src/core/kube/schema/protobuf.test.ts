import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runs } from '#testing/soak.ts';
import { decodeProtobuf, ProtobufError } from './protobuf.ts';

type Part = readonly number[];
const bytes = (...parts: (Part | string)[]): number[] =>
  parts.flatMap((part) => (typeof part === 'string' ? [...new TextEncoder().encode(part)] : [...part]));

function varint(value: number): number[] {
  const result: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    result.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return result;
}
const int = (number: number, value: number): number[] => [...varint(number * 8), ...varint(value)];
const part = (number: number, ...content: (Part | string)[]): number[] => {
  const inner = bytes(...content);
  return [...varint(number * 8 + 2), ...varint(inner.length), ...inner];
};
const envelope = (apiVersion: string, kind: string, ...fields: Part[]): Uint8Array =>
  Uint8Array.from(bytes('k8s\0', part(1, part(1, apiVersion), part(2, kind)), part(2, ...fields)));

describe('an object in protobuf', () => {
  it('is read with its metadata, maps and times', () => {
    const body = envelope(
      'v1',
      'ConfigMap',
      part(
        1,
        part(1, 'settings'),
        part(2, ''),
        part(7),
        part(8),
        part(11, part(1, 'app'), part(2, 'web')),
        part(9, int(1, 1_700_000_000)),
      ),
      part(2, part(1, 'key'), part(2, 'välue')),
      part(3, part(1, 'blob'), part(2, [0, 255, 16])),
      int(4, 1),
    );
    expect(decodeProtobuf(body)).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings', labels: { app: 'web' }, deletionTimestamp: '2023-11-14T22:13:20Z' },
      data: { key: 'välue' },
      binaryData: { blob: 'AP8Q' },
      immutable: true,
    });
  });

  it('is read with embedded messages, quantities, ports and zeros that count', () => {
    const container = part(
      2,
      part(1, 'c'),
      part(6, part(1, ''), int(2, 0), int(3, 80)),
      part(8, part(1, part(1, 'cpu'), part(2, part(1, '500m')))),
      part(10, part(1, part(2, part(2, int(1, 1), int(2, 0), part(3, 'http')))), int(2, 5)),
      part(15, int(4, 0)),
      int(16, 0),
    );
    const volume = part(1, part(1, 'v'), part(2, part(2)));
    const body = envelope(
      'v1',
      'Pod',
      part(1, part(1, 'p')),
      part(2, volume, container, int(4, 0), int(11, 0), part(3, '')),
    );
    expect(decodeProtobuf(body)).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: {
        volumes: [{ name: 'v', emptyDir: {} }],
        containers: [
          {
            name: 'c',
            ports: [{ containerPort: 80 }],
            resources: { limits: { cpu: '500m' } },
            livenessProbe: { httpGet: { port: 'http' }, initialDelaySeconds: 5 },
            securityContext: { runAsUser: 0 },
          },
        ],
        terminationGracePeriodSeconds: 0,
      },
    });
  });

  it('is read with microseconds and negative numbers', () => {
    const body = envelope(
      'coordination.k8s.io/v1',
      'Lease',
      part(1, part(1, 'l')),
      part(2, int(2, -3), part(4, int(1, 1), int(2, 123_456_000))),
    );
    expect(decodeProtobuf(body)['spec']).toEqual({
      leaseDurationSeconds: -3,
      renewTime: '1970-01-01T00:00:01.123456Z',
    });
  });

  it('skips fields it does not know', () => {
    const fixed = [...varint(99 * 8 + 1), 1, 2, 3, 4, 5, 6, 7, 8, ...varint(98 * 8 + 5), 1, 2, 3, 4];
    expect(decodeProtobuf(envelope('v1', 'Namespace', part(1, part(1, 'n'), part(99, 'x')), fixed))).toEqual({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'n' },
    });
  });

  it.each<[string, Uint8Array, string]>([
    ['without prefix', Uint8Array.from([1, 2, 3, 4]), 'does not start with'],
    ['cut short', envelope('v1', 'Pod', part(1, part(1, 'x'))).subarray(0, -2), 'are announced'],
    ['of an unknown kind', envelope('v1', 'Gizmo'), 'kind "Gizmo"'],
    [
      'of a kind without numbers',
      envelope('apiextensions.k8s.io/v1', 'CustomResourceDefinition'),
      'send JSON',
    ],
    ['with a text that is none', envelope('v1', 'Namespace', part(1, part(1, [0xff]))), 'UTF-8'],
    ['with a group', Uint8Array.from(bytes('k8s\0', [11])), 'wire type 3'],
    [
      'with a prototype',
      envelope('v1', 'ConfigMap', part(2, part(1, '__proto__'), part(2, 'x'))),
      '__proto__',
    ],
    [
      'with an endless number',
      Uint8Array.from(
        bytes(
          'k8s\0',
          Array.from({ length: 12 }, () => 0xff),
        ),
      ),
      'longer than 10 bytes',
    ],
  ])('is refused %s', (_, body, message) => {
    expect(() => decodeProtobuf(body)).toThrow(ProtobufError);
    expect(() => decodeProtobuf(body)).toThrow(message);
  });

  it('throws nothing but ProtobufError, whatever it is', () => {
    const prefix = [...envelope('v1', 'Pod')].slice(0, 4 + 2 + 9);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (random, isPod) => {
        const body = isPod
          ? Uint8Array.from([...prefix, ...part(2, [...random])])
          : Uint8Array.from(bytes('k8s\0', [...random]));
        try {
          decodeProtobuf(body);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtobufError);
        }
      }),
      runs(200, 10_000),
    );
  });
});
