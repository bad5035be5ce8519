import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromHex, hex } from '#base/bytes.ts';
import { formatIp, networkOf } from '#base/ip/index.ts';
import { isDecodeError } from '#core/codec/index.ts';
import { IS_SOAK, runs } from '#testing/soak.ts';
import { thrownBy } from '#testing/thrown.ts';
import type { AsPathSegment, Nlri, PathAttributes, RouteFamily } from '../model.ts';
import type { AgreedFamily } from '../ports.ts';
import { AttributeMemory } from './attribute-memory.ts';
import { ATTRIBUTE_ROWS, MP_REACH, MP_UNREACH } from './attribute-table.ts';
import type { UpdateContext } from './attributes.ts';
import { MessageError } from './error.ts';
import { decodeMessage, HEADER_BYTES } from './message.ts';
import { type DecodedUpdate, UpdateDecoder } from './update-decoder.ts';
import { encodeEndOfRib, encodeUpdate, encodeWithdrawal } from './update-encoder.ts';

const PLAIN: AgreedFamily = { addPathSend: false, addPathReceive: false, extendedNextHop: false };
const CONTEXT: UpdateContext = {
  hasFourOctetAsn: true,
  relation: 'internal',
  peerAsn: 65_001,
  maxMessageBytes: 4096,
  families: new Map([
    [4, { ...PLAIN, extendedNextHop: true }],
    [6, PLAIN],
  ]),
};
const EXTERNAL: UpdateContext = { ...CONTEXT, relation: 'external' };
const ADD_PATH: AgreedFamily = { addPathSend: true, addPathReceive: true, extendedNextHop: true };

const bytesOf = (text: string) => fromHex(text.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, ''));
const decode = (body: Uint8Array, context = CONTEXT) => new UpdateDecoder(context).decode(body);

function u16(value: number): string {
  return value.toString(16).padStart(4, '0');
}

/** The body of an UPDATE from its three parts in hexadecimal digits. */
function bodyOf(withdrawn: string, attributes: string, nlri: string): Uint8Array {
  const [first, second, third] = [withdrawn, attributes, nlri].map(bytesOf) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  return concat(bytesOf(u16(first.length)), first, bytesOf(u16(second.length)), second, third);
}

const ORIGIN = '40 01 01 00';
const AS_PATH = '40 02 06 02 01 0000fde9';
const NEXT_HOP = '40 03 04 0a4d0001';
const MANDATORY = `${ORIGIN} ${AS_PATH} ${NEXT_HOP}`;
const NLRI = '10 0ac9';
const REACH6 = '80 0e 1a 0002 01 10 fd000077000000000000000000000001 00 20 fd000201';

const octets = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const number = fc.integer({ min: 0, max: 0xffff_ffff });
const asn = fc.oneof(fc.integer({ min: 1, max: 0xffff }), fc.integer({ min: 0x1_0000, max: 0xffff_ffff }));
const ipv4 = octets(4).map((bytes) => formatIp(bytes.with(0, 10)));
const ipv6 = octets(16).map((bytes) => formatIp(bytes.with(0, 0xfd)));
const segment: fc.Arbitrary<AsPathSegment> = fc.record(
  {
    type: fc.constantFrom('sequence', 'set', 'confed-sequence', 'confed-set'),
    asns: fc.array(asn, { minLength: 1, maxLength: 4 }),
  },
  { noNullPrototype: true },
);

