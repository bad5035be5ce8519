import { describe, expect, it } from 'vitest';
import { digest64, digestHex, localMac } from './hash.ts';
import { parseMac } from './ip/index.ts';

describe('digest64', () => {
  it.each([
    // FNV-1a's published values, put through the finaliser.
    ['', 0xefd01f60ba992926n],
    ['a', 0x82a2a958a9bece5bn],
    ['foobar', 0x2c22194922d1672bn],
    ['nœud', 0x58370b1d2c16e38cn],
  ])('gives "%s" the value it always had', (text, value) => {
    expect(digest64(text)).toBe(value);
  });

  it('changes about half of all bits when one character changes', () => {
    let flipped = 0;
    for (let n = 0; n < 200; n++) {
      const difference = digest64(`node-${n}`) ^ digest64(`node-${n + 1}`);
      flipped += difference.toString(2).replaceAll('0', '').length;
    }
    expect(flipped / 200 / 64).toBeGreaterThan(0.45);
    expect(flipped / 200 / 64).toBeLessThan(0.55);
  });

  it('spreads texts that differ at the end over the first digits, from which names are cut', () => {
    const names = new Set(Array.from({ length: 2000 }, (_, n) => digestHex(`net/container-${n}/eth0`, 8)));
    expect(names.size).toBe(2000);
  });
});

describe('digestHex', () => {
  it('gives as many digits as asked for, leading zeros included', () => {
    const zeros = Array.from({ length: 5000 }, (_, n) => digestHex(`${n}`, 16)).filter((hex) =>
      hex.startsWith('00'),
    );
    expect(zeros.length).toBeGreaterThan(0);
    for (const hex of zeros) expect(hex).toMatch(/^[0-9a-f]{16}$/);
    expect(digestHex('a', 4)).toBe(digestHex('a', 16).slice(0, 4));
  });
});

describe('localMac', () => {
  it('is locally administered, unicast, and another for each of 100,000 texts', () => {
    const seen = new Set<string>();
    for (let n = 0; n < 100_000; n++) {
      const mac = localMac(`node-${n}`);
      seen.add(mac);
      const first = (parseMac(mac) as Uint8Array)[0] as number;
      if ((first & 3) !== 2) throw new Error(`${mac} is not locally administered unicast`);
    }
    expect(seen.size).toBe(100_000);
  });

  it('gives a text the address it always had', () => {
    expect(localMac('poplin vtep node-a 4 1')).toBe('8e:3d:97:b1:84:78');
  });
});
