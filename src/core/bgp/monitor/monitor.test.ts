import { describe, expect, test } from 'vitest';
import { fromHex, hex } from '#base/bytes.ts';
import type { PathAttributes } from '../model.ts';
import { type Capabilities, ceaseOf, encodeMessage } from '../wire/index.ts';
import {
  encodeInitiation,
  encodePeerDown,
  encodePeerUp,
  encodeRouteMonitoring,
  encodeStatistics,
  encodeTermination,
} from './bmp.ts';
import { encodeHeardMessage, encodePeerIndex, encodeStateChange, encodeTableEntry } from './mrt.ts';

const bytesOf = (text: string) => fromHex(text.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, ''));
const MARKER = 'ff'.repeat(16);
const KEEPALIVE = bytesOf(`${MARKER} 0013 04`);
const TIME = 0x65000000;

const ATTRIBUTES: PathAttributes = {
  origin: 'igp',
  asPath: [{ type: 'sequence', asns: [65_001] }],
  nextHop: '10.77.0.1',
  localPref: 100,
};

describe('MRT', () => {
  test('has a list of peers before its routes', () => {
    const peers = [
      { routerId: 0x0a000001, address: '10.77.0.1', asn: 65_001 },
      { routerId: 0x0a000002, address: 'fd00:77::2', asn: 4_200_000_000 },
    ];
    expect(encodePeerIndex(TIME, { routerId: 0x0a4d0009, viewName: 'v' }, peers)).toEqual(
      bytesOf(`
      65000000 000d 0001 0000002f       # TABLE_DUMP_V2, PEER_INDEX_TABLE, 47 bytes
      0a4d0009 0001 76 0002             # collector, view "v", two peers
      02 0a000001 0a4d0001 0000fde9
      03 0a000002 fd000077000000000000000000000002 fa56ea00
    `),
    );
  });

  test('has a record for each prefix', () => {
    const route = { peerIndex: 1, originatedSec: TIME, attributes: ATTRIBUTES };
    expect(encodeTableEntry(TIME, 7, '10.201.0.0/16', [route])).toEqual(
      bytesOf(`
      65000000 000d 0002 0000002c       # RIB_IPV4_UNICAST
      00000007 10 0ac9 0001             # 10.201.0.0/16, one route
      0001 65000000 001b
      40 01 01 00  40 02 06 02 01 0000fde9  40 03 04 0a4d0001  40 05 04 00000064
    `),
    );
  });

  test('of IPv6 has the next hop alone for MP_REACH_NLRI, and of many paths their numbers', () => {
    const attributes = { ...ATTRIBUTES, nextHop: 'fd00::1' };
    const route = { peerIndex: 0, originatedSec: 1, attributes, pathId: 9 };
    expect(encodeTableEntry(TIME, 0, 'fd00:201::/32', [route])).toEqual(
      bytesOf(`
      65000000 000d 000a 0000003f       # RIB_IPV6_UNICAST_ADDPATH
      00000000 20 fd000201 0001
      0000 00000001 00000009 0028
      80 0e 11 10 fd000000000000000000000000000001
      40 01 01 00  40 02 06 02 01 0000fde9  40 05 04 00000064
    `),
    );
  });

  const session = { peerAsn: 65_002, localAsn: 65_001, peerAddress: '10.77.0.2', localAddress: '10.77.0.1' };

  test('tells how a session changes', () => {
    expect(encodeStateChange(TIME, session, 'open-confirm', 'established')).toEqual(
      bytesOf('65000000 0010 0005 00000018 0000fdea 0000fde9 0000 0001 0a4d0002 0a4d0001 0005 0006'),
    );
  });

  test.each([
    [true, false, '0004', '0000fdea 0000fde9', 39],
    [false, false, '0001', 'fdea fde9', 35],
    [true, true, '0009', '0000fdea 0000fde9', 39],
    [false, true, '0008', 'fdea fde9', 35],
  ])(
    'tells what was heard (four octets %s, paths %s)',
    (hasFourOctetAsn, hasPathIds, subtype, asns, length) => {
      const body = `${asns} 0000 0001 0a4d0002 0a4d0001 ${hex(KEEPALIVE)}`;
      expect(encodeHeardMessage(TIME, session, KEEPALIVE, { hasFourOctetAsn, hasPathIds })).toEqual(
        bytesOf(`65000000 0010 ${subtype} 000000${length.toString(16)} ${body}`),
      );
    },
  );
});

