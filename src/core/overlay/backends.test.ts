import { describe, expect, it } from 'vitest';
import { describeObject } from '#core/kernel/index.ts';
import type { VxlanConfig } from '#core/lease/index.ts';
import type { LocalSubnet, RemoteSubnet, Underlay } from './backend.ts';
import { hostGwBackend } from './host-gw.ts';
import { leasesOnly } from './leases-only.ts';
import { vxlanBackend } from './vxlan-backend.ts';

const UNDERLAY: Underlay = {
  link: 'eth0',
  mtuBytes: 1500,
  prefixes: ['192.0.2.0/24', '2001:db8::/64'],
  advertisedLinks: ['eth0'],
};
const LOCALS: readonly LocalSubnet[] = [
  { node: 'a', family: 4, subnet: '10.10.1.0/24', publicIp: '192.0.2.1' },
  { node: 'a', family: 6, subnet: 'fd10:0:0:1::/64', publicIp: '2001:db8::1' },
];
const NEAR: readonly RemoteSubnet[] = [
  { node: 'b', family: 4, subnet: '10.10.2.0/24', publicIp: '192.0.2.2' },
  { node: 'b', family: 6, subnet: 'fd10:0:0:2::/64', publicIp: '2001:db8::2' },
];
const FAR: readonly RemoteSubnet[] = [
  { node: 'c', family: 4, subnet: '10.10.3.0/24', publicIp: '198.51.100.3' },
  { node: 'c', family: 6, subnet: 'fd10:0:0:3::/64', publicIp: '2001:db8:9::3' },
];
const VXLAN: VxlanConfig = {
  type: 'vxlan',
  vni: 1,
  port: 8472,
  gbp: false,
  directRouting: true,
  learning: false,
};
const describeAll = (objects: string | readonly Parameters<typeof describeObject>[0][]) =>
  typeof objects === 'string' ? objects : objects.map(describeObject);

describe('host-gw', () => {
  const backend = hostGwBackend({ type: 'host-gw' }, UNDERLAY);

  it('has a route by each node of the same network, at the full MTU', () => {
    expect(NEAR.flatMap((remote) => describeAll(backend.planRemote(remote)))).toEqual([
      'route 10.10.2.0/24 via 192.0.2.2 dev eth0',
      'route fd10:0:0:2::/64 via 2001:db8::2 dev eth0',
    ]);
    expect(backend.podMtuBytes([4, 6])).toBe(1500);
  });

  it('names a node that is behind a router, and what reaches it', () => {
    for (const remote of FAR) {
      expect(backend.planRemote(remote)).toContain(
        `a router lies between this node and ${remote.publicIp}, and host-gw reaches only what is in a network of eth0 (192.0.2.0/24, 2001:db8::/64)`,
      );
      expect(backend.planRemote(remote)).toContain('use vxlan with DirectRouting');
    }
  });

  it('forwards, and refuses what no pod has', () => {
    expect(describeAll(backend.planLocal(LOCALS))).toEqual([
      'route unreachable 10.10.1.0/24 metric 65000',
      'sysctl net/ipv4/ip_forward=1',
      'route unreachable fd10:0:0:1::/64 metric 65000',
      'sysctl net/ipv6/conf/eth0/accept_ra=2',
      'sysctl net/ipv6/conf/all/forwarding=1',
    ]);
  });
});

describe('vxlan with DirectRouting', () => {
  const backend = vxlanBackend(VXLAN, UNDERLAY);
  const withEnd = (remote: RemoteSubnet, node = remote.node) => {
    const backendData = backend.offer(node, remote.family);
    return { ...remote, ...(backendData !== undefined && { backendData }) };
  };

  it('reaches nodes of the same network by plain routes, and takes what they send through the tunnel', () => {
    expect(NEAR.flatMap((remote) => describeAll(backend.planRemote(withEnd(remote))))).toEqual([
      'route 10.10.2.0/24 via 192.0.2.2 dev eth0',
      'nft element inet poplin-overlay peers4 192.0.2.2',
      'route fd10:0:0:2::/64 via 2001:db8::2 dev eth0',
      'nft element inet poplin-overlay peers6 2001:db8::2',
    ]);
  });

  it('reaches others through the tunnel', () => {
    for (const remote of FAR)
      expect(describeAll(backend.planRemote(withEnd(remote)))).toContainEqual(
        expect.stringContaining(`fdb `),
      );
  });

  it('leaves pods what the tunnel leaves, and no MTU beyond the link’s', () => {
    expect(backend.podMtuBytes([4])).toBe(1450);
    expect(backend.podMtuBytes([4, 6])).toBe(1430);
    expect(vxlanBackend({ ...VXLAN, mtuBytes: 1400 }, UNDERLAY).podMtuBytes([4])).toBe(1350);
    expect(vxlanBackend({ ...VXLAN, mtuBytes: 9000 }, UNDERLAY).podMtuBytes([4])).toBe(1450);
    expect(() => vxlanBackend({ ...VXLAN, mtuBytes: 1300 }, UNDERLAY).podMtuBytes([4, 6])).toThrow(
      'an underlay MTU of 1300 bytes leaves 1230 for pods, and IPv6 needs 1280: raise it to 1350',
    );
  });
});

describe('alloc and extension', () => {
  it('have nothing in the kernel, and tell what they were told to', () => {
    const backend = leasesOnly({ type: 'alloc' }, UNDERLAY, 'x');
    expect([backend.planLocal(LOCALS), ...NEAR.map(backend.planRemote)]).toEqual([[], [], []]);
    expect([backend.type, backend.offer('a', 4), backend.podMtuBytes([4, 6])]).toEqual(['alloc', 'x', 1500]);
  });
});
