import { describe, expect, it } from 'vitest';
import { describeObject, type KernelObject, stateOf } from '#core/kernel/index.ts';
import { type NftObject, printRuleset } from '#core/nft/index.ts';
import type { LocalSubnet, RemoteSubnet, Underlay } from './backend.ts';
import { tunnelLinkName, udpBackend } from './udp.ts';

const UNDERLAY: Underlay = {
  link: 'eth0',
  mtuBytes: 1500,
  prefixes: ['192.0.2.0/24', '2001:db8::/64'],
  advertisedLinks: ['eth0'],
};
const LOCAL4: LocalSubnet = { node: 'a', family: 4, subnet: '10.10.1.0/24', publicIp: '192.0.2.1' };
const LOCAL6: LocalSubnet = { node: 'a', family: 6, subnet: 'fd10:0:0:1::/64', publicIp: '2001:db8::1' };
const REMOTE4: RemoteSubnet = { node: 'b', family: 4, subnet: '10.10.2.0/24', publicIp: '192.0.2.2' };
const REMOTE6: RemoteSubnet = { node: 'b', family: 6, subnet: 'fd10:0:0:2::/64', publicIp: '2001:db8::2' };

const backend = udpBackend({ type: 'udp', port: 8285 }, UNDERLAY);
const isNft = (object: KernelObject): object is NftObject => object.kind.startsWith('nft-');
const lines = (objects: readonly KernelObject[] | string) =>
  typeof objects === 'string' ? objects : objects.filter((each) => !isNft(each)).map(describeObject);
const rulesOf = (objects: readonly KernelObject[]) => printRuleset(objects.filter(isNft));

describe('udp', () => {
  it('has a TUN device for each family, as large as the underlay allows', () => {
    expect(lines(backend.planLocal([LOCAL4, LOCAL6]))).toEqual([
      'link flannel0 type tun mode tun mtu 1472 up',
      'address 10.10.1.0/32 dev flannel0',
      'route unreachable 10.10.1.0/24 metric 65000',
      'rule -4 10112 from 10.10.1.0/24 lookup 112',
      'sysctl net/ipv4/ip_forward=1',
      'link flannel-v6.0 type tun mode tun mtu 1452 up',
      'address fd10:0:0:1::/128 dev flannel-v6.0',
      'route unreachable fd10:0:0:1::/64 metric 65000',
      'rule -6 10112 from fd10:0:0:1::/64 lookup 112',
      'sysctl net/ipv6/conf/eth0/accept_ra=2',
      'sysctl net/ipv6/conf/all/forwarding=1',
    ]);
  });

  it('has a route for each remote subnet, and one by which pods reach its node', () => {
    expect([REMOTE4, REMOTE6].flatMap((remote) => lines(backend.planRemote(remote)))).toEqual([
      'route 10.10.2.0/24 dev flannel0',
      'route 192.0.2.2/32 dev flannel0 table 112',
      'route fd10:0:0:2::/64 dev flannel-v6.0',
      'route 2001:db8::2/128 dev flannel-v6.0 table 112',
    ]);
  });

  it('lets datagrams in from known nodes only, past connection tracking', () => {
    const remotes = [REMOTE4, REMOTE6].flatMap((remote) => backend.planRemote(remote) as KernelObject[]);
    const text = rulesOf([...backend.planLocal([LOCAL4, LOCAL6]), ...remotes]);
    expect(text).toContain('elements = { 192.0.2.2 }');
    expect(text).toContain('elements = { 2001:db8::2 }');
    expect(text).toContain('ip saddr != @peers4 udp dport 8285 counter packets 0 bytes 0 drop');
    expect(text).toContain('ip6 saddr != @peers6 udp dport 8285 counter packets 0 bytes 0 drop');
    expect(text).toContain('udp dport 8285 notrack');
  });

  it('takes its port from the configuration', () => {
    const other = udpBackend({ type: 'udp', port: 7890 }, UNDERLAY);
    expect(rulesOf(other.planLocal([LOCAL4]))).toContain('udp dport 7890');
    expect(rulesOf(other.planLocal([LOCAL4]))).not.toContain('8285');
  });

  it('counts 28 bytes for IPv4 and 48 for IPv6, and pods get what fits both', () => {
    expect(backend.podMtuBytes([4])).toBe(1472);
    expect(backend.podMtuBytes([6])).toBe(1452);
    expect(backend.podMtuBytes([4, 6])).toBe(1452);
    const narrow = udpBackend({ type: 'udp', port: 8285 }, { ...UNDERLAY, mtuBytes: 1320 });
    expect(narrow.podMtuBytes([4])).toBe(1292);
    expect(() => narrow.podMtuBytes([6])).toThrow('raise it to 1328, or leave IPv6 out');
  });

  it('tells other nodes nothing, as flannel, and wants nothing twice', () => {
    expect(backend.offer('a', 4)).toBeUndefined();
    const all = backend.planLocal([LOCAL4, LOCAL6]);
    const remotes = [REMOTE4, REMOTE6].flatMap((remote) => backend.planRemote(remote) as KernelObject[]);
    expect(() => stateOf([...all, ...remotes])).not.toThrow();
  });

  it('names no family that the node has no part in', () => {
    expect(JSON.stringify(backend.planLocal([LOCAL4]))).not.toMatch(/ipv6|v6|peers6/);
    expect(JSON.stringify(backend.planLocal([LOCAL6]))).not.toMatch(/ipv4|flannel0|peers4/);
    expect(tunnelLinkName(6).length).toBeLessThanOrEqual(15);
  });
});