const attributesOf = (nextHop: fc.Arbitrary<string>): fc.Arbitrary<PathAttributes> =>
  fc.record(
    {
      origin: fc.constantFrom('igp', 'egp', 'incomplete'),
      asPath: fc.array(segment, { maxLength: 3 }),
      nextHop,
      med: number,
      localPref: number,
      atomicAggregate: fc.constant(true),
      aggregator: fc.record({ asn, address: ipv4 }, { noNullPrototype: true }),
      communities: fc.array(number, { minLength: 1, maxLength: 70 }),
      extendedCommunities: fc.array(
        octets(8).map((bytes) => hex(bytes)),
        { minLength: 1, maxLength: 3 },
      ),
      largeCommunities: fc.array(fc.tuple(number, number, number), { minLength: 1, maxLength: 3 }),
      originatorId: number,
      clusterList: fc.array(number, { minLength: 1, maxLength: 3 }),
      unknown: fc.constantFrom(
        [{ type: 11, flags: 0xe0, value: Uint8Array.of(1) }],
        [
          { type: 25, flags: 0xe0, value: new Uint8Array(20) },
          { type: 200, flags: 0xe0, value: new Uint8Array(300) },
        ],
      ),
    },
    { requiredKeys: ['origin', 'asPath', 'nextHop'], noNullPrototype: true },
  ) as fc.Arbitrary<PathAttributes>;

const nlriOf = (family: RouteFamily): fc.Arbitrary<Nlri[]> =>
  fc.array(
    fc
      .tuple(octets(family === 4 ? 4 : 16), fc.integer({ min: 0, max: family === 4 ? 32 : 128 }), number)
      .map(([bytes, length, pathId]) => ({ prefix: networkOf(`${formatIp(bytes)}/${length}`), pathId })),
    { minLength: 1, maxLength: 400 },
  );

const withoutIds = (nlri: readonly Nlri[]) => nlri.map(({ prefix }) => ({ prefix }));

/** What the messages say together; all are of the length they claim and no longer than agreed. */
function readBack(messages: readonly Uint8Array[], context: UpdateContext): DecodedUpdate[] {
  const decoder = new UpdateDecoder(context);
  return messages.map((bytes) => {
    expect(bytes.length).toBeLessThanOrEqual(context.maxMessageBytes);
    expect((bytes[16]! << 8) | bytes[17]!).toBe(bytes.length);
    const message = decodeMessage(bytes);
    if (message.type !== 'update') throw new Error(message.type);
    return decoder.decode(message.body);
  });
}

describe.each<[string, RouteFamily, fc.Arbitrary<string>]>([
  ['IPv4', 4, ipv4],
  ['IPv4 behind IPv6 next hops', 4, ipv6],
  ['IPv6', 6, ipv6],
])('routes of %s', (_name, family, nextHop) => {
  const update = fc.tuple(attributesOf(nextHop), nlriOf(family));

  test.each([
    ['with paths numbered', ADD_PATH, 4096],
    ['with one path each', { ...PLAIN, extendedNextHop: true }, 4096],
    ['in extended messages', ADD_PATH, 65_535],
  ] as const)('announced %s are the same, written and read again', (_how, agreed, maxMessageBytes) => {
    const context: UpdateContext = { ...CONTEXT, maxMessageBytes, families: new Map([[family, agreed]]) };
    fc.assert(
      fc.property(update, ([attributes, all]) => {
        const nlri = agreed.addPathSend ? all : withoutIds(all);
        const { messages, unsent } = encodeUpdate({ family, attributes, nlri }, context);
        expect(unsent).toEqual([]);
        const read = readBack(messages, context);
        for (const each of read) {
          expect(each.faults).toEqual([]);
          expect(each.withdrawn).toEqual([]);
          expect(each.announced[0]!.attributes).toEqual(attributes);
        }
        expect(read.flatMap(({ announced }) => announced[0]!.nlri)).toEqual(nlri);
      }),
      runs(60, 2000),
    );
  });

  test('withdrawn are the same, written and read again', () => {
    const context: UpdateContext = { ...CONTEXT, families: new Map([[family, ADD_PATH]]) };
    fc.assert(
      fc.property(nlriOf(family), (nlri) => {
        const { messages } = encodeWithdrawal({ family, nlri }, context);
        const read = readBack(messages, context);
        expect(read.flatMap(({ withdrawn }) => withdrawn[0]!.nlri)).toEqual(nlri);
        expect(read.flatMap(({ faults, announced }) => [...faults, ...announced])).toEqual([]);
      }),
      runs(60, 2000),
    );
  });

  test('are written through a peer with AS numbers of two octets, and read again whole', () => {
    const context: UpdateContext = { ...CONTEXT, hasFourOctetAsn: false };
    const sequence = fc.record(
      { type: fc.constant('sequence' as const), asns: fc.array(asn, { minLength: 1, maxLength: 5 }) },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(update, fc.array(sequence, { minLength: 1, maxLength: 1 }), ([attributes, all], asPath) => {
        const nlri = withoutIds(all.slice(0, 3));
        const sent = { ...attributes, asPath };
        // AS_TRANS of its own tells a reader that the other attributes are to be believed.
        fc.pre(sent.aggregator === undefined || sent.aggregator.asn > 0xffff);
        const { messages } = encodeUpdate({ family, attributes: sent, nlri }, context);
        expect(readBack(messages, context)[0]!.announced[0]!.attributes).toEqual(sent);
      }),
      runs(60, 2000),
    );
  });

  test('whose attributes fill the message are not sent, and are named', () => {
    const attributes: PathAttributes = {
      origin: 'igp',
      asPath: [],
      nextHop: family === 4 && nextHop === ipv4 ? '10.0.0.1' : 'fd00::1',
      communities: Array.from({ length: 1100 }, (_, i) => i),
    };
    const nlri = [{ prefix: family === 4 ? '10.0.0.0/8' : 'fd00::/8' }];
    expect(encodeUpdate({ family, attributes, nlri }, CONTEXT)).toEqual({ messages: [], unsent: nlri });
    const roomy = encodeUpdate({ family, attributes, nlri }, { ...CONTEXT, maxMessageBytes: 65_535 });
    expect(roomy.unsent).toEqual([]);
  });

  test('end with a mark', () => {
    const bytes = encodeEndOfRib(family);
    expect(readBack([bytes], CONTEXT)).toEqual([
      { withdrawn: [], announced: [], endOfRib: family, faults: [] },
    ]);
  });
});

