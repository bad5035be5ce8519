import { describe, expect, it } from 'vitest';
import { describeObject, type KernelObject, OVERLAY, ownerOf, stateOf } from '#core/kernel/index.ts';
import type { WireguardConfig } from '#core/lease/index.ts';
import { type NftObject, printRuleset } from '#core/nft/index.ts';
import {
  type Backend,
  ipipBackend,
  type LocalSubnet,
  type OwnAddresses,
  type RemoteSubnet,
  type Underlay,
  wireguardBackend,
} from './index.ts';

const UNDERLAY: Underlay = {
  link: 'eth0',
  mtuBytes: 1500,
  prefixes: ['192.0.2.0/24', '2001:db8::/64'],
  advertisedLinks: [],
};
const OWN: OwnAddresses = { ipv4: '192.0.2.1', ipv6: '2001:db8::1' };
const LOCALS: readonly LocalSubnet[] = [
  { node: 'a', family: 4, subnet: '10.10.16.0/20', publicIp: '192.0.2.1' },
  { node: 'a', family: 6, subnet: 'fd10:0:0:1::/64', publicIp: '2001:db8::1' },
];
const key = (byte: number) => btoa(String.fromCharCode(...Array<number>(32).fill(byte)));
const [PRIVATE, OWN_KEY, PEER_KEY, PSK] = [key(0x40), key(0x41), key(0x42), key(0x33)];
const remote = (family: 4 | 6, publicIp: string): RemoteSubnet => ({
  node: 'b',
  family,
  subnet: family === 4 ? '10.10.32.0/20' : 'fd10:0:0:2::/64',
  publicIp,
  backendData: { PublicKey: PEER_KEY },
});

const lines = (objects: readonly KernelObject[] | string) =>
  typeof objects === 'string' ? objects : objects.map(describeObject);
const isNft = (object: KernelObject): object is NftObject => object.kind.startsWith('nft-');

describe('ipip', () => {
  const backend = (directRouting: boolean) => ipipBackend({ type: 'ipip', directRouting }, UNDERLAY, OWN);

  it('has a device in each family, named as flannel does, and all of it is ours', () => {
    const objects = backend(false).planLocal(LOCALS);
    expect(lines(objects.filter((object) => !isNft(object)))).toEqual([
      'link flannel.ipip type ipip local 192.0.2.1 mtu 1480 up',
      'address 10.10.16.0/32 dev flannel.ipip',
      'route unreachable 10.10.16.0/20 metric 65000',
      'rule -4 10112 from 10.10.16.0/20 lookup 112',
      'sysctl net/ipv4/ip_forward=1',
      'link flannel-v6.ipip type ip6tnl external mtu 1460 up',
      'address fd10:0:0:1::/128 dev flannel-v6.ipip',
      'route unreachable fd10:0:0:1::/64 metric 65000',
      'rule -6 10112 from fd10:0:0:1::/64 lookup 112',
      'sysctl net/ipv6/conf/all/forwarding=1',
    ]);
    const state = stateOf(objects);
    for (const object of objects)
      if (object.kind !== 'sysctl') expect(ownerOf(object, state), describeObject(object)).toBe(OVERLAY);
  });

  it('takes packets from known nodes only, to the address the device has, and lets nobody behind the node send any', () => {
    const objects = [
      ...backend(false).planLocal(LOCALS),
      ...(backend(false).planRemote(remote(4, '192.0.2.2')) as readonly KernelObject[]),
      ...(backend(false).planRemote(remote(6, '2001:db8::2')) as readonly KernelObject[]),
    ];
    const text = printRuleset(objects.filter(isNft));
    expect(text.match(/elements = .*/g)).toEqual(['elements = { 192.0.2.2 }', 'elements = { 2001:db8::2 }']);
    expect(text.match(/^\t\t.*(notrack|drop)$/gm)?.map((line) => line.trim())).toEqual([
      'ip saddr @peers4 meta l4proto ipencap notrack',
      'ip6 saddr @peers6 meta l4proto ipv6 notrack',
      'ip daddr @peers4 meta l4proto ipencap notrack',
      'ip6 daddr @peers6 meta l4proto ipv6 notrack',
      'ip saddr != @peers4 ip daddr 192.0.2.1 meta l4proto ipencap counter packets 0 bytes 0 drop',
      'ip6 saddr != @peers6 meta l4proto ipv6 counter packets 0 bytes 0 drop',
      'iifname != "eth0" ip daddr @peers4 meta l4proto ipencap counter packets 0 bytes 0 drop',
      'iifname != "eth0" ip6 daddr @peers6 meta l4proto ipv6 counter packets 0 bytes 0 drop',
    ]);
  });

  it('sends outer packets to the node of a subnet, and with DirectRouting goes without where no router is between', () => {
    const far4 = [
      'route 10.10.32.0/20 via 198.51.100.2 dev flannel.ipip onlink',
      'route 198.51.100.2/32 via 198.51.100.2 dev flannel.ipip onlink table 112',
      'nft element inet poplin-overlay peers4 198.51.100.2',
    ];
    const hop6 = 'encap ip6 dst 2001:db8:1::2 src 2001:db8::1 hoplimit 64 dev flannel-v6.ipip';
    const far6 = [
      `route fd10:0:0:2::/64 ${hop6}`,
      `route 2001:db8:1::2/128 ${hop6} table 112`,
      'nft element inet poplin-overlay peers6 2001:db8:1::2',
    ];
    for (const directRouting of [false, true]) {
      expect(lines(backend(directRouting).planRemote(remote(4, '198.51.100.2')))).toEqual(far4);
      expect(lines(backend(directRouting).planRemote(remote(6, '2001:db8:1::2')))).toEqual(far6);
    }
    expect(lines(backend(true).planRemote(remote(4, '192.0.2.2')))).toEqual([
      'route 10.10.32.0/20 via 192.0.2.2 dev eth0',
      'nft element inet poplin-overlay peers4 192.0.2.2',
    ]);
    expect(lines(backend(true).planRemote(remote(6, '2001:db8::2')))).toEqual([
      'route fd10:0:0:2::/64 via 2001:db8::2 dev eth0',
      'nft element inet poplin-overlay peers6 2001:db8::2',
    ]);
    expect(backend(false).planRemote(remote(4, '2001:db8::2'))).toBe(
      'its public address 2001:db8::2 is not IPv4',
    );
  });

  it('leaves pods what an outer header leaves', () => {
    expect(backend(false).podMtuBytes([4])).toBe(1480);
    expect(backend(false).podMtuBytes([4, 6])).toBe(1460);
    const narrow = ipipBackend({ type: 'ipip', directRouting: false }, { ...UNDERLAY, mtuBytes: 1300 }, OWN);
    expect(() => narrow.podMtuBytes([6])).toThrow('an underlay MTU of 1300 bytes leaves 1260 for pods');
  });
});

