import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concat, fromHex, utf8 } from '#base/bytes.ts';
import { decodeAll, encodeAll, isDecodeError } from '#core/codec/index.ts';
import { codecContract } from '#testing/codec-contract.ts';
import { decodeDatagram, encodeDatagram } from './datagram.ts';
import { type DhcpMessage, decodeMessage, encodeMessage, optionOf, optionRow } from './message.ts';
import { readOptions, writeOptions } from './option-area.ts';
import { DHCP_CODECS, OPTION } from './options.ts';
import { packet } from './packet.ts';
import { classlessRoutes } from './routes.ts';
import { domainSearch } from './search.ts';

codecContract(DHCP_CODECS);

const bytesOf = (text: string) => fromHex(text.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, ''));

const ACK = bytesOf(`
  02 01 06 00              # reply, Ethernet, 6 bytes, no hops
  12345678                 # xid
  0003 8000                # 3 s, broadcast
  00000000 0a5a000a        # ciaddr, yiaddr 10.90.0.10
  0a5a0001 00000000        # siaddr, giaddr
  020000000001 ${'00'.repeat(10)}
  ${'00'.repeat(64)}       # sname
  ${'00'.repeat(128)}      # file
  63825363                 # cookie
  35 01 05                 # DHCPACK
  36 04 0a5a0001           # server 10.90.0.1
  33 04 00000e10           # 3600 s
  00                       # pad
  01 04 ffffff00           # mask
  03 04 0a5a0001           # router
  ff`);

const packetOf = (options: Uint8Array, file = new Uint8Array(128), serverName = new Uint8Array(64)) => ({
  ...decodeAll(packet, ACK),
  options,
  file,
  serverName,
});

describe('a message', () => {
  test('is read as its bytes are annotated', () => {
    const message = decodeMessage(ACK);
    expect(message).toMatchObject({
      op: 2,
      xid: 0x12345678,
      secs: 3,
      broadcast: true,
      clientAddress: '0.0.0.0',
      yourAddress: '10.90.0.10',
      mac: '02:00:00:00:00:01',
    });
    expect([...message.options.keys()]).toEqual([53, 54, 51, 1, 3]);
    expect(optionOf(message.options, 'routers')).toEqual(['10.90.0.1']);
    expect(optionOf(message.options, 'leaseTime')).toBe(3600);
  });

  test('written and read again is the same, and never shorter than 300 bytes', () => {
    const message: DhcpMessage = {
      ...decodeMessage(ACK),
      options: new Map([optionRow('messageType', 1), optionRow('clientId', utf8('\0c1/net/eth0'))]),
    };
    const bytes = encodeMessage(message);
    expect(bytes).toHaveLength(300);
    expect(decodeMessage(bytes)).toEqual(message);
  });

  test.each([
    ['another cookie', 236, 0x64, 'cookie'],
    ['another hardware', 1, 6, 'hardwareType'],
    ['an address of another length', 2, 8, 'hardwareLength'],
    ['an option past the end', 241, 200, 'options'],
  ])('with %s is refused by name', (_what, at, value, field) => {
    expect(() => decodeMessage(ACK.with(at, value))).toThrow(field);
  });

  test('of any bytes, or tampered with, is a message or a DecodeError', () => {
    const survives = (bytes: Uint8Array) => {
      try {
        const message = decodeMessage(bytes);
        for (const name of ['classlessRoutes', 'domainSearch', 'routers', 'leaseTime'] as const)
          optionOf(message.options, name);
      } catch (error) {
        if (!isDecodeError(error)) throw error;
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), survives));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (tail) => survives(concat(ACK.subarray(0, 240), tail))),
    );
    fc.assert(fc.property(fc.nat(ACK.length - 1), fc.nat(255), (at, value) => survives(ACK.with(at, value))));
  });

  test('whose option has a wrong length gives no value for it', () => {
    const options = new Map([[OPTION.leaseTime, Uint8Array.of(1, 2, 3)]]);
    expect(optionOf(options, 'leaseTime')).toBeUndefined();
  });
});

