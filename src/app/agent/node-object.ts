/** The Node object of this machine: who it is in the store, and, where no kubelet does it, its registration. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { SubnetLease } from '#core/lease/index.ts';
import {
  isAlreadyExists,
  isNotFound,
  type KubeObject,
  type ObjectStore,
  RESOURCES,
} from '#core/store/index.ts';
import type { NodeAddresses } from './node-addresses.ts';

/** The node's UID in the store. Makes the object if `register`; else a missing node is an error that says what to do. */
export async function findNode(
  store: ObjectStore,
  name: string,
  register: boolean,
  signal: AbortSignal,
): Promise<string> {
  try {
    return uidOf(await store.get(RESOURCES.nodes, name, { signal }));
  } catch (error) {
    if (!isNotFound(error)) throw error;
    if (!register) {
      throw new Error(
        `node "${name}" is not in the store: name an existing one with --node-name, or add --register-node`,
        {
          cause: error,
        },
      );
    }
  }
  const node: KubeObject = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' } },
    spec: {},
  };
  try {
    return uidOf(await store.create(RESOURCES.nodes, node, { signal }));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return uidOf(await store.get(RESOURCES.nodes, name, { signal }));
  }
}

function uidOf(node: KubeObject): string {
  const { uid } = node.metadata;
  if (uid === undefined)
    throw new Error(`node "${node.metadata.name}" has no uid: the store is no API server`);
  return uid;
}

/** What a node says of itself in the store. */
export interface NodeNews {
  readonly addresses: Pick<NodeAddresses, 'ipv4' | 'ipv6'>;
  readonly lease: SubnetLease;
  readonly ready: boolean;
  readonly nowMs: number;
}

/** Publishes what a kubelet would: addresses, pod subnets, readiness. */
export async function publishNode(
  store: ObjectStore,
  name: string,
  { addresses, lease, ready, nowMs }: NodeNews,
  signal: AbortSignal,
): Promise<void> {
  const podCIDRs = [lease.ipv4?.subnet, lease.ipv6?.subnet].filter((subnet) => subnet !== undefined);
  await store.patch(RESOURCES.nodes, name, 'merge', { spec: { podCIDR: podCIDRs[0], podCIDRs } }, { signal });
  const ips = [addresses.ipv4, addresses.ipv6].filter((address) => address !== undefined);
  const time = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
  const status = {
    addresses: [
      ...ips.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: name },
    ],
    conditions: [
      condition('NetworkUnavailable', !ready, ready ? 'PoplinIsUp' : 'PoplinIsStarting', time),
      condition('Ready', ready, ready ? 'PoplinIsUp' : 'PoplinIsStarting', time),
    ],
    nodeInfo: nodeInfo(),
  };
  await store.patch(RESOURCES.nodes, name, 'merge', { status }, { signal, subresource: 'status' });
}

function condition(type: string, is: boolean, reason: string, time: string): object {
  return { type, status: is ? 'True' : 'False', reason, lastHeartbeatTime: time, lastTransitionTime: time };
}

function nodeInfo(): object {
  return {
    kernelVersion: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
    osImage: osImage(),
    operatingSystem: 'linux',
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    containerRuntimeVersion: '',
    kubeletVersion: '',
  };
}

function osImage(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux';
  } catch {
    return 'Linux';
  }
}

/** The node's name where none is given: the environment's NODE_NAME, or the host's name. */
export function defaultNodeName(env: Readonly<Record<string, string | undefined>>): string {
  return env['NODE_NAME'] || hostname().toLowerCase();
}
