/**
 * Leases as Kubernetes Lease objects (coordination.k8s.io/v1): one object per subnet, named after it, so that creating
 * it is the compare-and-swap that decides who holds the subnet. What others wrote into an object is kept.
 */
import { digestHex } from '#base/hash.ts';
import {
  canonicalIp,
  familyOf,
  type IpFamily,
  type IpPrefix,
  isPrefix,
  prefixParts,
} from '#base/ip/index.ts';
import { formatMicroTime, parseTimeMs } from '#base/rfc3339.ts';
import type { KubeObject, ObjectMeta } from '#core/store/index.ts';
import { validateSubnet } from './allocator.ts';
import { type BackendData, familyKeyOf, LEASE_DURATION_SEC, type LeaseRecord } from './model.ts';
import type { NetConf } from './net-conf.ts';

/** The namespace of every subnet lease. */
export const LEASE_NAMESPACE = 'poplin-system';
/** The label selector that finds them. */
export const LEASE_SELECTOR = 'poplin.dev/kind=subnet-lease';

export const LEASE_LABELS = {
  kind: 'poplin.dev/kind',
  node: 'poplin.dev/node',
  family: 'poplin.dev/family',
} as const;

export const LEASE_ANNOTATIONS = {
  subnet: 'poplin.dev/subnet',
  publicIp: 'poplin.dev/public-ip',
  backendType: 'poplin.dev/backend-type',
  backendData: 'poplin.dev/backend-data',
  ownerUid: 'poplin.dev/owner-uid',
  reserved: 'poplin.dev/reserved',
} as const;

/** A lease read from an object, or why the object is none. */
export type LeaseReading =
  | { readonly ok: true; readonly name: string; readonly record: LeaseRecord }
  | {
      readonly ok: false;
      readonly name: string;
      readonly reason: string;
      /** The subnet the object's name occupies, where it names one. */
      readonly subnet?: IpPrefix;
    };

/** The object name of a subnet: `10.10.0.0/20` is `subnet-10.10.0.0-20`, `fd00:10::/64` is `subnet-fd00-10---64`. */
export function leaseName(subnet: IpPrefix): string {
  const { address, length } = prefixParts(subnet);
  return `subnet-${address.replaceAll(':', '-')}-${length}`;
}

/** The subnet of an object name, or undefined for any name leaseName does not give. */
export function subnetOfName(name: string): IpPrefix | undefined {
  const match = /^subnet-([^:]+)-(\d{1,3})$/.exec(name);
  if (match === null) return undefined;
  const subnet = `${(match[1] as string).replaceAll('-', ':')}/${match[2]}`;
  return isPrefix(subnet) ? subnet : undefined;
}

/** A node name as a label value: itself, or for names too long for a label its beginning and a checksum. */
export function nodeLabel(node: string): string {
  if (/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(node)) return node;
  const start = node
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[._-]+/, '')
    .slice(0, 50);
  return `${start === '' ? 'node' : start}-${digestHex(node, 8)}`;
}

/** The object of a record; with `base` (the object as last read) its version and all foreign keys are kept. */
export function leaseToObject(record: LeaseRecord, base?: KubeObject): KubeObject {
  const annotations: Record<string, string> = { ...base?.metadata.annotations };
  for (const key of Object.values(LEASE_ANNOTATIONS)) delete annotations[key];
  annotations[LEASE_ANNOTATIONS.subnet] = record.subnet;
  annotations[LEASE_ANNOTATIONS.backendType] = record.backendType;
  if (record.ownerUid !== '') annotations[LEASE_ANNOTATIONS.ownerUid] = record.ownerUid;
  if (record.publicIp !== undefined) annotations[LEASE_ANNOTATIONS.publicIp] = record.publicIp;
  if (record.backendData !== undefined)
    annotations[LEASE_ANNOTATIONS.backendData] = JSON.stringify(record.backendData);
  if (record.reserved) annotations[LEASE_ANNOTATIONS.reserved] = 'true';
  const metadata: ObjectMeta = {
    ...base?.metadata,
    name: leaseName(record.subnet),
    namespace: LEASE_NAMESPACE,
    labels: {
      ...base?.metadata.labels,
      [LEASE_LABELS.kind]: 'subnet-lease',
      [LEASE_LABELS.node]: nodeLabel(record.node),
      [LEASE_LABELS.family]: familyKeyOf(record.family),
    },
    annotations,
  };
  const spec = {
    ...(base?.['spec'] as object | undefined),
    holderIdentity: record.node,
    leaseDurationSeconds: record.durationSec,
    acquireTime: formatMicroTime(record.acquiredAtMs),
    renewTime: formatMicroTime(record.renewedAtMs),
  };
  return { ...base, apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata, spec };
}

/**
 * Reads a lease object; never throws. With a network configuration, subnets outside it or of another length are
 * refused as well. A lease without leaseDurationSeconds, or marked so, is a reservation, as a key without a time to
 * live is in flannel's etcd.
 */
export function leaseFromObject(object: unknown, netConf?: NetConf): LeaseReading {
  const reading = readOnce(asObject(object));
  if (!reading.ok || netConf === undefined) return reading;
  const { name, record } = reading;
  const unfit = unfitReason(record, netConf);
  return unfit === undefined ? reading : { ok: false, name, reason: unfit, subnet: record.subnet };
}

/** Objects never change, and of each change of one the overlay, this node's own lease and the census want to know. */
const readings = new WeakMap<Keys, LeaseReading>();

