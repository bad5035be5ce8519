import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bigIntToIp, familyBits, networkOf } from '#base/ip/index.ts';
import { requireConfig } from '#core/config/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { runs } from '#testing/soak.ts';
import { leaseFromObject, leaseName, leaseToObject, nodeLabel, subnetOfName } from './lease-object.ts';
import type { LeaseRecord } from './model.ts';
import { parseNetConf } from './net-conf.ts';

const RECORD: LeaseRecord = {
  family: 4,
  subnet: '10.10.0.0/20',
  node: 'node-a',
  ownerUid: '6f0c2f5e',
  publicIp: '192.0.2.1',
  backendType: 'vxlan',
  backendData: { VNI: 1, VtepMAC: '0a:00:00:00:00:01' },
  acquiredAtMs: 1_772_366_400_000,
  renewedAtMs: 1_772_370_000_000,
  durationSec: 86_400,
  reserved: false,
};

const prefix = fc
  .constantFrom(4 as const, 6 as const)
  .chain((family) =>
    fc.tuple(
      fc.constant(family),
      fc.bigInt({ min: 0n, max: (1n << BigInt(familyBits(family))) - 1n }),
      fc.integer({ min: 0, max: familyBits(family) }),
    ),
  )
  .map(([family, value, length]) => networkOf(`${bigIntToIp(value, family)}/${length}`));

describe('the name of a lease', () => {
  const cases: readonly [string, string][] = [
    ['10.10.0.0/20', 'subnet-10.10.0.0-20'],
    ['fd00:10::/64', 'subnet-fd00-10---64'],
    ['::/0', 'subnet----0'],
    ['fd00:1:2:3:4:5:6:7/128', 'subnet-fd00-1-2-3-4-5-6-7-128'],
    ['::ffff:10.0.0.0/112', 'subnet---ffff-10.0.0.0-112'],
  ];
  test.each(cases)('of %s is %s, and back', (subnet, name) => {
    expect(leaseName(subnet)).toBe(name);
    expect(subnetOfName(name)).toBe(subnet);
  });

  const foreign = [
    '',
    'subnet',
    'subnet-',
    'subnet-10.10.0.0',
    'subnet-10.10.0.1-20',
    'subnet-10.10.0.0-33',
    'subnet-10.10.0.0-020',
    'subnet-fd00-10-0--64',
    'subnet-FD00-10---64',
    'subnet-10-10-0-0-20',
    'pod-10.10.0.0-20',
    'subnet-fd00:10::-64',
  ];
  test.each(foreign)('is not "%s"', (name) => {
    expect(subnetOfName(name)).toBeUndefined();
  });

  test('is reversible, unambiguous and an RFC 1123 subdomain for every prefix', () => {
    const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
    fc.assert(
      fc.property(prefix, (subnet) => {
        expect(subnetOfName(leaseName(subnet))).toBe(subnet);
        expect(leaseName(subnet)).toMatch(subdomain);
        expect(leaseName(subnet).length).toBeLessThan(254);
      }),
      runs(300, 20_000),
    );
  });
});

describe('nodeLabel', () => {
  test('is the node name where that is a label value', () => {
    expect(nodeLabel('node-a.example.org')).toBe('node-a.example.org');
  });
  test('is always a label value, and different for different long names', () => {
    const long = 'a'.repeat(80);
    expect(nodeLabel(`${long}1`)).not.toBe(nodeLabel(`${long}2`));
    fc.assert(
      fc.property(fc.string({ maxLength: 260 }), (node) => {
        expect(nodeLabel(node)).toMatch(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/);
      }),
    );
  });
});

describe('a lease as an object', () => {
  test('has the form of a Kubernetes Lease', () => {
    expect(leaseToObject(RECORD)).toEqual({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: {
        name: 'subnet-10.10.0.0-20',
        namespace: 'poplin-system',
        labels: {
          'poplin.dev/kind': 'subnet-lease',
          'poplin.dev/node': 'node-a',
          'poplin.dev/family': 'ipv4',
        },
        annotations: {
          'poplin.dev/subnet': '10.10.0.0/20',
          'poplin.dev/backend-type': 'vxlan',
          'poplin.dev/owner-uid': '6f0c2f5e',
          'poplin.dev/public-ip': '192.0.2.1',
          'poplin.dev/backend-data': '{"VNI":1,"VtepMAC":"0a:00:00:00:00:01"}',
        },
      },
      spec: {
        holderIdentity: 'node-a',
        leaseDurationSeconds: 86_400,
        acquireTime: '2026-03-01T12:00:00.000000Z',
        renewTime: '2026-03-01T13:00:00.000000Z',
      },
    });
  });

  test('keeps the version and what others wrote when it is rewritten', () => {
    const base: KubeObject = {
      ...leaseToObject({ ...RECORD, publicIp: '192.0.2.9' }),
      spec: { leaseTransitions: 3, holderIdentity: 'x' },
    };
    Object.assign(base.metadata, { uid: 'u', resourceVersion: '7', finalizers: ['f'] });
    Object.assign(base.metadata.annotations ?? {}, { note: 'keep' });
    const { publicIp: _, ...without } = RECORD;
    const next = leaseToObject(without, base);
    expect(next.metadata).toMatchObject({ uid: 'u', resourceVersion: '7', finalizers: ['f'] });
    expect(next.metadata.annotations).toMatchObject({ note: 'keep' });
    expect(next.metadata.annotations).not.toHaveProperty('poplin.dev/public-ip');
    expect(next['spec']).toMatchObject({ leaseTransitions: 3, holderIdentity: 'node-a' });
  });

  test('is read back as it was written', () => {
    const record = fc
      .record({
        subnet: prefix,
        node: fc.string({ minLength: 1 }),
        ownerUid: fc.string(),
        backendType: fc.string(),
        acquiredAtMs: fc.nat({ max: 2 ** 31 }).map((seconds) => seconds * 1000 + 7),
        renewedAtMs: fc.nat({ max: 2 ** 31 }).map((seconds) => seconds * 1000),
        durationSec: fc.integer({ min: 1, max: 2 ** 31 }),
        reserved: fc.boolean(),
        extra: fc.record(
          {
            publicIp: fc.constantFrom('192.0.2.1', 'fd00::1'),
            backendData: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value))),
          },
          { requiredKeys: [] },
        ),
      })
      .map(
        ({ extra, ...rest }): LeaseRecord => ({
          ...rest,
          ...extra,
          family: rest.subnet.includes(':') ? 6 : 4,
        }),
      );
    fc.assert(
      fc.property(record, (written) => {
        const reading = leaseFromObject(JSON.parse(JSON.stringify(leaseToObject(written))));
        expect(reading).toEqual({ ok: true, name: leaseName(written.subnet), record: written });
      }),
    );
  });
});

