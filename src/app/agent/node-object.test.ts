import { describe, expect, it } from 'vitest';
import type { SubnetLease } from '#core/lease/index.ts';
import { type KubeObject, RESOURCES, StoreError } from '#core/store/index.ts';
import { FakeStore } from '#testing/fake-store/index.ts';
import type { NodeAddresses } from './node-addresses.ts';
import { defaultNodeName, findNode, publishNode } from './node-object.ts';

const { signal } = new AbortController();
const { nodes } = RESOURCES;

const ADDRESSES: NodeAddresses = {
  link: { kind: 'link', name: 'eth0', detail: { type: 'other', linkKind: 'physical' } },
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  reason: 'told',
};
const LEASE: SubnetLease = {
  node: 'node-a',
  ownerUid: 'uid',
  ipv4: { subnet: '10.10.0.0/24' },
  ipv6: { subnet: 'fd10::/64' },
  backendType: 'vxlan',
  renewedAtMs: 0,
  durationSec: 86_400,
  reserved: false,
};

describe('findNode', () => {
  it('registers a node once and finds it again with the same uid', async () => {
    const store = new FakeStore();
    const uid = await findNode(store, 'node-a', true, signal);
    expect(uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(await findNode(store, 'node-a', true, signal)).toBe(uid);
    expect(await findNode(store, 'node-a', false, signal)).toBe(uid);
    expect((await store.get(nodes, 'node-a')).metadata.labels).toEqual({
      'kubernetes.io/hostname': 'node-a',
      'kubernetes.io/os': 'linux',
    });
  });

  it('says what to do where the node is missing and must not be made', async () => {
    await expect(findNode(new FakeStore(), 'node-a', false, signal)).rejects.toThrow(
      'node "node-a" is not in the store: name an existing one with --node-name, or add --register-node',
    );
  });

  it('takes the node that another made at the same moment', async () => {
    const store = new FakeStore();
    const both = await Promise.all([
      findNode(store, 'node-a', true, signal),
      findNode(store, 'node-a', true, signal),
    ]);
    expect(both[0]).toBe(both[1]);
  });

  it('passes other answers on', async () => {
    const store = new FakeStore();
    store.failNext(new StoreError(403, 'Forbidden', 'nodes is forbidden'));
    await expect(findNode(store, 'node-a', true, signal)).rejects.toThrow('nodes is forbidden');
  });
});

describe('publishNode', () => {
  async function published(ready: boolean, lease = LEASE, addresses = ADDRESSES): Promise<KubeObject> {
    const store = new FakeStore();
    await findNode(store, 'node-a', true, signal);
    const nowMs = Date.UTC(2024, 0, 1, 12, 30, 5, 678);
    await publishNode(store, 'node-a', { addresses, lease, ready, nowMs }, signal);
    return store.get(nodes, 'node-a');
  }

  it('writes what a kubelet would, in both families', async () => {
    const node = await published(true);
    expect(node['spec']).toEqual({ podCIDR: '10.10.0.0/24', podCIDRs: ['10.10.0.0/24', 'fd10::/64'] });
    expect(node['status']).toMatchObject({
      addresses: [
        { type: 'InternalIP', address: '192.0.2.1' },
        { type: 'InternalIP', address: '2001:db8::1' },
        { type: 'Hostname', address: 'node-a' },
      ],
      conditions: [
        { type: 'NetworkUnavailable', status: 'False', reason: 'PoplinIsUp' },
        { type: 'Ready', status: 'True', lastHeartbeatTime: '2024-01-01T12:30:05Z' },
      ],
      nodeInfo: { operatingSystem: 'linux' },
    });
  });

  it('says that the network is not there while it is not', async () => {
    expect((await published(false))['status']).toMatchObject({
      conditions: [
        { type: 'NetworkUnavailable', status: 'True', reason: 'PoplinIsStarting' },
        { type: 'Ready', status: 'False', reason: 'PoplinIsStarting' },
      ],
    });
  });

  it('writes one family where there is one', async () => {
    const { ipv4: _, ...lease } = LEASE;
    const { ipv4: __, ...addresses } = ADDRESSES;
    const node = await published(true, lease, addresses);
    expect(node['spec']).toEqual({ podCIDR: 'fd10::/64', podCIDRs: ['fd10::/64'] });
  });
});

describe('defaultNodeName', () => {
  it('is what the environment says, else the name of the host in lower case', () => {
    expect(defaultNodeName({ NODE_NAME: 'from-env' })).toBe('from-env');
    expect(defaultNodeName({})).toMatch(/^[^A-Z]+$/);
    expect(defaultNodeName({ NODE_NAME: '' })).toBe(defaultNodeName({}));
  });
});