function readOnce(object: Keys): LeaseReading {
  let reading = readings.get(object);
  if (reading === undefined) readings.set(object, (reading = readObject(object)));
  return reading;
}

function readObject(object: Keys): LeaseReading {
  const meta = asObject(object['metadata']);
  const name = typeof meta['name'] === 'string' ? meta['name'] : '';
  const subnet = subnetOfName(name);
  try {
    return { ok: true, name, record: readRecord(object, meta, name, subnet) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ok: false, name, reason: error.message, ...(subnet === undefined ? {} : { subnet }) };
  }
}

/** Why a lease does not fit the configured networks, or undefined. */
export function unfitReason(record: LeaseRecord, netConf: NetConf): string | undefined {
  const pool = netConf[familyKeyOf(record.family)];
  if (pool === undefined)
    return `${record.subnet}: IPv${record.family} is not enabled in the network configuration`;
  return validateSubnet(pool, record.subnet);
}

class Refusal extends Error {}

type Keys = { readonly [key: string]: unknown };

function readRecord(object: Keys, meta: Keys, name: string, subnet: IpPrefix | undefined): LeaseRecord {
  const annotations = asObject(meta['annotations']);
  const labels = asObject(meta['labels']);
  const spec = asObject(object['spec']);
  if (object['kind'] !== undefined && object['kind'] !== 'Lease')
    throw new Refusal(`is a ${String(object['kind'])}, not a Lease`);
  if (labels[LEASE_LABELS.kind] !== 'subnet-lease')
    throw new Refusal(`is no subnet lease: label ${LEASE_LABELS.kind} is ${show(labels[LEASE_LABELS.kind])}`);
  if (subnet === undefined)
    throw new Refusal(`the name ${show(name)} names no subnet: expected one like "subnet-10.10.0.0-20"`);
  const told = annotations[LEASE_ANNOTATIONS.subnet];
  if (told !== undefined && told !== subnet)
    throw new Refusal(`annotation ${LEASE_ANNOTATIONS.subnet} is ${show(told)}, but the name says ${subnet}`);
  const family = familyOf(subnet);
  const reserved =
    annotations[LEASE_ANNOTATIONS.reserved] === 'true' ||
    (spec['leaseDurationSeconds'] ?? undefined) === undefined;
  const publicIp = readPublicIp(annotations, family);
  const backendData = readBackendData(annotations);
  return {
    family,
    subnet,
    node: readHolder(spec, reserved),
    ownerUid: textOf(annotations, LEASE_ANNOTATIONS.ownerUid) ?? '',
    ...(publicIp === undefined ? {} : { publicIp }),
    backendType: textOf(annotations, LEASE_ANNOTATIONS.backendType) ?? '',
    ...(backendData === undefined ? {} : { backendData }),
    acquiredAtMs: readTime(spec, 'acquireTime') ?? readTime(spec, 'renewTime') ?? 0,
    renewedAtMs: readTime(spec, 'renewTime') ?? neverRenewed(reserved),
    durationSec: readDuration(spec),
    reserved,
  };
}

function readHolder(spec: Keys, reserved: boolean): string {
  const holder = spec['holderIdentity'] ?? '';
  if (typeof holder !== 'string')
    throw new Refusal(`spec.holderIdentity is ${show(holder)}, not a node name`);
  if (holder === '' && !reserved) throw new Refusal('spec.holderIdentity is missing: the lease has no owner');
  return holder;
}

function readDuration(spec: Keys): number {
  const duration = spec['leaseDurationSeconds'] ?? LEASE_DURATION_SEC;
  if (typeof duration === 'number' && Number.isSafeInteger(duration) && duration > 0) return duration;
  throw new Refusal(`spec.leaseDurationSeconds is ${show(duration)}, not a positive number of seconds`);
}

function neverRenewed(reserved: boolean): 0 {
  if (reserved) return 0;
  throw new Refusal('spec.renewTime is missing: the lease has no end');
}

function readTime(spec: Keys, key: 'acquireTime' | 'renewTime'): number | undefined {
  const value = spec[key] ?? undefined;
  if (value === undefined) return undefined;
  const ms = typeof value === 'string' ? parseTimeMs(value) : undefined;
  if (ms === undefined) throw new Refusal(`spec.${key} is ${show(value)}, not an RFC 3339 time`);
  return ms;
}

function readPublicIp(annotations: Keys, family: IpFamily): string | undefined {
  const text = textOf(annotations, LEASE_ANNOTATIONS.publicIp);
  if (text === undefined) return undefined;
  const address = canonicalIp(text);
  // A node reached by IPv6 alone may hold an IPv4 subnet, so the families need not agree.
  if (address === undefined)
    throw new Refusal(
      `annotation ${LEASE_ANNOTATIONS.publicIp} is ${show(text)}, not an address (IPv${family} lease)`,
    );
  return address;
}

function readBackendData(annotations: Keys): BackendData | undefined {
  const text = textOf(annotations, LEASE_ANNOTATIONS.backendData);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as BackendData;
  } catch {
    throw new Refusal(`annotation ${LEASE_ANNOTATIONS.backendData} is ${show(text)}, not JSON`);
  }
}

function textOf(keys: Keys, key: string): string | undefined {
  const value = keys[key];
  if (value === undefined || typeof value === 'string') return value;
  throw new Refusal(`annotation ${key} is ${show(value)}, not a string`);
}

function asObject(value: unknown): Keys {
  return typeof value === 'object' && value !== null ? (value as Keys) : {};
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
