import { describe, expect, it } from 'vitest';
import { FURTHER_NETWORKS, keyOf, OVERLAY, overlayOwner, ownerOf, stateOf } from '#core/kernel/index.ts';
import { planForward, planMasquerade } from '#core/masquerade/index.ts';
import { asOfNetwork } from './further-network.ts';
import { udpBackend } from './udp.ts';
import { vxlanBackend } from './vxlan-backend.ts';
import { wireguardBackend } from './wireguard.ts';

/** With the zero at the end. */
const IFNAMSIZ = 16;
const UNDERLAY = { link: 'eth0', mtuBytes: 1500, prefixes: [], advertisedLinks: [] };
const VXLAN = {
  type: 'vxlan',
  vni: 1,
  port: 8472,
  gbp: false,
  directRouting: false,
  learning: false,
} as const;

const WIREGUARD = {
  type: 'wireguard',
  mode: 'separate',
  listenPort: 51_820,
  listenPortV6: 51_821,
  persistentKeepaliveSec: 0,
} as const;
const KEYS = { privateKey: 'private', publicKey: 'own' };

/** All that a node of both families and two nodes beside it want. */
function wanted(network: number) {
  const vni = network + 1;
  const backends = [
    vxlanBackend({ ...VXLAN, vni }, { ...UNDERLAY, network }),
    udpBackend({ type: 'udp', port: 8285 + network }, { ...UNDERLAY, network }),
    wireguardBackend(WIREGUARD, { ...UNDERLAY, network }, { keys: KEYS, own: {}, networks: [] }),
  ];
  const local = [4, 6].map((family) => ({
    node: 'a',
    family: family as 4 | 6,
    subnet: family === 4 ? `10.${network}.1.0/24` : `fd0${network}:0:0:1::/64`,
    publicIp: family === 4 ? '192.0.2.1' : '2001:db8::1',
  }));
  const remote = local.map((each) => ({
    ...each,
    node: 'b',
    subnet: each.family === 4 ? `10.${network}.2.0/24` : `fd0${network}:0:0:2::/64`,
    publicIp: each.family === 4 ? '192.0.2.2' : '2001:db8::2',
    backendData: { VNI: vni, VtepMAC: '02:00:00:00:00:02', PublicKey: `${'A'.repeat(43)}=` },
  }));
  const networks = local.map(({ family, subnet }) => ({ family, subnet, network: subnet }));
  const objects = backends.flatMap((backend) => [
    ...backend.planLocal(local),
    ...remote.flatMap((each) => backend.planRemote(each) as never[]),
  ]);
  const rules = [
    ...planMasquerade(networks, { isFullyRandom: true, overlayLinks: [] }),
    ...planForward(networks),
  ];
  // Two backends of one node want some things both.
  return [
    ...new Map(
      [...objects, ...rules].map((object) => [keyOf(object), asOfNetwork(network)(object)]),
    ).values(),
  ];
}

describe('asOfNetwork', () => {
  it('leaves the first network as it is', () => {
    const [object] = wanted(0);
    expect(object && asOfNetwork(0)(object)).toBe(object);
  });

  it('gives every object of a further network the marks of that one, and a place of its own', () => {
    const first = wanted(0);
    const firstKeys = new Set(first.map(keyOf));
    for (let network = 1; network <= FURTHER_NETWORKS; network++) {
      const objects = wanted(network);
      expect(objects).toHaveLength(first.length);
      const state = stateOf(objects);
      const shared = objects.filter((object) => firstKeys.has(keyOf(object)));
      // Forwarding is the host's, whoever wants it.
      expect(new Set(shared.map(({ kind }) => kind))).toEqual(new Set(['sysctl']));
      const owners = new Set(objects.map((object) => ownerOf(object, state)));
      expect(owners).toEqual(new Set([overlayOwner(network), undefined]));
      const names = objects.flatMap((object) => (object.kind === 'link' ? [object.name] : []));
      expect(names.filter((name) => name.length > IFNAMSIZ - 1)).toEqual([]);
    }
  });

  it('keeps the objects of others, of CNI above all', () => {
    const route = { kind: 'route', dst: '10.1.1.2/32', nextHops: [{ link: 'pop1' }], protocol: 113 } as const;
    expect(asOfNetwork(3)(route)).toEqual(route);
  });

  it('has marks for so many networks and no more', () => {
    expect(overlayOwner(0)).toBe(OVERLAY);
    expect(() => overlayOwner(FURTHER_NETWORKS + 1)).toThrow('a host has 8 networks at most');
  });
});