describe('leaseFromObject', () => {
  const netConf = requireConfig(
    parseNetConf(
      '{"Network": "10.0.0.0/8", "SubnetLen": 20, "SubnetMin": "10.10.0.0", "SubnetMax": "10.99.0.0"}',
      'x',
    ),
  );
  type Change = (object: {
    metadata: Record<string, Record<string, string> | string>;
    spec: Record<string, unknown>;
    kind: string;
  }) => void;
  const annotate =
    (key: string, value: string): Change =>
    (object) => {
      (object.metadata['annotations'] as Record<string, string>)[`poplin.dev/${key}`] = value;
    };
  const spec =
    (key: string, value: unknown): Change =>
    (object) => {
      object.spec[key] = value;
    };
  const name =
    (value: string): Change =>
    (object) => {
      object.metadata['name'] = value;
      delete (object.metadata['annotations'] as Record<string, string>)['poplin.dev/subnet'];
    };
  const changed = (change: Change) => {
    const object = structuredClone(leaseToObject(RECORD));
    change(object as unknown as Parameters<Change>[0]);
    return leaseFromObject(object, netConf);
  };

  const bad: readonly [string, Change, string][] = [
    [
      'another kind',
      (object) => {
        object.kind = 'Pod';
      },
      'is a Pod, not a Lease',
    ],
    [
      'a lease of another purpose',
      (object) => {
        object.metadata['labels'] = {};
      },
      'is no subnet lease: label poplin.dev/kind is missing',
    ],
    [
      'a name without a subnet',
      name('kube-scheduler'),
      'the name "kube-scheduler" names no subnet: expected one like "subnet-10.10.0.0-20"',
    ],
    [
      "a subnet that is not the name's",
      annotate('subnet', '10.10.16.0/20'),
      'annotation poplin.dev/subnet is "10.10.16.0/20", but the name says 10.10.0.0/20',
    ],
    [
      'no holder',
      spec('holderIdentity', undefined),
      'spec.holderIdentity is missing: the lease has no owner',
    ],
    ['a holder that is no name', spec('holderIdentity', 3), 'spec.holderIdentity is 3, not a node name'],
    ['no renewal', spec('renewTime', undefined), 'spec.renewTime is missing: the lease has no end'],
    ['a renewal that is no time', spec('renewTime', 'now'), 'spec.renewTime is "now", not an RFC 3339 time'],
    [
      'a duration of nothing',
      spec('leaseDurationSeconds', 0),
      'spec.leaseDurationSeconds is 0, not a positive number of seconds',
    ],
    [
      'a public address that is none',
      annotate('public-ip', '192.0.2'),
      'annotation poplin.dev/public-ip is "192.0.2", not an address (IPv4 lease)',
    ],
    [
      'backend data that is not JSON',
      annotate('backend-data', '{'),
      'annotation poplin.dev/backend-data is "{", not JSON',
    ],
    [
      'a subnet outside the network',
      name('subnet-11.10.0.0-20'),
      '11.10.0.0/20 is outside the network 10.0.0.0/8',
    ],
    [
      'a subnet of another length',
      name('subnet-10.10.0.0-24'),
      '10.10.0.0/24 is a /24, the network gives out /20',
    ],
    [
      'a subnet below the range',
      name('subnet-10.9.240.0-20'),
      '10.9.240.0/20 is below the first subnet 10.10.0.0',
    ],
    [
      'a family that is not enabled',
      name('subnet-fd00---64'),
      'fd00::/64: IPv6 is not enabled in the network configuration',
    ],
  ];
  test.each(bad)('refuses %s', (_, change, reason) => {
    expect(changed(change)).toMatchObject({ ok: false, reason });
  });

  test('tells which subnet an unreadable object occupies', () => {
    expect(changed(spec('renewTime', 'now'))).toMatchObject({ ok: false, subnet: '10.10.0.0/20' });
  });

  test('reads a reservation an operator wrote by hand', () => {
    const reading = leaseFromObject({
      kind: 'Lease',
      metadata: { name: 'subnet-10.10.0.0-20', labels: { 'poplin.dev/kind': 'subnet-lease' } },
      spec: { holderIdentity: 'node-a' },
    });
    expect(reading).toMatchObject({
      ok: true,
      record: { reserved: true, ownerUid: '', renewedAtMs: 0, durationSec: 86_400 },
    });
  });

  test('never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.record({ metadata: fc.anything(), spec: fc.anything() })),
        (value) => {
          expect(leaseFromObject(value).ok).toBe(false);
        },
      ),
    );
  });
});
