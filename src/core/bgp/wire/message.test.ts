import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromHex, hex, utf8 } from '#base/bytes.ts';
import { thrownBy } from '#testing/thrown.ts';
import type { Capabilities } from './capabilities.ts';
import { MessageError } from './error.ts';
import { MessageFramer } from './framer.ts';
import { decodeMessage, encodeMessage, MAX_EXTENDED_BYTES, type Message } from './message.ts';
import {
  ceaseOf,
  describeNotification,
  hardResetOf,
  isHardReset,
  notificationOf,
  shutdownText,
} from './notification.ts';
import { CEASE, ERROR } from './notification-table.ts';
import type { Open } from './open.ts';

const bytesOf = (text: string) => fromHex(text.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, ''));
const MARKER = 'ff'.repeat(16);

const NOTHING_SAID: Capabilities = {
  hasRouteRefresh: false,
  hasEnhancedRefresh: false,
  hasExtendedMessages: false,
  extendedNextHop: [],
  addPath: new Map(),
  longLived: new Map(),
};

const EVERYTHING: Capabilities = {
  families: [4, 6],
  hasRouteRefresh: true,
  hasEnhancedRefresh: true,
  hasExtendedMessages: true,
  fourOctetAsn: 4_200_000_001,
  extendedNextHop: [4],
  addPath: new Map([
    [4, { canReceive: true, canSend: true }],
    [6, { canReceive: false, canSend: true }],
  ]),
  restart: {
    restartTimeSec: 120,
    isRestarting: true,
    keepsAfterNotification: true,
    families: new Map([
      [4, { isForwardingKept: true }],
      [6, { isForwardingKept: false }],
    ]),
  },
  longLived: new Map([[6, { staleTimeSec: 100_000, isForwardingKept: true }]]),
};

const openOf = (capabilities: Capabilities): Open => ({
  asn: capabilities.fourOctetAsn ?? 65_001,
  holdTimeSec: 90,
  routerId: 0x0a4d0001,
  capabilities,
});

/** What a NOTIFICATION says of bytes that are no message. */
function complaint(bytes: Uint8Array): string {
  const error = thrownBy(MessageError, () => {
    const framer = new MessageFramer();
    framer.push(bytes);
    const message = framer.next();
    if (message !== undefined) decodeMessage(message);
  });
  if (error === undefined) return 'none';
  const { code, subcode, data } = error.notification;
  return `${code}/${subcode} ${hex(data)}`.trim();
}

function openBytes(text: string): Uint8Array {
  const body = bytesOf(text);
  const length = 19 + body.length;
  return concat(bytesOf(MARKER), Uint8Array.of(length >> 8, length & 255, 1), body);
}

describe('a message', () => {
  test.each<[string, Message]>([
    ['OPEN with nothing to say', { type: 'open', open: openOf(NOTHING_SAID) }],
    ['OPEN with all there is to say', { type: 'open', open: openOf(EVERYTHING) }],
    ['UPDATE', { type: 'update', body: Uint8Array.of(0, 0, 0, 0) }],
    ['NOTIFICATION', { type: 'notification', notification: ceaseOf(CEASE.shutdown, 'so long') }],
    ['KEEPALIVE', { type: 'keepalive' }],
    ['ROUTE-REFRESH', { type: 'refresh', refresh: { afi: 2, subtype: 'begin', safi: 1 } }],
  ])('%s is the same, written and read again', (_name, message) => {
    const framer = new MessageFramer();
    framer.push(encodeMessage(message));
    expect(decodeMessage(framer.next()!)).toEqual(message);
    expect(framer.next()).toBeUndefined();
  });

  test('OPEN is written as its bytes are annotated', () => {
    const open: Open = {
      asn: 4_200_000_001,
      holdTimeSec: 9,
      routerId: 0x0a4d0001,
      capabilities: { ...NOTHING_SAID, families: [6], fourOctetAsn: 4_200_000_001 },
    };
    expect(encodeMessage({ type: 'open', open })).toEqual(
      bytesOf(`
      ${MARKER} 002b 01    # 43 bytes, OPEN
      04 5ba0 0009         # version 4, AS_TRANS, 9 s
      0a4d0001             # 10.77.0.1
      0e 02 0c             # 14 bytes of parameters: capabilities, 12
      01 04 0002 00 01     # IPv6 unicast
      41 04 fa56ea01       # 4200000001
    `),
    );
  });

  test('OPEN has long parameters where short ones do not suffice (RFC 9072)', () => {
    const unknown = `fe ff ${'00'.repeat(255)}`;
    const message = openBytes(`04 fde9 005a 0a4d0001 ff ff 0106 02 0103 ${unknown} 02 00`);
    const capabilities = { ...NOTHING_SAID, hasRouteRefresh: true };
    expect(decodeMessage(message)).toEqual({ type: 'open', open: openOf(capabilities) });
  });

  test('OPEN with capabilities one in a parameter is read as with all in one', () => {
    const message = openBytes('04 fde9 005a 0a4d0001 0c 02 06 01 04 0001 00 01 02 02 02 00');
    const capabilities: Capabilities = { ...NOTHING_SAID, families: [4], hasRouteRefresh: true };
    expect(decodeMessage(message)).toEqual({ type: 'open', open: openOf(capabilities) });
  });

  test.each([
    ['a marker that is not all ones', `${'ff'.repeat(15)}fe 0013 04`, '1/1'],
    ['an unknown type', `${MARKER} 0013 06`, '1/3 06'],
    ['type 0', `${MARKER} 0013 00`, '1/3 00'],
    ['a KEEPALIVE with a body', `${MARKER} 0014 04 00`, '1/2 0014'],
    ['a length shorter than the header', `${MARKER} 0012 04`, '1/2 0012'],
    ['an UPDATE without its lengths', `${MARKER} 0016 02 000000`, '1/2 0016'],
    ['an OPEN of a few bytes', `${MARKER} 001c 01 ${'00'.repeat(9)}`, '1/2 001c'],
    ['more than was agreed', `${MARKER} 1001 02`, '1/2 1001'],
    ['a ROUTE-REFRESH of 5 bytes', `${MARKER} 0018 05 0001000100`, `7/1 ${MARKER}0018050001000100`],
  ])('with %s is answered by its code', (_name, text, expected) => {
    expect(complaint(bytesOf(text))).toBe(expected);
  });

  test.each([
    ['another version', '03 fde9 005a 0a4d0001 00', '2/1 0004'],
    ['AS 0', '04 0000 005a 0a4d0001 00', '2/2'],
    ['AS 0 in four octets', '04 5ba0 005a 0a4d0001 08 02 06 41 04 00000000', '2/2'],
    ['a hold time of 2 s', '04 fde9 0002 0a4d0001 00', '2/6'],
    ['no identifier', '04 fde9 005a 00000000 00', '2/3'],
    ['a parameter of another type', '04 fde9 005a 0a4d0001 03 01 01 00', '2/4'],
    ['parameters past the end', '04 fde9 005a 0a4d0001 09 02 00', '2/0'],
    ['bytes behind the parameters', '04 fde9 005a 0a4d0001 00 00', '2/0'],
    ['a capability past its parameter', '04 fde9 005a 0a4d0001 04 02 02 41 04', '2/0'],
    ['a capability of a wrong length', '04 fde9 005a 0a4d0001 06 02 04 41 02 fde9', '2/0'],
  ])('OPEN with %s is answered by its code', (_name, text, expected) => {
    expect(complaint(openBytes(text))).toBe(expected);
  });

  test('of any bytes throws nothing but a MessageError or DecodeError', () => {
    const body = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(body, fc.integer({ min: 1, max: 5 }), (bytes, type) => {
        const message = concat(bytesOf(MARKER), Uint8Array.of(0, 19 + bytes.length, type), bytes);
        complaint(message);
      }),
    );
  });
});