describe('wireguard', () => {
  const backend = (config: Partial<WireguardConfig> = {}, own = OWN, networks: string[] = []): Backend =>
    wireguardBackend(
      {
        type: 'wireguard',
        listenPort: 51_820,
        listenPortV6: 51_821,
        mode: 'separate',
        persistentKeepaliveSec: 0,
        ...config,
      },
      UNDERLAY,
      { own, networks, keys: { privateKey: PRIVATE, publicKey: OWN_KEY } },
    );

  it('has a device in each family in mode separate, and one in all others', () => {
    const devices = (mode: WireguardConfig['mode']) =>
      lines(
        backend({ mode })
          .planLocal(LOCALS)
          .filter(({ kind }) => /^(link|wireguard|address)/.test(kind)),
      );
    expect(devices('separate')).toEqual([
      'link flannel-wg type wireguard mtu 1420 up',
      'wireguard dev flannel-wg listen-port 51820',
      'link flannel-wg-v6 type wireguard mtu 1420 up',
      'wireguard dev flannel-wg-v6 listen-port 51821',
      'address 10.10.16.0/32 dev flannel-wg',
      'address fd10:0:0:1::/128 dev flannel-wg-v6',
    ]);
    for (const mode of ['auto', 'ipv4', 'ipv6'] as const)
      expect(devices(mode)).toEqual([
        'link flannel-wg type wireguard mtu 1420 up',
        'wireguard dev flannel-wg listen-port 51820',
        'address 10.10.16.0/32 dev flannel-wg',
        'address fd10:0:0:1::/128 dev flannel-wg',
      ]);
    expect(stateOf(backend({ mode: 'auto' }).planLocal(LOCALS)).size).toBeGreaterThan(0);
  });

  it('publishes its key as flannel does, and wants a peer with its subnet and its address', () => {
    expect(backend().offer('a', 4)).toEqual({ PublicKey: OWN_KEY });
    expect(lines(backend({ psk: PSK }).planRemote(remote(6, '2001:db8:1::2')))).toEqual([
      `wireguard peer ${PEER_KEY} dev flannel-wg-v6 endpoint [2001:db8:1::2]:51821`,
      `wireguard allowed-ip fd10:0:0:2::/64 dev flannel-wg-v6 peer ${PEER_KEY}`,
      `wireguard allowed-ip 2001:db8:1::2/128 dev flannel-wg-v6 peer ${PEER_KEY}`,
      'route fd10:0:0:2::/64 dev flannel-wg-v6',
      'route 2001:db8:1::2/128 dev flannel-wg-v6 table 112',
    ]);
    const secrets = (psk?: string) =>
      (
        backend(psk === undefined ? {} : { psk }).planRemote(
          remote(4, '192.0.2.2'),
        ) as readonly KernelObject[]
      )
        .filter((object) => object.kind === 'wireguard-peer')
        .map(({ presharedKey }) => presharedKey);
    expect([secrets(PSK), secrets()]).toEqual([[PSK], ['']]);
  });

  it.each<[mode: WireguardConfig['mode'], own: OwnAddresses, ip4: string, ip6: string, chosen: string]>([
    ['ipv4', OWN, '198.51.100.2', '2001:db8:1::2', '198.51.100.2'],
    ['ipv6', OWN, '198.51.100.2', '2001:db8:1::2', '2001:db8:1::2'],
    ['auto', OWN, '198.51.100.2', '2001:db8:1::2', '198.51.100.2'],
    ['auto', OWN, '10.0.0.2', '2001:db8:1::2', '2001:db8:1::2'],
    ['auto', OWN, '10.0.0.2', 'fd00::2', '10.0.0.2'],
    ['auto', { ...OWN, ipv6: 'fd00::1' }, '10.0.0.2', '2001:db8:1::2', '10.0.0.2'],
    ['auto', { ipv6: '2001:db8::1' }, '198.51.100.2', '2001:db8:1::2', '2001:db8:1::2'],
  ])('mode %s of %j takes of %s and %s the endpoint %s', (mode, own, ip4, ip6, chosen) => {
    const peers = [remote(4, ip4), remote(6, ip6)].flatMap((each) => {
      const objects = backend({ mode }, own).planRemote(each) as readonly KernelObject[];
      return objects.filter((object) => object.kind === 'wireguard-peer');
    });
    const [first] = peers.toSorted((a, b) => (a.rank ?? 0) - (b.rank ?? 0));
    expect(first?.endpoint).toEqual({ address: chosen, port: 51_820 });
    expect(new Set(peers.map(({ link }) => link)).size).toBe(1);
  });

  it.each<[string, unknown, string]>([
    ['without backend data', undefined, 'its backend data has no PublicKey of 32 bytes in base64'],
    [
      'with a key that is none',
      { PublicKey: 'abc' },
      'its backend data has no PublicKey of 32 bytes in base64',
    ],
    [
      'with this key',
      { PublicKey: OWN_KEY },
      "its PublicKey is this node's own: one of the two has a copied",
    ],
  ])('says why a lease %s is not used', (_name, backendData, text) => {
    const { backendData: _, ...rest } = remote(4, '192.0.2.2');
    expect(
      backend().planRemote({
        ...rest,
        ...(backendData !== undefined && { backendData: backendData as never }),
      }),
    ).toEqual(expect.stringContaining(text));
  });

  it('refuses what no peer has instead of sending it in clear, unless nodes live in that network', () => {
    const stops = (networks: string[]) =>
      lines(backend({}, OWN, networks).planLocal(LOCALS))
        .toString()
        .match(/unreachable [^ ]+/g);
    const own = ['unreachable 10.10.16.0/20', 'unreachable fd10:0:0:1::/64'];
    expect(stops(['10.10.0.0/16', 'fd10::/48'])).toEqual([
      ...own,
      'unreachable 10.10.0.0/16',
      'unreachable fd10::/48',
    ]);
    expect(stops(['192.0.0.0/8', '2001:db8::/32'])).toEqual(own);
  });

  it('leaves pods 80 bytes less, of its own MTU if that is set, and wants a family for its endpoints', () => {
    expect(backend().podMtuBytes([4, 6])).toBe(1420);
    expect(backend({ mtuBytes: 1400 }).podMtuBytes([4])).toBe(1320);
    expect(backend({ mtuBytes: 9000 }).podMtuBytes([4])).toBe(1420);
    expect(() => backend({ mode: 'ipv4' }).podMtuBytes([6])).toThrow('Backend.Mode "ipv4"');
    expect(() => backend({ mode: 'ipv6' }).podMtuBytes([4])).toThrow('Backend.Mode "ipv6"');
  });
});