describe('the option areas', () => {
  test('are read in the order options, file, sname where overload says so', () => {
    const file = new Uint8Array(128);
    file.set(bytesOf('0c 02 6162 ff'));
    const serverName = new Uint8Array(64);
    serverName.set(bytesOf('0f 01 63 ff'));
    const of = (value: string) => [
      ...readOptions(packetOf(bytesOf(`34 01 ${value} ff`), file, serverName)).keys(),
    ];
    expect([of('01'), of('02'), of('03')]).toEqual([[12], [15], [12, 15]]);
    expect(() => of('04')).toThrow('overload is 1, 2 or 3, not 4');
    expect([...readOptions(packetOf(bytesOf('ff'), file)).keys()]).toEqual([]);
  });

  test('join pieces of one option, across areas too (RFC 3396)', () => {
    const file = new Uint8Array(128);
    file.set(bytesOf('79 01 03 ff'));
    const options = readOptions(packetOf(bytesOf('79 01 01 34 01 01 79 01 02 ff'), file));
    expect(options.get(121)).toEqual(Uint8Array.of(1, 2, 3));
  });

  test('written and read again are the same, however long a value is', () => {
    const values = fc.uniqueArray(
      fc.tuple(fc.integer({ min: 54, max: 254 }), fc.uint8Array({ maxLength: 700 })),
      {
        selector: ([code]) => code,
        maxLength: 5,
      },
    );
    fc.assert(
      fc.property(values, (rows) => {
        expect(readOptions(packetOf(writeOptions(new Map(rows))))).toEqual(new Map(rows));
      }),
    );
  });
});

describe('classless routes (RFC 3442)', () => {
  test('have as many bytes as their length needs', () => {
    const bytes = bytesOf('00 0a000001  08 0a 0a110fc6  14 0a1b81 0a110fc6  20 0a630001 00000000');
    const routes = [
      { destination: '0.0.0.0/0', router: '10.0.0.1' },
      { destination: '10.0.0.0/8', router: '10.17.15.198' },
      { destination: '10.27.128.0/20', router: '10.17.15.198' },
      { destination: '10.99.0.1/32', router: '0.0.0.0' },
    ];
    expect(decodeAll(classlessRoutes, bytes)).toEqual(routes);
    expect(decodeAll(classlessRoutes, encodeAll(classlessRoutes, routes))).toEqual(routes);
  });

  test.each(['21 0a000000 0a000001', '18 0a', '08 0a 0a0000'])('refuses %s', (text) => {
    expect(() => decodeAll(classlessRoutes, bytesOf(text))).toThrow();
  });
});

describe('the domain search list (RFC 3397)', () => {
  test('follows pointers backwards', () => {
    // eng.apple.com, marketing and a pointer to byte 4: the example of the RFC.
    const bytes = bytesOf('03 656e67 05 6170706c65 03 636f6d 00  09 6d61726b6574696e67 c004');
    expect(decodeAll(domainSearch, bytes)).toEqual(['eng.apple.com', 'marketing.apple.com']);
  });

  test.each([
    ['a pointer to itself', 'c000'],
    ['a pointer forwards', '01 61 c004 00'],
    ['two that point at each other', '01 61 c004 01 62 c000'],
    ['a label past the end', '05 6162'],
    ['no end', '01 61'],
    ['a new line in a label', '03 610a62 00'],
    ['an empty name', '00'],
  ])('refuses %s', (_what, text) => {
    expect(() => decodeAll(domainSearch, bytesOf(text))).toThrow();
  });

  test('of any bytes is a list or a DecodeError, and what is read can be written', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          const names = decodeAll(domainSearch, bytes);
          expect(decodeAll(domainSearch, encodeAll(domainSearch, names))).toEqual(names);
        } catch (error) {
          if (!isDecodeError(error)) throw error;
        }
      }),
    );
  });
});

describe('a datagram', () => {
  const datagram = { from: '10.90.0.10', to: '10.90.0.1', payload: utf8('odd') };
  /** As a server's: the ports change places, which leaves both sums as they are. */
  const answered = (bytes: Uint8Array) => bytes.with(21, 67).with(23, 68);

  test('carries both checksums', () => {
    const bytes = encodeDatagram(datagram);
    expect(bytes.subarray(0, 20)).toEqual(bytesOf('45 c0 001f 0000 0000 40 11 6550 0a5a000a 0a5a0001'));
    expect(decodeDatagram(answered(bytes))).toEqual(datagram);
  });

  test.each([
    ['a broken header', (bytes: Uint8Array) => bytes.with(8, 1)],
    ['a fragment', (bytes: Uint8Array) => bytes.with(6, 0x20)],
    ['another port', (bytes: Uint8Array) => bytes.with(23, 69)],
    ['a length past its end', (bytes: Uint8Array) => bytes.with(25, 99)],
    ['a cut packet', (bytes: Uint8Array) => bytes.subarray(0, 25)],
  ])('is not taken with %s', (_what, spoil) => {
    expect(decodeDatagram(spoil(answered(encodeDatagram(datagram))))).toBeUndefined();
  });

  test('of any bytes is one or none', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => void decodeDatagram(bytes)));
  });
});