describe('an UPDATE', () => {
  test('is read as its bytes are annotated', () => {
    const body = bodyOf(
      '18 c00002',
      `${MANDATORY}
      80 04 04 00000064                        # MED 100
      c0 08 08 fde9 0064 ffff ff01             # communities 65001:100, no-export
      c0 10 08 0002 fde9 00000064              # rt 65001:100
      c0 20 0c 0000fde9 00000001 00000002      # 65001:1:2
      c0 63 02 abcd                            # nobody knows it`,
      `${NLRI} 00`,
    );
    expect(decode(body, EXTERNAL)).toEqual({
      withdrawn: [{ family: 4, nlri: [{ prefix: '192.0.2.0/24' }] }],
      announced: [
        {
          family: 4,
          nlri: [{ prefix: '10.201.0.0/16' }, { prefix: '0.0.0.0/0' }],
          attributes: {
            origin: 'igp',
            asPath: [{ type: 'sequence', asns: [65_001] }],
            nextHop: '10.77.0.1',
            med: 100,
            communities: [0xfde9_0064, 0xffff_ff01],
            extendedCommunities: ['0002fde900000064'],
            largeCommunities: [[65_001, 1, 2]],
            unknown: [{ type: 99, flags: 0xc0, value: Uint8Array.of(0xab, 0xcd) }],
          },
        },
      ],
      faults: [],
    });
  });

  test('may hold routes of both families, each with its next hop', () => {
    const { announced } = decode(bodyOf('', `${REACH6} ${MANDATORY}`, NLRI));
    expect(
      announced.map(({ family, attributes, nlri }) => [family, attributes.nextHop, nlri[0]?.prefix]),
    ).toEqual([
      [4, '10.77.0.1', '10.201.0.0/16'],
      [6, 'fd00:77::1', 'fd00:201::/32'],
    ]);
  });

  test('with the same attributes as one before has the very same object, and with others has not', () => {
    const decoder = new UpdateDecoder(CONTEXT);
    const read = (attributes: string, nlri: string) =>
      decoder.decode(bodyOf('', attributes, nlri)).announced[0]!.attributes;
    const first = read(MANDATORY, NLRI);
    expect(read(MANDATORY, '18 c00002')).toBe(first);
    expect(read(`${MANDATORY} 80 04 04 00000001`, NLRI)).not.toBe(first);
    const reach = (prefix: string) =>
      read(`80 0e 1a 0002 01 10 fd000077000000000000000000000001 00 20 ${prefix} ${ORIGIN} ${AS_PATH}`, '');
    expect(reach('fd000301')).toBe(reach('fd000302'));
  });

  test('is remembered by all decoders that share a memory, and by no other', () => {
    const memory = new AttributeMemory(16);
    const read = (decoder: UpdateDecoder) =>
      decoder.decode(bodyOf('', MANDATORY, NLRI)).announced[0]!.attributes;
    const first = read(new UpdateDecoder(CONTEXT, memory));
    expect(read(new UpdateDecoder(CONTEXT, memory))).toBe(first);
    expect(read(new UpdateDecoder(CONTEXT))).not.toBe(first);
  });

  test.each(['00'.repeat(16), `ff02${'00'.repeat(13)}01`])(
    'with a next hop of no host is withdrawn: %s',
    (nextHop) => {
      const reach = `80 0e 1a 0002 01 10 ${nextHop} 00 20 fd000201`;
      const { announced, withdrawn } = decode(bodyOf('', `${reach} ${ORIGIN} ${AS_PATH}`, ''));
      expect([announced, withdrawn]).toEqual([[], [{ family: 6, nlri: [{ prefix: 'fd00:201::/32' }] }]]);
    },
  );

  test('is not taken for one before where MP_REACH_NLRI alone differs', () => {
    const decoder = new UpdateDecoder(CONTEXT);
    const bytes = bodyOf('', `${REACH6} ${ORIGIN} ${AS_PATH}`, '');
    expect(decoder.decode(bytes).announced).toHaveLength(1);
    const flawed = decoder.decode(bytes.with(4, 0xc0));
    expect([flawed.announced.length, flawed.withdrawn.length, flawed.faults.length]).toEqual([0, 1, 1]);
  });

  test.each([
    ['16 octets', '10 fd000000000000000000000000000001', { nextHop: 'fd00::1' }],
    [
      'a link-local address behind it',
      '20 fd000000000000000000000000000001 fe800000000000000000000000000001',
      { nextHop: 'fd00::1', linkLocalNextHop: 'fe80::1' },
    ],
    [
      'a link-local address only',
      '20 00000000000000000000000000000000 fe800000000000000000000000000001',
      { nextHop: 'fe80::1', linkLocalNextHop: 'fe80::1' },
    ],
  ])('has a next hop of %s', (_name, nextHop, expected) => {
    const value = bytesOf(`0002 01 ${nextHop} 00 20 fd000201`);
    const reach = `80 0e ${value.length.toString(16)} ${hex(value)}`;
    const { announced } = decode(bodyOf('', `${reach} ${ORIGIN} ${AS_PATH}`, ''));
    expect(announced[0]!.attributes).toMatchObject(expected);
  });

  test('of a family that is not agreed is passed over', () => {
    const context = { ...CONTEXT, families: new Map([[6, PLAIN] as const]) };
    const { announced, faults } = decode(bodyOf('', `${MANDATORY} ${REACH6}`, NLRI), context);
    expect(announced.map(({ family }) => family)).toEqual([6]);
    expect(faults.map(({ treatment }) => treatment)).toEqual(['attribute-discard']);
  });
});

