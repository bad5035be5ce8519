import fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { describeObject, OVERLAY } from '#core/kernel/index.ts';
import {
  type LeaseRecord,
  leaseFromObject,
  leaseName,
  leaseToObject,
  type NetConf,
  type RegistryEntry,
  type VxlanConfig,
} from '#core/lease/index.ts';
import { type Backend, type Underlay, udpBackend, vxlanBackend } from '#core/overlay/index.ts';
import type { KubeObject } from '#core/store/index.ts';
import { FakeKernel } from '#testing/fake-kernel/index.ts';
import { SimClock } from '#testing/sim-clock.ts';
import { KernelLoop } from './kernel-loop.ts';
import { loopOfNetwork } from './network-loop.ts';
import { OverlayFeed } from './overlay-feed.ts';

const VXLAN: VxlanConfig = {
  type: 'vxlan',
  vni: 1,
  port: 8472,
  gbp: false,
  directRouting: false,
  learning: false,
};
const UNDERLAY: Underlay = { link: 'eth0', mtuBytes: 1500, prefixes: [], advertisedLinks: [] };
const NET_CONF: NetConf = {
  ipv4: { network: '10.10.0.0/16', subnetLen: 24, subnetMin: '10.10.0.0', subnetMax: '10.10.255.0' },
  ipv6: { network: 'fd10::/48', subnetLen: 64, subnetMin: 'fd10::', subnetMax: 'fd10:0:0:ffff::' },
  enableNFTables: false,
  backend: VXLAN,
};

const PEER: LeaseRecord = {
  family: 4,
  subnet: '10.10.2.0/24',
  node: 'node-b',
  ownerUid: 'uid-b',
  publicIp: '192.0.2.2',
  backendType: 'vxlan',
  backendData: { VNI: 1, VtepMAC: '02:00:00:00:00:02' },
  acquiredAtMs: 1000,
  renewedAtMs: 1000,
  durationSec: 86_400,
  reserved: false,
};
const PEER6: LeaseRecord = { ...PEER, family: 6, subnet: 'fd10:0:0:2::/64', publicIp: '2001:db8::2' };

const lease = (change: Partial<LeaseRecord> = {}) => leaseToObject({ ...PEER, ...change });

/** As the registry of Lease objects reads it. */
function entryOf(object: KubeObject): RegistryEntry {
  const reading = leaseFromObject(object, NET_CONF);
  const { name } = object.metadata;
  if (!reading.ok) return { name, refused: reading.reason };
  const { record } = reading;
  return { name, own: record.node === 'node-a' && record.ownerUid === 'uid-a', record };
}

function setUp(families: readonly (4 | 6)[] = [4, 6], backend: Backend = vxlanBackend(VXLAN, UNDERLAY)) {
  const logger = pino({ level: 'silent' });
  const clock = new SimClock();
  const loop = new KernelLoop({
    kernel: new FakeKernel(),
    owners: [OVERLAY],
    clock,
    random: () => 0,
    logger,
  });
  const overlay = new OverlayFeed({
    loop: loopOfNetwork(loop, 0),
    backend,
    families,
    publicIps: ['192.0.2.1', '2001:db8::1'],
    logger,
  });
  const feed = {
    sync: (items: readonly KubeObject[]) => overlay.sync(items.map(entryOf)),
    upsert: (item: KubeObject) => overlay.upsert(entryOf(item)),
    remove: (item: KubeObject) => overlay.remove(item.metadata.name),
    carry: (list: readonly (4 | 6)[]) => overlay.carry(list),
    connection: (state: 'up' | 'down', cause?: Error) => overlay.connection(state, cause),
    refusalTexts: () => overlay.refusalTexts(),
    get connected() {
      return overlay.connected;
    },
  };
  feed.carry(families);
  const wanted = () => [...loop.desired.state.values()].map(describeObject).sort();
  return { loop, feed, overlay, wanted };
}

const PEER_OBJECTS = [
  'fdb 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.2',
  'neighbour 10.10.2.0 lladdr 02:00:00:00:00:02 dev flannel.1',
  'nft element inet poplin-overlay peers4 192.0.2.2',
  'route 10.10.2.0/24 via 10.10.2.0 dev flannel.1 onlink',
  'route 192.0.2.2/32 via 10.10.2.0 dev flannel.1 onlink table 112',
];

