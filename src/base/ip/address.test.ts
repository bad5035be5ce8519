import { isIP } from 'node:net';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import { runs } from '#testing/soak.ts';
import {
  bigIntToIp,
  canonicalIp,
  compareIp,
  familyBits,
  familyOf,
  formatIp,
  formatMac,
  ipBytes,
  ipToBigInt,
  offsetIp,
  parseIp,
  parseMac,
} from './index.ts';

/** Addresses with runs of zeros and ones, where spellings differ. */
const ipv6Bytes = fc
  .array(fc.constantFrom(0, 0, 0, 1, 0xffff, 0xabcd, 0x0d0), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));
const anyIpv6 = fc.oneof(ipv6Bytes, fc.uint8Array({ minLength: 16, maxLength: 16 }));
const anyIpv4 = fc.uint8Array({ minLength: 4, maxLength: 4 });
const anyBytes = fc.oneof(anyIpv4, anyIpv6);
const anyIp = anyBytes.map(formatIp);

describe('addresses', () => {
  const canonical: Record<string, string> = {
    '10.1.2.3': '10.1.2.3',
    '0.0.0.0': '0.0.0.0',
    '255.255.255.255': '255.255.255.255',
    // RFC 5952 section 2.1 and 4: one address, many spellings.
    '2001:db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
    '2001:0db8:0:0:1:0:0:1': '2001:db8::1:0:0:1',
    '2001:db8::1:0:0:1': '2001:db8::1:0:0:1',
    '2001:db8::0:1:0:0:1': '2001:db8::1:0:0:1',
    '2001:DB8:0:0:1::1': '2001:db8::1:0:0:1',
    '2001:db8:aaaa:bbbb:cccc:dddd:0:1': '2001:db8:aaaa:bbbb:cccc:dddd:0:1',
    '2001:db8:0:1:1:1:1:1': '2001:db8:0:1:1:1:1:1',
    '2001:0:0:1:0:0:0:1': '2001:0:0:1::1',
    '1:2:3:4:5:6:7::': '1:2:3:4:5:6:7:0',
    '::2:3:4:5:6:7:8': '0:2:3:4:5:6:7:8',
    '::': '::',
    '::1': '::1',
    'fe80::': 'fe80::',
    '0:0:0:0:0:0:0:0': '::',
    // RFC 5952 section 5: mapped addresses keep the dotted quad, others do not.
    '::ffff:c000:201': '::ffff:192.0.2.1',
    '::ffff:192.0.2.1': '::ffff:192.0.2.1',
    '::FFFF:0:0': '::ffff:0.0.0.0',
    '64:ff9b::192.0.2.33': '64:ff9b::c000:221',
    '::192.0.2.1': '::c000:201',
    '1:2:3:4:5:6:192.0.2.1': '1:2:3:4:5:6:c000:201',
  };
  for (const [text, expected] of Object.entries(canonical))
    it(`writes ${text} as ${expected}`, () => expect(canonicalIp(text)).toBe(expected));

  const refusedIpv4 = [
    ['', ' ', '1', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', '1.2.3.04', '1..2.3', '.1.2.3', '1.2.3.'],
    [' 1.2.3.4', '1.2.3.4 ', '1.2.3.-4', '0x1.2.3.4', '1.2.3.4/24', '١.2.3.4', '1.2.3.4\n', '00.0.0.0'],
  ].flat();
  const refusedIpv6 = [
    [':', ':::', '1:', ':1', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', '12345::', 'g::', '::1%eth0'],
    ['[::1]', '::1/64', '1:2:3:4:5:6:7:8::', '::1:2:3:4:5:6:7:8', '1:2:3:4::5:6:7:8', ':1:2:3:4:5:6:7:8'],
    [
      '1.2.3.4::',
      '::1.2.3.4:5',
      '1:2:3:4:5:6:7:1.2.3.4',
      '::1.2.3',
      '::1.2.3.256',
      '::01.2.3.4',
      '::-1',
      '1:::2',
    ],
  ].flat();
  for (const text of [...refusedIpv4, ...refusedIpv6])
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(parseIp(text)).toBeUndefined();
      expect(() => ipBytes(text)).toThrow(RangeError);
    });

  it('agree with ipaddr.js on every address', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const oracle = ipaddr.fromByteArray([...bytes]);
        const text = formatIp(bytes);
        expect(parseIp(text)).toEqual(bytes);
        expect(parseIp(oracle.toNormalizedString())).toEqual(bytes);
        expect(Uint8Array.from(ipaddr.parse(text).toByteArray())).toEqual(bytes);
        const mapped = oracle instanceof ipaddr.IPv6 && oracle.isIPv4MappedAddress();
        if (!mapped)
          expect(text).toBe(oracle instanceof ipaddr.IPv6 ? oracle.toRFC5952String() : oracle.toString());
        expect(familyOf(text)).toBe(bytes.length === 4 ? 4 : 6);
      }),
      runs(500, 20_000),
    );
  });

  it('throw nothing and accept what Node accepts, with the value ipaddr.js gives it, on any text', () => {
    const characters = fc.constantFrom(...'0123456789abcdefF:.%/ xg'.split(''), '::', '1.2.3.4');
    const text = fc.array(characters, { maxLength: 24 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(text, fc.string()), (each) => {
        const bytes = parseIp(each);
        if (!each.includes('%')) expect(bytes !== undefined).toBe(isIP(each) !== 0);
        if (bytes === undefined) return;
        if (/^::[\d.]+$/.test(each) && each.includes('.')) return; // ipaddr.js takes ::1.2.3.4 for ::ffff:1.2.3.4
        expect(bytes).toEqual(Uint8Array.from(ipaddr.parse(each).toByteArray()));
        const again = canonicalIp(each) as string;
        expect(canonicalIp(again)).toBe(again);
      }),
      runs(2000, 50_000),
    );
  });

  it('go through bigint and back, add and order by value', () => {
    fc.assert(
      fc.property(anyIp, anyIp, fc.nat(1_000_000), (a, b, offset) => {
        expect(bigIntToIp(ipToBigInt(a), familyOf(a))).toBe(a);
        const room = (1n << BigInt(familyBits(familyOf(a)))) - 1n - ipToBigInt(a);
        if (BigInt(offset) <= room) expect(offsetIp(offsetIp(a, offset), -offset)).toBe(a);
        else expect(() => offsetIp(a, offset)).toThrow(RangeError);
        if (familyOf(a) === familyOf(b))
          expect(Math.sign(compareIp(a, b))).toBe(
            Number(ipToBigInt(a) > ipToBigInt(b)) - Number(ipToBigInt(a) < ipToBigInt(b)),
          );
        else expect(compareIp(a, b) < 0).toBe(familyOf(a) === 4);
      }),
    );
    expect(() => offsetIp('0.0.0.0', -1)).toThrow(RangeError);
    expect(() => offsetIp('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 1)).toThrow(RangeError);
    expect(() => formatIp(new Uint8Array(5))).toThrow('not 5');
  });
});

describe('MAC addresses', () => {
  it('are read with either separator and written in one form', () => {
    expect(parseMac('0A-00-00-00-00-01')).toEqual(Uint8Array.of(10, 0, 0, 0, 0, 1));
    for (const text of [
      '',
      '0a:00:00:00:00',
      '0a:00:00:00:00:01:02',
      'a:0:0:0:0:1',
      '0a0000000001',
      '0g:00:00:00:00:00',
    ])
      expect(parseMac(text), text).toBeUndefined();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        expect(parseMac(formatMac(bytes))).toEqual(bytes);
      }),
    );
  });
});