/** An attribute with a value that is malformed, by type. */
const MALFORMED: Readonly<Record<number, string>> = {
  1: '40 01 01 03',
  2: '40 02 02 02 00',
  3: '40 03 05 0a4d000100',
  4: '80 04 03 000000',
  5: '40 05 03 000000',
  6: '40 06 01 00',
  7: 'c0 07 06 fde9 0a000001',
  8: 'c0 08 05 0000000000',
  9: '80 09 03 000000',
  10: '80 0a 00',
  14: '80 0e 03 0002 01',
  15: '80 0f 02 0002',
  16: 'c0 10 07 00000000000000',
  17: 'c0 11 03 02 01 00',
  18: 'c0 12 06 fde9 0a000001',
  32: 'c0 20 0b 0000000000000000000000',
};

/** An attribute that is well-formed, by type. */
const WELL_FORMED: Readonly<Record<number, string>> = {
  1: ORIGIN,
  2: AS_PATH,
  3: NEXT_HOP,
  4: '80 04 04 00000001',
  5: '40 05 04 00000001',
  6: '40 06 00',
  7: 'c0 07 08 0000fde9 0a000001',
  8: 'c0 08 04 fde90001',
  9: '80 09 04 0a000001',
  10: '80 0a 04 0a000001',
  14: REACH6,
  15: '80 0f 08 0002 01 20 fd000202',
  16: 'c0 10 08 0002fde900000001',
  17: 'c0 11 06 02 01 0000fde9',
  18: 'c0 12 08 0000fde9 0a000001',
  32: 'c0 20 0c 000000010000000200000003',
};