describe('BMP', () => {
  const peer = { address: '10.77.0.2', asn: 65_002, routerId: 0x0a000002, timeMs: TIME * 1000 + 250 };
  const HEADER = `00 00 ${'00'.repeat(8)} ${'00'.repeat(12)} 0a4d0002 0000fdea 0a000002 65000000 0003d090`;
  const capabilities: Capabilities = {
    hasRouteRefresh: false,
    hasEnhancedRefresh: false,
    hasExtendedMessages: false,
    extendedNextHop: [],
    addPath: new Map(),
    longLived: new Map(),
  };
  const openOf = (asn: number) =>
    encodeMessage({ type: 'open', open: { asn, holdTimeSec: 9, routerId: 1, capabilities } });
  const noteOf = (subcode: number) => encodeMessage({ type: 'notification', notification: ceaseOf(subcode) });

  test('begins, and ends', () => {
    expect(encodeInitiation({ name: 'n', description: 'd' })).toEqual(
      bytesOf('03 00000010 04 0001 0001 64 0002 0001 6e'),
    );
    expect(encodeTermination(0)).toEqual(bytesOf('03 0000000c 05 0001 0002 0000'));
    expect(encodeTermination(1, 'x')).toEqual(bytesOf('03 00000011 05 0000 0001 78 0001 0002 0001'));
  });

  test('tells of a peer that comes up, with both OPENs', () => {
    const session = {
      localAddress: 'fd00::1',
      localPort: 179,
      remotePort: 4000,
      sent: openOf(1),
      received: openOf(2),
    };
    const open = (asn: string) => `${MARKER} 001d 01 04 ${asn} 0009 00000001 00`;
    expect(encodePeerUp(peer, session)).toEqual(
      bytesOf(
        `03 0000007e 03 ${HEADER} fd000000000000000000000000000001 00b3 0fa0 ${open('0001')} ${open('0002')}`,
      ),
    );
  });

  test.each([
    ['our NOTIFICATION', { by: 'us', notification: noteOf(2) } as const, `01 ${MARKER} 0015 03 06 02`],
    ['an event of ours', { by: 'us', event: 10 } as const, '02 000a'],
    [
      "the peer's NOTIFICATION",
      { by: 'peer', notification: noteOf(4) } as const,
      `03 ${MARKER} 0015 03 06 04`,
    ],
    ['the network', { by: 'network' } as const, '04'],
    ['configuration', { by: 'configuration' } as const, '05'],
  ])('tells of a peer that goes down by %s', (_name, end, expected) => {
    const body = bytesOf(`${HEADER} ${expected}`);
    expect(encodePeerDown(peer, end)).toEqual(
      bytesOf(`03 ${(6 + body.length).toString(16).padStart(8, '0')} 02 ${hex(body)}`),
    );
  });

  test('tells of routes by their UPDATE, and says where they were seen', () => {
    const seen = {
      ...peer,
      address: 'fd00::2',
      hasTwoOctetAsns: true,
      isAfterPolicy: true,
      isOutgoing: true,
    };
    const bytes = encodeRouteMonitoring(seen, KEEPALIVE);
    expect(bytes[7]).toBe(0xf0);
    expect(bytes.subarray(48)).toEqual(KEEPALIVE);
    expect(hex(bytes.subarray(16, 32))).toBe('fd000000000000000000000000000002');
  });

  test('tells numbers of either size', () => {
    const values = new Map<number, number | bigint>([
      [0, 5],
      [7, 6n],
    ]);
    expect(encodeStatistics(peer, values)).toEqual(
      bytesOf(`03 00000048 01 ${HEADER} 00000002 0000 0004 00000005 0007 0008 0000000000000006`),
    );
  });
});
