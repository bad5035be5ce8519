import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ipToBigInt, offsetIp } from '#base/ip/index.ts';
import { CniError } from '../../spec/error.ts';
import { type AllocationInput, allocate, countFree } from './allocate.ts';
import { checkRangeSets } from './config.ts';
import type { RangeSpec } from './range.ts';

const setOf = (...specs: RangeSpec[]) => checkRangeSets([specs], '1.0.0')[0] ?? [];
const next = (specs: RangeSpec[], taken: string[] = [], input: Partial<AllocationInput> = {}) =>
  allocate(setOf(...specs), { isTaken: (address) => taken.includes(address), ...input });

describe('the next address', () => {
  test.each([
    ['is the first but the gateway', [{ subnet: '10.1.0.0/24' }], [], undefined, '10.1.0.2/24'],
    ['in IPv6 too', [{ subnet: 'fd00::/64' }], [], undefined, 'fd00::2/64'],
    ['follows the last one', [{ subnet: '10.1.0.0/24' }], [], '10.1.0.7', '10.1.0.8/24'],
    [
      'passes over taken ones',
      [{ subnet: '10.1.0.0/24' }],
      ['10.1.0.8', '10.1.0.9'],
      '10.1.0.7',
      '10.1.0.10/24',
    ],
    ['goes round at the end', [{ subnet: '10.1.0.0/24' }], [], '10.1.0.254', '10.1.0.2/24'],
    [
      'never is a configured gateway',
      [{ subnet: '10.1.0.0/24', gateway: '10.1.0.2' }],
      [],
      '10.1.0.1',
      '10.1.0.3/24',
    ],
    ['is the first if the last is unknown', [{ subnet: '10.1.0.0/24' }], [], '172.16.0.1', '10.1.0.2/24'],
    [
      'keeps to rangeStart and rangeEnd',
      [{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.10', rangeEnd: '10.1.0.11' }],
      ['10.1.0.10'],
      '10.1.0.11',
      '10.1.0.11/24',
    ],
    [
      'goes on in the next range',
      [{ subnet: '10.1.0.0/24', rangeEnd: '10.1.0.5' }, { subnet: '10.2.0.0/24' }],
      [],
      '10.1.0.5',
      '10.2.0.2/24',
    ],
    [
      'goes round through all ranges',
      [{ subnet: '10.1.0.0/29' }, { subnet: '10.2.0.0/29' }],
      ['10.2.0.6'],
      '10.2.0.5',
      '10.1.0.2/29',
    ],
    [
      'never is the network address, even where the range begins with it',
      [{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.0', gateway: '10.1.0.9' }],
      [],
      undefined,
      '10.1.0.1/24',
    ],
    [
      'never is the broadcast address, even where the range ends with it',
      [{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.254', rangeEnd: '10.1.0.255' }],
      ['10.1.0.254'],
      undefined,
      undefined,
    ],
    [
      'may be the last of an IPv6 network',
      [{ subnet: 'fd00::/126', rangeStart: 'fd00::3' }],
      [],
      undefined,
      'fd00::3/126',
    ],
  ])('%s', (_name, specs, taken, lastReserved, expected) => {
    expect(next(specs, taken, { lastReserved })?.interfaceAddress).toBe(expected);
  });

  test('comes with its range gateway', () => {
    const specs = [{ subnet: '10.1.0.0/29' }, { subnet: '10.2.0.0/29', gateway: '10.2.0.6' }];
    expect(next(specs, [], { lastReserved: '10.1.0.6' })).toEqual({
      address: '10.2.0.1',
      interfaceAddress: '10.2.0.1/29',
      gateway: '10.2.0.6',
    });
  });

  test('of a large network is found at once, however many are taken', () => {
    const set = setOf({ subnet: '10.0.0.0/8' });
    let asked = 0;
    const taken = new Set(Array.from({ length: 10_000 }, (_, i) => offsetIp('10.0.0.0', i)));
    const found = allocate(set, {
      lastReserved: '10.0.39.15',
      isTaken: (address) => {
        asked++;
        return taken.has(address);
      },
    });
    expect(found?.address).toBe('10.0.39.16');
    expect(asked).toBe(1);
  });
});

describe('a requested address', () => {
  const specs = [{ subnet: '10.1.0.0/24', rangeEnd: '10.1.0.100' }];
  test('is given if it is free', () => {
    expect(next(specs, [], { requested: '10.1.0.50', lastReserved: '10.1.0.2' })?.interfaceAddress).toBe(
      '10.1.0.50/24',
    );
  });

  test.each([
    [
      '10.1.0.60',
      'requested IP address 10.1.0.60 is not available in range set 10.1.0.1-10.1.0.100: it is taken',
    ],
    ['10.1.0.200', 'requested IP address 10.1.0.200 is not in range set 10.1.0.1-10.1.0.100'],
    ['10.1.0.1', "requested IP address 10.1.0.1 is the subnet's gateway"],
  ])('%s is refused', (requested, msg) => {
    try {
      next(specs, ['10.1.0.60'], { requested });
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(CniError);
      expect(error).toMatchObject({ code: 112, msg });
    }
  });
});

test('a range gives every address once before any comes again, and then no more', () => {
  const subnets = fc.constantFrom<RangeSpec[]>(
    [{ subnet: '10.1.0.0/28' }],
    [{ subnet: 'fd00::/124' }],
    [{ subnet: '10.1.0.0/29' }, { subnet: '10.2.0.0/29', gateway: '10.2.0.4' }],
    [{ subnet: '10.1.0.0/24', rangeStart: '10.1.0.20', rangeEnd: '10.1.0.30' }],
  );
  fc.assert(
    fc.property(subnets, fc.nat(40), (specs, start) => {
      const set = setOf(...specs);
      const free = Number(countFree(set, []));
      const taken = new Set<string>();
      const first = set[0];
      let last: string | undefined = first && offsetIp(first.start, start);
      for (let given = 0; given < free; given++) {
        const found = allocate(set, { lastReserved: last, isTaken: (address) => taken.has(address) });
        expect(found).toBeDefined();
        last = found?.address ?? '';
        expect(taken.has(last)).toBe(false);
        expect(set.map((range) => range.gateway)).not.toContain(last);
        taken.add(last);
        expect(countFree(set, taken)).toBe(BigInt(free - given - 1));
      }
      expect(allocate(set, { lastReserved: last, isTaken: (address) => taken.has(address) })).toBeUndefined();
    }),
  );
});

test('the count of free addresses leaves out what is taken elsewhere', () => {
  const set = setOf({ subnet: '10.1.0.0/24' });
  expect(countFree(set, [])).toBe(253n);
  expect(countFree(set, ['10.1.0.7', '10.2.0.7', '10.1.0.1', 'fd00::7'])).toBe(252n);
  expect(ipToBigInt('0.0.0.1')).toBe(1n);
});