/** All the mandatory ones but that of the type, behind which it may be put. */
const others = (type: number) => [ORIGIN, AS_PATH, NEXT_HOP].filter((_, at) => at + 1 !== type).join(' ');

/** What became of the route 10.201.0.0/16. */
function fate(attributes: string, context = CONTEXT): string {
  let read: DecodedUpdate | undefined;
  const error = thrownBy(MessageError, () => {
    read = decode(bodyOf('', attributes, NLRI), context);
  });
  if (error !== undefined) return 'session-reset';
  const isThere = (routes: DecodedUpdate['withdrawn']) =>
    routes.some(({ nlri }) => nlri.some(({ prefix }) => prefix === '10.201.0.0/16'));
  if (isThere(read!.withdrawn)) return 'treat-as-withdraw';
  if (!isThere(read!.announced)) return 'lost';
  return read!.faults.length > 0 ? 'attribute-discard' : 'none';
}

describe.each(ATTRIBUTE_ROWS.map((row) => [row.name, row] as const))('%s', (_name, row) => {
  const { type, treatment, flags, flagsTreatment = 'treat-as-withdraw' } = row;
  const wrongFlags = (text: string) => {
    const bytes = bytesOf(text);
    return hex(bytes.with(0, bytes[0]! ^ 0x40));
  };
  // AS4_PATH and AS4_AGGREGATOR are read from peers that need them.
  const isWide = type === 17 || type === 18;
  const context: UpdateContext = { ...CONTEXT, hasFourOctetAsn: !isWide };
  const rest = isWide ? `${ORIGIN} 40 02 04 02 01 fde9 ${NEXT_HOP}` : others(type);

  test('is in order', () => {
    expect(fate(`${rest} ${WELL_FORMED[type]}`, context)).toBe('none');
  });

  test('malformed is treated by its row', () => {
    expect(fate(`${rest} ${MALFORMED[type]}`, context)).toBe(treatment);
  });

  test('with flags of another kind is treated by its row', () => {
    expect(fate(`${rest} ${wrongFlags(WELL_FORMED[type]!)}`, context)).toBe(flagsTreatment);
    expect(bytesOf(WELL_FORMED[type]!)[0]).toBe(flags);
  });

  test('there twice counts once, but for those that hold routes', () => {
    const holdsRoutes = type === MP_REACH || type === MP_UNREACH;
    const twice = `${rest} ${WELL_FORMED[type]} ${WELL_FORMED[type]}`;
    expect(fate(twice, context)).toBe(holdsRoutes ? 'session-reset' : 'attribute-discard');
  });

  test('from outside, if it is for inside only, is discarded though it is malformed', () => {
    const expected = row.relations === undefined ? treatment : 'attribute-discard';
    expect(fate(`${rest} ${MALFORMED[type]}`, { ...context, relation: 'external' })).toBe(expected);
  });
});

