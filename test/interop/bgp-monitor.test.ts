/** What we write for others to read: GoBGP reads our table from MRT, BIRD's has the bytes of ours, and so has GoBGP's BMP. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  encodePeerDown,
  encodePeerIndex,
  encodePeerUp,
  encodeRouteMonitoring,
  encodeTableEntry,
} from '#core/bgp/monitor/index.ts';
import type { PathAttributes } from '#core/bgp/session/index.ts';
import { decodeMessage } from '#core/bgp/wire/index.ts';
import { BgpEndpoint } from '#io/bgp/index.ts';
import { systemClock } from '#io/clock/index.ts';
import { BgpLan } from './bgp/lan.ts';
import { Bird, Gobgp } from './bgp/peers.ts';
import { Station } from './bgp/station.ts';

const lan = new BgpLan('us', 'gobgp', 'bird');
const us = lan.node('us');
const PLAIN = { addPathSend: false, addPathReceive: false, extendedNextHop: false };
const BMP_PORT = 11_019;
let gobgp: Gobgp;
let station: Endpoint;

/** Takes whatever comes. */
class Endpoint implements Disposable {
  bytes: Uint8Array = new Uint8Array(0);
  readonly #endpoint: BgpEndpoint;

  constructor() {
    const { namespace, ipv4 } = us;
    this.#endpoint = BgpEndpoint.open({ clock: systemClock, namespace, port: BMP_PORT, addresses: [ipv4] });
    this.#endpoint.add({
      peer: '10.77.0.0/24',
      onStream: (stream) =>
        stream.start({
          onBytes: (bytes) => {
            this.bytes = Uint8Array.from([...this.bytes, ...bytes]);
          },
          onEnd: () => {},
          onDrain: () => {},
        }),
    });
  }

  [Symbol.dispose](): void {
    this.#endpoint.close();
  }

  /** Whole messages of a type. */
  messages(type: number): Uint8Array[] {
    const out: Uint8Array[] = [];
    const view = new DataView(this.bytes.buffer);
    for (let at = 0; at + 6 <= this.bytes.length; ) {
      const length = view.getUint32(at + 1);
      if (this.bytes[at + 5] === type && at + length <= this.bytes.length)
        out.push(this.bytes.slice(at, at + length));
      at += length;
    }
    return out;
  }
}

const GOBGP = `
[global.config]
  as = 65002
  router-id = "10.77.0.2"
[global.apply-policy.config]
  default-import-policy = "accept-route"
  default-export-policy = "accept-route"
[[bmp-servers]]
  [bmp-servers.config]
    address = "10.77.0.1"
    port = ${BMP_PORT}
    route-monitoring-policy = "pre-policy"
[[neighbors]]
  [neighbors.config]
    neighbor-address = "10.77.0.1"
    peer-as = 65001
  [neighbors.timers.config]
    connect-retry = 1
    idle-hold-time-after-reset = 1
  [neighbors.transport.config]
    local-address = "10.77.0.2"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
`;

beforeAll(async () => {
  station = new Endpoint();
  gobgp = await Gobgp.start(lan, 'gobgp', GOBGP);
}, 60_000);

afterAll(async () => {
  await gobgp?.end();
  station?.[Symbol.dispose]();
  lan[Symbol.dispose]();
});

test('a table of ours is read from MRT', () => {
  const attributes: PathAttributes = {
    origin: 'igp',
    asPath: [{ type: 'sequence', asns: [4_200_000_000, 7] }],
    nextHop: '10.77.0.9',
    med: 3,
    communities: [0xfde9_0001],
    largeCommunities: [[65_001, 2, 3]],
  };
  const peers = [{ routerId: 0x0a4d0009, address: '10.77.0.9', asn: 4_200_000_000 }];
  const route = { peerIndex: 0, originatedSec: 1_700_000_000 };
  const records = [
    encodePeerIndex(1_700_000_000, { routerId: 1 }, peers),
    encodeTableEntry(1_700_000_000, 0, '10.240.0.0/12', [{ ...route, attributes }]),
    encodeTableEntry(1_700_000_000, 1, '10.240.0.0/12', [{ ...route, attributes, pathId: 7 }]),
  ];
  const file = join(lan.folder, 'table.mrt');
  writeFileSync(file, Buffer.concat(records));
  const read = gobgp.gobgp('-d', 'mrt', 'inject', 'global', file);
  expect(read).toContain('Peers [[PEER ENTRY: ID [10.77.0.9] Addr [10.77.0.9] AS [4200000000]]]');
  const attributesRead =
    '{Origin: i} 4200000000 7 {Nexthop: 10.77.0.9} {Med: 3} {Communities: 65001:1} {LargeCommunity: [ 65001:2:3]}';
  expect(read).toContain('RIB: Seq [0] Prefix [10.240.0.0/12] Entries [[RIB_ENTRY: PeerIndex [0]');
  expect(read).toContain(`OriginatedTime [1700000000] PathAttributes [[${attributesRead}]]`);
  expect(read).toContain(`PathIdentifier[7] PathAttributes [[${attributesRead}]]`);
});

