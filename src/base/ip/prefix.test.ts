import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import { runs } from '#testing/soak.ts';
import {
  compareIp,
  familyBits,
  familyOf,
  firstIp,
  formatIp,
  hostPrefixOf,
  ipToBigInt,
  isPrefix,
  lastIp,
  networkOf,
  offsetIp,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixParts,
  prefixSize,
  subPrefix,
} from './index.ts';

/** Few distinct bits, so that random prefixes often contain one another. */
const anyIp = fc
  .tuple(fc.constantFrom(4, 16), fc.array(fc.constantFrom(0, 1, 128, 255), { minLength: 16, maxLength: 16 }))
  .map(([size, bytes]) => formatIp(Uint8Array.from(bytes.slice(0, size))));
const anyInterface = fc
  .tuple(anyIp, fc.nat(128))
  .map(([address, length]) => `${address}/${length % (familyBits(familyOf(address)) + 1)}`);
const anyPrefix = anyInterface.map(networkOf);

describe('prefixes', () => {
  it('are known by their canonical text', () => {
    fc.assert(fc.property(anyInterface, (text) => isPrefix(text) === (networkOf(text) === text)));
    const others = ['', '10.0.0.0', '10.0.0.1/8', '10.0.0.0/08', 'FD00::/16', 'fd00:0::/16', 'fd00::/64 '];
    for (const text of others) expect(isPrefix(text), text).toBe(false);
  });

  it('are read in any spelling, host bits kept', () => {
    expect(parsePrefix('10.1.2.3/16')).toEqual({ address: '10.1.2.3', length: 16, family: 4 });
    expect(parsePrefix('FD00:0:0::1/64')).toEqual({ address: 'fd00::1', length: 64, family: 6 });
    expect(parsePrefix('0.0.0.0/0')).toEqual({ address: '0.0.0.0', length: 0, family: 4 });
    const refused = [
      '',
      '10.0.0.0',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/08',
      '10.0.0.0/-1',
      '10.0.0.0/+8',
      '/8',
    ];
    const others = [
      '::/129',
      '::/1e1',
      '10.0.0.0/8/8',
      '10.0.0.0/8 ',
      '10.0.0/8',
      '::1%lo/64',
      '10.0.0.0/255.0.0.0',
    ];
    for (const text of [...refused, ...others]) {
      expect(parsePrefix(text), text).toBeUndefined();
      expect(() => prefixParts(text), text).toThrow(`not a prefix: "${text}"`);
    }
  });

  it('name their network, first and last address and size', () => {
    expect(networkOf('10.1.2.3/16')).toBe('10.1.0.0/16');
    expect(networkOf('fd00::1:2:3/64')).toBe('fd00::/64');
    expect([firstIp('10.1.2.3/16'), lastIp('10.1.2.3/16')]).toEqual(['10.1.0.0', '10.1.255.255']);
    expect([firstIp('::/0'), lastIp('::/0')]).toEqual(['::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff']);
    expect(prefixSize('10.0.0.0/8')).toBe(1n << 24n);
    expect(prefixSize('::/0')).toBe(1n << 128n);
    expect(hostPrefixOf('10.0.0.1')).toBe('10.0.0.1/32');
    expect(hostPrefixOf('fd00::1')).toBe('fd00::1/128');
  });

  it('agree with ipaddr.js on networks and on what they contain', () => {
    fc.assert(
      fc.property(anyInterface, anyIp, (text, address) => {
        const { length, family } = prefixParts(text);
        const oracle = family === 4 ? ipaddr.IPv4 : ipaddr.IPv6;
        const first = oracle.networkAddressFromCIDR(text).toByteArray();
        expect([...ipaddr.parse(firstIp(text)).toByteArray()]).toEqual(first);
        if (familyOf(address) !== family) expect(prefixContains(text, address)).toBe(false);
        else {
          const subject = ipaddr.parse(address) as ipaddr.IPv4;
          expect(prefixContains(text, address)).toBe(
            subject.match(ipaddr.parse(firstIp(text)) as ipaddr.IPv4, length),
          );
        }
      }),
      runs(300, 20_000),
    );
  });

  it('contain exactly the addresses from the first to the last', () => {
    fc.assert(
      fc.property(anyPrefix, anyIp, (prefix, address) => {
        const within =
          familyOf(prefix) === familyOf(address) &&
          compareIp(firstIp(prefix), address) <= 0 &&
          compareIp(address, lastIp(prefix)) <= 0;
        expect(prefixContains(prefix, address)).toBe(within);
        expect(prefixContains(prefix, hostPrefixOf(address))).toBe(within);
        expect(ipToBigInt(lastIp(prefix)) - ipToBigInt(firstIp(prefix)) + 1n).toBe(prefixSize(prefix));
      }),
      runs(300, 20_000),
    );
  });

  it('contain themselves, one another only if equal, and what is in what they contain', () => {
    fc.assert(
      fc.property(anyPrefix, anyPrefix, anyPrefix, (a, b, c) => {
        expect(prefixContains(a, a)).toBe(true);
        if (prefixContains(a, b) && prefixContains(b, a)) expect(a).toBe(b);
        if (prefixContains(a, b) && prefixContains(b, c)) expect(prefixContains(a, c)).toBe(true);
        expect(prefixesOverlap(a, b)).toBe(prefixContains(a, b) || prefixContains(b, a));
        expect(prefixesOverlap(a, b)).toBe(prefixesOverlap(b, a));
      }),
      runs(300, 20_000),
    );
  });

  it('are divided into sub-prefixes that lie side by side', () => {
    fc.assert(
      fc.property(anyPrefix, fc.nat(16), fc.nat(70_000), (prefix, more, index) => {
        const { length, family } = prefixParts(prefix);
        const wanted = Math.min(familyBits(family), length + more);
        const count = 1n << BigInt(wanted - length);
        if (BigInt(index) >= count) {
          expect(() => subPrefix(prefix, wanted, index)).toThrow(RangeError);
          return;
        }
        const sub = subPrefix(prefix, wanted, index);
        expect(networkOf(sub)).toBe(sub);
        expect(prefixContains(prefix, sub)).toBe(true);
        if (index > 0) expect(offsetIp(lastIp(subPrefix(prefix, wanted, index - 1)), 1)).toBe(firstIp(sub));
      }),
    );
    expect(subPrefix('10.1.0.0/16', 24, 255)).toBe('10.1.255.0/24');
    expect(subPrefix('fd00::/48', 64, 0x1234n)).toBe('fd00:0:0:1234::/64');
    expect(() => subPrefix('10.1.0.0/16', 24, 256)).toThrow('10.1.0.0/16 has no /24 number 256');
    expect(() => subPrefix('10.1.0.0/16', 24, -1)).toThrow('10.1.0.0/16 has no /24 number -1');
    expect(() => subPrefix('10.1.0.0/16', 8, 0)).toThrow('10.1.0.0/16 has no /8 number 0');
    expect(() => subPrefix('10.1.0.0/16', 33, 0)).toThrow('10.1.0.0/16 has no /33 number 0');
    expect(() => subPrefix('255.255.255.0/24', 25, 2)).toThrow('255.255.255.0/24 has no /25 number 2');
  });
});
