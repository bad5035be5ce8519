import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prefixContains } from '#base/ip/index.ts';
import { runs } from '#testing/soak.ts';
import { PrefixTable } from './prefix-table.ts';

const PREFIXES = {
  4: [
    '0.0.0.0/0',
    '10.0.0.0/8',
    '10.0.0.0/16',
    '10.0.0.0/24',
    '10.0.1.0/24',
    '192.168.1.1/32',
    '255.255.255.255/32',
  ],
  6: ['::/0', 'fd00::/8', 'fd00::/64', 'fd00:0:0:1::/64', 'fd00::1/128', '2001:db8::/32', 'ffff::/16'],
} as const;

describe.each([4, 6] as const)('the numbers of IPv%d prefixes', (family) => {
  it('stay as long as they are held, and are given again afterwards', () => {
    const table = new PrefixTable(family);
    const [one, two] = PREFIXES[family];
    const first = table.intern(one);
    table.hold(first);
    table.hold(first);
    expect(table.intern(one)).toBe(first);
    const second = table.intern(two);
    expect(second).not.toBe(first);
    table.forget(second);
    expect(table.find(two)).toBe(0);
    table.release(first);
    expect(table.find(one)).toBe(first);
    table.forget(first);
    expect(table.textOf(first)).toBe(one);
    table.release(first);
    expect([table.find(one), table.size]).toEqual([0, 0]);
    expect(table.intern(two)).toBe(first);
  });

  it('know what lies within what', () => {
    const table = new PrefixTable(family);
    for (const inner of PREFIXES[family])
      for (const outer of PREFIXES[family])
        expect(table.isWithin(table.intern(inner), table.intern(outer)), `${inner} in ${outer}`).toBe(
          prefixContains(outer, inner),
        );
  });

  it('tell a thousand prefixes apart through any coming and going', () => {
    const textOf = (number: number): string =>
      family === 4 ? `10.${number >> 8}.${number & 255}.0/24` : `fd00:${number.toString(16)}::/64`;
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { maxLength: 2000 }), (numbers) => {
        const table = new PrefixTable(family);
        const held = new Map<string, number>();
        for (const number of numbers) {
          const text = textOf(number);
          const index = table.intern(text);
          if (held.delete(text)) table.release(index);
          else {
            table.hold(index);
            held.set(text, index);
          }
        }
        expect(table.size).toBe(held.size);
        for (const [text, index] of held)
          expect([table.find(text), table.textOf(index)]).toEqual([index, text]);
      }),
      runs(20, 500),
    );
  });

  it.each([
    '',
    '10.0.0.0',
    '/8',
    '10.0.0.0/',
    '10.0.0.0/x',
    '10.0.0/8',
    '10.0.0.0/33',
    'fd00::/129',
    'fd00:::/8',
  ])('refuse "%s"', (text) => {
    expect(() => new PrefixTable(family).intern(text)).toThrow(`not a prefix of IPv${family}: "${text}"`);
  });
});