describe('OverlayFeed', () => {
  it('wants for each remote lease a neighbour, a forwarding entry, a peer and routes', () => {
    const { feed, wanted } = setUp();
    feed.sync([lease(), leaseToObject(PEER6)]);
    expect(wanted()).toEqual(
      [
        ...PEER_OBJECTS,
        'fdb 02:00:00:00:00:02 dev flannel-v6.1 dst 2001:db8::2',
        'neighbour fd10:0:0:2:: lladdr 02:00:00:00:00:02 dev flannel-v6.1',
        'nft element inet poplin-overlay peers6 2001:db8::2',
        'route 2001:db8::2/128 via fd10:0:0:2:: dev flannel-v6.1 onlink table 112',
        'route fd10:0:0:2::/64 via fd10:0:0:2:: dev flannel-v6.1 onlink',
      ].sort(),
    );
  });

  it('wants nothing for its own leases, for reservations without a node, and in families it has no part in', () => {
    const { feed, wanted } = setUp([4]);
    const { publicIp: _, ...unclaimed } = { ...PEER, subnet: '10.10.3.0/24', reserved: true };
    feed.sync([
      lease({ node: 'node-a', ownerUid: 'uid-a' }),
      leaseToObject(unclaimed),
      leaseToObject({ ...PEER6, publicIp: '2001:db8::2' }),
    ]);
    expect([wanted(), feed.refusalTexts()]).toEqual([[], []]);
  });

  it('takes another machine of its own name for another node', () => {
    const { feed, wanted } = setUp();
    feed.sync([lease({ node: 'node-a', ownerUid: 'another' })]);
    expect(wanted()).toEqual(PEER_OBJECTS);
  });

  it('takes a lease without a type for one of udp, as flannel writes them, and for no other', () => {
    const { backendData: _, ...typeless } = { ...PEER, backendType: '' };
    const entry = { name: '10.10.2.0-24', own: false, record: typeless };
    const udp = setUp([4], udpBackend({ type: 'udp', port: 8285 }, UNDERLAY));
    udp.overlay.sync([entry]);
    expect(udp.wanted()).toContain('route 10.10.2.0/24 dev flannel0');
    const vxlan = setUp([4]);
    vxlan.overlay.sync([entry]);
    expect([vxlan.wanted(), vxlan.feed.refusalTexts()]).toEqual([
      [],
      [expect.stringContaining('backend "": this node speaks vxlan')],
    ]);
  });

  it.each<[string, Partial<LeaseRecord>, string]>([
    ['has no address', { publicIp: undefined as unknown as string }, 'it has no public address'],
    [
      'has an address of the other family',
      { publicIp: '2001:db8::2' },
      'its public address 2001:db8::2 is not IPv4',
    ],
    [
      'has the address of this very node',
      { publicIp: '192.0.2.1' },
      'its public address 192.0.2.1 is this node\'s own: node "node-b" had it before',
    ],
    ['is of another backend', { backendType: 'host-gw' }, 'backend "host-gw": this node speaks vxlan'],
    [
      'names no tunnel end',
      { backendData: { VNI: 1 } },
      'its backend data name no VXLAN tunnel end (VNI and VtepMAC)',
    ],
    [
      'is of another network',
      { backendData: { VNI: 7, VtepMAC: '02:00:00:00:00:02' } },
      'VNI 7, this node has 1',
    ],
    [
      'has no MAC address',
      { backendData: { VNI: 1, VtepMAC: 'x' } },
      'its VtepMAC "x" is no MAC address of a device',
    ],
    [
      'has the MAC address of a group',
      { backendData: { VNI: 1, VtepMAC: '01:00:5E:00:00:01' } },
      'its VtepMAC "01:00:5e:00:00:01" is no MAC address of a device',
    ],
    [
      'has a MAC address of zeros',
      { backendData: { VNI: 1, VtepMAC: '00:00:00:00:00:00' } },
      'its VtepMAC "00:00:00:00:00:00" is no MAC address of a device',
    ],
    ['is not of the network', { subnet: '10.99.0.0/24' }, '10.99.0.0/24 is outside the network 10.10.0.0/16'],
    ['is of another length', { subnet: '10.10.0.0/20' }, '10.10.0.0/20 is a /20, the network gives out /24'],
  ])('names a lease that %s, leaves it out, and uses it once it is right', (_, change, reason) => {
    const { feed, wanted } = setUp();
    const { publicIp, ...rest } = { ...PEER, ...change };
    const object = leaseToObject(publicIp === undefined ? rest : { ...rest, publicIp });
    feed.sync([object]);
    expect([wanted(), feed.refusalTexts()]).toEqual([[], [`${object.metadata.name}: ${reason}`]]);
    feed.upsert({ ...lease(), metadata: { ...lease().metadata, name: leaseName(PEER.subnet) } });
    expect(wanted()).toEqual(PEER_OBJECTS);
    feed.remove(object);
    expect(feed.refusalTexts()).toEqual([]);
  });

  it('reads a MAC address in any spelling', () => {
    const { feed, wanted } = setUp();
    feed.sync([lease({ backendData: { VNI: 1, VtepMAC: '02-00-00-00-00-02' } })]);
    expect(wanted()).toEqual(PEER_OBJECTS);
  });

  it('follows a node to its new host, and forgets it when it goes', () => {
    const { feed, wanted } = setUp();
    feed.sync([lease()]);
    feed.upsert(lease({ publicIp: '192.0.2.9', backendData: { VNI: 1, VtepMAC: '02:00:00:00:00:09' } }));
    expect(wanted()).toContain('fdb 02:00:00:00:00:09 dev flannel.1 dst 192.0.2.9');
    expect(wanted()).toHaveLength(5);
    feed.remove(lease());
    expect(wanted()).toEqual([]);
  });

  it('drops what a later list does not show', () => {
    const { feed, wanted } = setUp();
    feed.sync([lease(), lease({ subnet: '10.10.3.0/24', backendType: 'host-gw' })]);
    feed.sync([leaseToObject(PEER6)]);
    expect(wanted()).toHaveLength(5);
    expect(feed.refusalTexts()).toEqual([]);
  });

  it('believes the later of two leases that claim one address and one MAC', () => {
    const old = lease({ ownerUid: 'before', subnet: '10.10.1.0/24' });
    const now = lease({ acquiredAtMs: 2000, publicIp: '192.0.2.9' });
    const oldest = lease({ acquiredAtMs: 500, node: 'node-z', subnet: '10.10.0.0/24' });
    for (const order of [
      [old, now, oldest],
      [now, oldest, old],
      [oldest, old, now],
    ]) {
      const { feed, wanted } = setUp();
      for (const each of order) feed.upsert(each);
      expect(wanted()).toContain('fdb 02:00:00:00:00:02 dev flannel.1 dst 192.0.2.9');
      expect(wanted()).toContain('route 192.0.2.2/32 via 10.10.1.0 dev flannel.1 onlink table 112');
    }
  });

  it('wants remote subnets in no family before it is told to carry it, and none after', () => {
    const { feed, wanted } = setUp();
    feed.carry([]);
    feed.sync([lease(), leaseToObject(PEER6)]);
    expect(wanted()).toEqual([]);
    feed.carry([4]);
    expect(wanted()).toEqual(PEER_OBJECTS);
    feed.carry([]);
    expect(wanted()).toEqual([]);
  });

  it('keeps everything while the store is away', () => {
    const { feed, wanted } = setUp();
    expect(feed.connected).toBe(false);
    feed.sync([lease()]);
    expect(feed.connected).toBe(true);
    feed.connection('down', new Error('connection refused'));
    expect([feed.connected, wanted()]).toEqual([false, PEER_OBJECTS]);
    feed.connection('up');
    expect(feed.connected).toBe(true);
  });

  it('survives any object', () => {
    const text = fc.oneof(
      fc.string(),
      fc.constantFrom('192.0.2.2', '2001:db8::2', 'vxlan', 'true', '{"VNI":1}'),
    );
    const objects = fc.record({
      name: fc.oneof(fc.string(), fc.constantFrom('subnet-10.10.2.0-24', 'subnet-fd10---64')),
      annotations: fc.dictionary(
        fc
          .constantFrom('subnet', 'public-ip', 'backend-type', 'backend-data', 'owner-uid', 'reserved')
          .map((key) => `poplin.dev/${key}`),
        text,
      ),
      labels: fc.constantFrom({}, { 'poplin.dev/kind': 'subnet-lease' }),
      spec: fc.oneof(fc.jsonValue(), fc.constant({ holderIdentity: 'b', renewTime: '2024-01-01T00:00:00Z' })),
    });
    fc.assert(
      fc.property(fc.array(objects), (list) => {
        const { feed } = setUp();
        const items = list.map(
          ({ name, annotations, labels, spec }): KubeObject => ({
            apiVersion: 'v1',
            kind: 'Lease',
            metadata: { name, annotations, labels },
            spec,
          }),
        );
        feed.sync(items);
        for (const item of items) feed.upsert(item);
        for (const item of items) feed.remove(item);
      }),
    );
  });
});