describe('errors', () => {
  test.each<[string, string, UpdateContext, string]>([
    ['no ORIGIN', `${AS_PATH} ${NEXT_HOP}`, CONTEXT, 'treat-as-withdraw'],
    ['no AS_PATH', `${ORIGIN} ${NEXT_HOP}`, CONTEXT, 'treat-as-withdraw'],
    ['no NEXT_HOP', `${ORIGIN} ${AS_PATH}`, CONTEXT, 'treat-as-withdraw'],
    ['a next hop of nobody', `${others(3)} 40 03 04 00000000`, CONTEXT, 'treat-as-withdraw'],
    ['a next hop of many', `${others(3)} 40 03 04 e0000001`, CONTEXT, 'treat-as-withdraw'],
    ['no attributes', '', CONTEXT, 'treat-as-withdraw'],
    ['a header cut short', `${MANDATORY} 80 04`, CONTEXT, 'treat-as-withdraw'],
    ['a long header cut short', `${MANDATORY} 90 04 00`, CONTEXT, 'treat-as-withdraw'],
    ['a value cut short', `${MANDATORY} 80 04 04 000000`, CONTEXT, 'treat-as-withdraw'],
    ['a segment of unknown type', `${others(2)} 40 02 06 05 01 0000fde9`, CONTEXT, 'treat-as-withdraw'],
    ['a segment past the end', `${others(2)} 40 02 06 02 02 0000fde9`, CONTEXT, 'treat-as-withdraw'],
    ['a single octet of a segment', `${others(2)} 40 02 07 02 01 0000fde9 02`, CONTEXT, 'treat-as-withdraw'],
    ['AS 0 in the path', `${others(2)} 40 02 06 02 01 00000000`, CONTEXT, 'treat-as-withdraw'],
    ['AS 0 as aggregator', `${MANDATORY} c0 07 08 00000000 0a000001`, CONTEXT, 'attribute-discard'],
    ['a confederation from outside', `${others(2)} 40 02 06 03 01 0000fde9`, EXTERNAL, 'treat-as-withdraw'],
    ['a confederation from inside', `${others(2)} 40 02 06 03 01 0000fde9`, CONTEXT, 'none'],
    [
      'no confederation from another member',
      MANDATORY,
      { ...CONTEXT, relation: 'confederation' },
      'treat-as-withdraw',
    ],
    [
      'a path of somebody else',
      MANDATORY,
      { ...EXTERNAL, peerAsn: 1, isFirstAsnChecked: true },
      'treat-as-withdraw',
    ],
    ['a path of somebody else, unasked', MANDATORY, { ...EXTERNAL, peerAsn: 1 }, 'none'],
    ["the peer's path", MANDATORY, { ...EXTERNAL, isFirstAsnChecked: true }, 'none'],
    ['an unknown well-known attribute', `${MANDATORY} 40 63 00`, CONTEXT, 'session-reset'],
    ['an unknown attribute that is not transitive', `${MANDATORY} 80 63 00`, CONTEXT, 'none'],
    [
      'a weak and a strong fault',
      `${others(1)} ${MALFORMED[6]} ${MALFORMED[1]}`,
      CONTEXT,
      'treat-as-withdraw',
    ],
    ['AS4_PATH from a peer that does not need it', `${MANDATORY} ${WELL_FORMED[17]}`, CONTEXT, 'none'],
    ['a partial bit', `${MANDATORY} e0 08 04 fde90001`, CONTEXT, 'none'],
  ])('%s', (_name, attributes, context, expected) => {
    expect(fate(attributes, context)).toBe(expected);
  });

  test.each([
    ['withdrawn routes past the end', '0005 18c000'],
    ['attributes past the end', '0000 0005 4001'],
    ['a length cut short', '0000 00'],
    ['a withdrawn prefix of 33 bits', '0006 21 0a00000000 0000'],
    ['a prefix of 33 bits', `0000 0000 21 0a00000000`],
    ['a prefix past the end', `0000 0000 18 0a00`],
    ['a fault and no prefixes (RFC 7606 section 5.2)', '0000 0004 40010103'],
    ['a next hop of 15 bytes', `0000 0018 800e15 0002 01 0f ${'00'.repeat(15)} 00 00`],
    ['an IPv4 next hop of an IPv6 prefix', '0000 000e 800e0b 0002 01 04 0a000001 00 0100'],
    ['a prefix of 129 bits', `0000 002a 800e27 0002 01 10 ${'00'.repeat(16)} 00 81 ${'00'.repeat(17)}`],
  ])('%s resets the session', (_name, text) => {
    const error = thrownBy(MessageError, () => decode(bytesOf(text)));
    expect(error?.notification.code).toBe(3);
  });

  test('with an IPv6 next hop of IPv4 prefixes, unless it is agreed (RFC 8950)', () => {
    const attributes = `80 0e 18 0001 01 10 fd000000000000000000000000000001 00 10 0ac9 ${ORIGIN} ${AS_PATH}`;
    const strict = { ...CONTEXT, families: new Map([[4, PLAIN] as const]) };
    expect(decode(bodyOf('', attributes, '')).announced[0]!.attributes.nextHop).toBe('fd00::1');
    expect(() => decode(bodyOf('', attributes, ''), strict)).toThrow('a next hop of 16 bytes');
  });
});