test('a route of IPv6 has the bytes that BIRD gives it in MRT', async () => {
  const config = `
    router id 10.77.0.3;
    protocol device {}
    protocol bgp peer { neighbor 10.77.0.1 as 65001; local as 65003; connect delay time 1; error wait time 1, 1;
      ipv6 { import all; export none; }; }`;
  const bird = await Bird.start(lan, 'bird', config);
  try {
    await using session = new Station({
      node: us,
      peer: lan.node('bird'),
      config: { peerAsn: 65_003, families: new Map([[6, PLAIN]]) },
    });
    await session.agreed();
    session.announce(6, { nextHop: us.ipv6, med: 3 }, 'fd00:201::/32');
    await session.until('no route', () => bird.ctl('show route').includes('fd00:201::/32'));
    const file = join(lan.folder, 'bird.mrt');
    bird.ctl(`mrt dump table "master6" to "${file}"`);
    const record = await vi.waitFor(() => {
      const found = recordsOf(readFileSync(file)).find((each) => each.readUInt16BE(6) === 4);
      if (found === undefined) throw new Error('no record');
      return found;
    });
    const asPath = [{ type: 'sequence' as const, asns: [65_001] }];
    const attributes: PathAttributes = { origin: 'igp', asPath, nextHop: us.ipv6, med: 3 };
    const route = { peerIndex: record.readUInt16BE(23), originatedSec: record.readUInt32BE(25), attributes };
    const ours = encodeTableEntry(record.readUInt32BE(0), record.readUInt32BE(12), 'fd00:201::/32', [route]);
    // BIRD has its attributes in the order of their numbers, and adds a LOCAL_PREF of its own.
    expect(record.subarray(0, 8).equals(ours.subarray(0, 8))).toBe(true);
    expect(record.subarray(12, 29).equals(ours.subarray(12, 29))).toBe(true);
    const reach = Buffer.from(ours.subarray(31, 31 + 20));
    expect(reach.subarray(0, 4).toString('hex')).toBe('800e1110');
    expect(record.includes(reach)).toBe(true);
    expect(record.includes(Buffer.from(ours.subarray(51)))).toBe(true);
  } finally {
    await bird.end();
  }
});

function recordsOf(bytes: Buffer): Buffer[] {
  const out: Buffer[] = [];
  for (let at = 0; at + 12 <= bytes.length; ) {
    const end = at + 12 + bytes.readUInt32BE(at + 8);
    out.push(bytes.subarray(at, end));
    at = end;
  }
  return out;
}

describe('BMP', () => {
  const messageBytes = (bytes: Uint8Array, at: number): Uint8Array => {
    const length = (bytes[at + 16]! << 8) | bytes[at + 17]!;
    return bytes.slice(at, at + length);
  };
  /** The time of the per-peer header is theirs. */
  const timeOf = (bytes: Uint8Array) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return view.getUint32(6 + 34) * 1000 + view.getUint32(6 + 38) / 1000;
  };
  const peer = { address: us.ipv4, asn: 65_001, routerId: 0x0a4d0001 };

  test('of a peer that comes up, tells routes and goes is written as GoBGP writes it', async () => {
    {
      await using session = new Station({ node: us, peer: lan.node('gobgp') });
      await session.agreed();
      session.announce(4, { nextHop: us.ipv4 }, '10.201.0.0/16');
      const [up] = await vi.waitFor(() => {
        const found = station.messages(3);
        expect(found).toHaveLength(1);
        return found as [Uint8Array];
      });
      // Behind both headers: our address as GoBGP sees it is the peer's, its own is the local one.
      const view = new DataView(up.buffer);
      const sent = messageBytes(up, 68);
      const received = messageBytes(up, 68 + sent.length);
      const ends = {
        localAddress: lan.node('gobgp').ipv4,
        localPort: view.getUint16(64),
        remotePort: view.getUint16(66),
        sent,
        received,
      };
      expect(encodePeerUp({ ...peer, timeMs: timeOf(up) }, ends)).toEqual(up);
      expect(decodeMessage(received)).toMatchObject({ type: 'open', open: { asn: 65_001 } });
      const routes = await vi.waitFor(() => {
        const found = station
          .messages(0)
          .find((bytes) => decodeMessage(messageBytes(bytes, 48)).type === 'update' && bytes.length > 80);
        if (found === undefined) throw new Error('no routes');
        return found;
      });
      expect(encodeRouteMonitoring({ ...peer, timeMs: timeOf(routes) }, routes.subarray(48))).toEqual(routes);
    }
    const [down] = await vi.waitFor(() => {
      const found = station.messages(2);
      expect(found).toHaveLength(1);
      return found as [Uint8Array];
    });
    const end = { by: 'peer', notification: messageBytes(down, 49) } as const;
    expect(decodeMessage(end.notification).type).toBe('notification');
    expect(encodePeerDown({ ...peer, timeMs: timeOf(down) }, end)).toEqual(down);
  });
});