describe('a stream', () => {
  test('is cut into the same messages, wherever it is torn', () => {
    const keepalive = encodeMessage({ type: 'keepalive' });
    const update = encodeMessage({ type: 'update', body: new Uint8Array(300) });
    const stream = concat(update, keepalive, update, keepalive);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 })), (sizes) => {
        const framer = new MessageFramer();
        const lengths: number[] = [];
        const take = (chunk: Uint8Array) => {
          framer.push(chunk);
          for (let next = framer.next(); next !== undefined; next = framer.next()) lengths.push(next.length);
        };
        let at = 0;
        for (const size of sizes) {
          take(stream.slice(at, at + size));
          at += size;
        }
        take(stream.slice(at));
        expect(lengths).toEqual([319, 19, 319, 19]);
        expect(framer.waitingBytes).toBe(0);
      }),
    );
  });

  test('has messages of 65535 bytes once they are agreed, but no such OPEN', () => {
    const framer = new MessageFramer();
    framer.maxMessageBytes = MAX_EXTENDED_BYTES;
    framer.push(encodeMessage({ type: 'update', body: new Uint8Array(65_516) }));
    expect(framer.next()).toHaveLength(65_535);
    framer.push(bytesOf(`${MARKER} 1001 01`));
    expect(() => framer.next()).toThrow('length 4097 of a message of type 1');
  });
});

describe('a notification', () => {
  test.each([
    [notificationOf(ERROR.holdTimer), 'hold timer expired'],
    [notificationOf(ERROR.open, 2), 'open message error: bad peer as'],
    [notificationOf(ERROR.header, 3, Uint8Array.of(9)), 'message header error: bad message type (09)'],
    [notificationOf(ERROR.stateMachine, 3), 'finite state machine error: unexpected message in established'],
    [notificationOf(99, 7), 'error 99: subcode 7'],
    [ceaseOf(CEASE.shutdown, 'café "3"'), String.raw`cease: administrative shutdown: "café \"3\""`],
    [ceaseOf(CEASE.rejected, 'is not told'), 'cease: connection rejected'],
    [hardResetOf(ceaseOf(CEASE.reset, 'x')), 'cease: hard reset: cease: administrative reset: "x"'],
  ])('%j is called %s', (notification, words) => {
    expect(describeNotification(notification)).toBe(words);
  });

  test('cuts a text of more than 255 bytes between two characters', () => {
    const text = shutdownText(ceaseOf(CEASE.shutdown, `a${'é'.repeat(200)}`));
    expect(text).toBe(`a${'é'.repeat(127)}`);
  });

  test.each([
    ['no text', Uint8Array.of(0)],
    ['a length past the end', Uint8Array.of(9, 0x61)],
    ['bytes that are no UTF-8', Uint8Array.of(1, 0xff)],
    ['no data', new Uint8Array(0)],
  ])('with %s shows none', (_name, data) => {
    expect(shutdownText(notificationOf(ERROR.cease, CEASE.shutdown, data))).toBeUndefined();
  });

  test('of any bytes has words', () => {
    fc.assert(
      fc.property(fc.nat(255), fc.nat(255), fc.uint8Array(), (code, subcode, data) => {
        const notification = { code, subcode, data };
        expect(describeNotification(notification)).not.toBe('');
        expect(isHardReset(hardResetOf(notification))).toBe(true);
      }),
    );
  });

  test('tells its text in the bytes of RFC 9003', () => {
    expect(ceaseOf(CEASE.reset, 'ab').data).toEqual(concat(Uint8Array.of(2), utf8('ab')));
  });
});