describe('bytes that were tampered with', () => {
  /** A sequence of numbers below a bound, the same for the same seed. */
  function randomly(seed: number): (bound: number) => number {
    let state = seed;
    return (bound) => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
    };
  }

  const samples = (context: UpdateContext): Uint8Array[] => {
    const attributes = fc.sample(attributesOf(ipv4), { numRuns: 40, seed: 7 });
    return attributes.flatMap((each, at) => [
      ...encodeUpdate({ family: 4, attributes: each, nlri: [{ prefix: `10.${at}.0.0/16` }] }, context)
        .messages,
      ...encodeUpdate(
        { family: 6, attributes: { ...each, nextHop: 'fd00::1' }, nlri: [{ prefix: `fd00:${at}::/32` }] },
        context,
      ).messages,
      ...encodeWithdrawal({ family: 6, nlri: [{ prefix: 'fd00::/8', pathId: at }] }, context).messages,
    ]);
  };

  const contexts: UpdateContext[] = [
    CONTEXT,
    EXTERNAL,
    { ...EXTERNAL, hasFourOctetAsn: false, isFirstAsnChecked: true },
    {
      ...CONTEXT,
      relation: 'confederation',
      families: new Map([[4, ADD_PATH] as const, [6, ADD_PATH] as const]),
    },
  ];

  test.each(contexts.map((context, at) => [at, context] as const))(
    'throw nothing but DecodeError, and what is read can be written (context %i)',
    (seed, context) => {
      const random = randomly(IS_SOAK ? seed + (Date.now() % 1_000_000) * 4 : seed);
      const bodies = samples(context).map((bytes) => bytes.slice(HEADER_BYTES));
      const decoder = new UpdateDecoder(context);
      const rounds = IS_SOAK ? 2_500_000 : 5000;
      for (let round = 0; round < rounds; round++) {
        const body = bodies[random(bodies.length)]!.slice();
        for (let change = random(4); change >= 0; change--) body[random(body.length)] = random(256);
        const cut = random(8) === 0 ? body.subarray(0, random(body.length)) : body;
        try {
          const { announced, withdrawn } = decoder.decode(cut);
          for (const update of announced) encodeUpdate(update, context);
          for (const withdrawal of withdrawn) encodeWithdrawal(withdrawal, context);
        } catch (error) {
          if (!isDecodeError(error)) throw new Error(`${hex(cut)} (context ${seed})`, { cause: error });
        }
      }
    },
  );
});
