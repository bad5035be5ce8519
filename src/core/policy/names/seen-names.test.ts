import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DnsResponse, decodeDnsResponse } from '#core/dns/index.ts';
import { type DnsRecordWish, dnsAnswer } from '#testing/dns-packet.ts';
import { repeatableRuns } from '#testing/soak.ts';
import { type NameChange, type NameTerms, SeenNames } from './seen-names.ts';

const TERMS = { floorSec: 10, extraSec: 5, ceilingSec: 1000, formerSec: 100 };
const all = () => true;

function answer(question: string, ...records: readonly DnsRecordWish[]): DnsResponse {
  return decodeDnsResponse(dnsAnswer({ question, records }));
}

/** What a name was last said to stand for. */
class Told {
  readonly seen: SeenNames;
  readonly names = new Map<string, NameChange>();

  constructor(terms: Partial<NameTerms> = {}) {
    this.seen = new SeenNames({ ...TERMS, ...terms });
  }

  take(response: DnsResponse, nowSec: number, isWanted: (name: string) => boolean = all): string[] {
    return this.#hear(this.seen.take(response, nowSec * 1000, isWanted).changes);
  }

  expire(nowSec: number): string[] {
    return this.#hear(this.seen.expire(nowSec * 1000));
  }

  addresses(name: string): readonly string[] {
    return this.names.get(name)?.addresses ?? [];
  }

  former(name: string): readonly string[] {
    return this.names.get(name)?.former ?? [];
  }

  #hear(changes: readonly NameChange[]): string[] {
    for (const change of changes) this.names.set(change.name, change);
    return changes.map(({ name }) => name);
  }
}

describe('an answer', () => {
  test('says what a name stands for, in both families', () => {
    const told = new Told();
    const records = ['192.0.2.1', '192.0.2.2', '2001:db8::1'].map((address) => ({
      name: 'a.example',
      address,
    }));
    expect(told.take(answer('A.example', ...records), 0)).toEqual(['a.example']);
    expect(told.addresses('a.example')).toEqual(['192.0.2.1', '192.0.2.2', '2001:db8::1']);
  });

  test('says it of every name on the way over aliases, in whatever order they are', () => {
    const told = new Told();
    told.take(
      answer(
        'www.a.example',
        { name: 'edge.cdn.example', address: '192.0.2.1' },
        { name: 'a.cdn.example', target: 'edge.cdn.example' },
        { name: 'www.a.example', target: 'a.cdn.example' },
      ),
      0,
    );
    for (const name of ['www.a.example', 'a.cdn.example', 'edge.cdn.example'])
      expect(told.addresses(name), name).toEqual(['192.0.2.1']);
  });

  test.each([
    ['of names that were not asked for', answer('a.example', { name: 'b.example', address: '192.0.2.1' })],
    [
      'that comes without a question',
      decodeDnsResponse(dnsAnswer({ records: [{ name: 'a', address: '192.0.2.1' }] })),
    ],
    [
      'with an error',
      decodeDnsResponse(
        dnsAnswer({ question: 'a', records: [{ name: 'a', address: '192.0.2.1' }], flags: 0x8182 }),
      ),
    ],
    ['with aliases in a circle', answer('a', { name: 'a', target: 'b' }, { name: 'b', target: 'a' })],
    [
      'at the end of too many aliases',
      answer('n0', ...Array.from({ length: 40 }, (_, at) => ({ name: `n${at}`, target: `n${at + 1}` })), {
        name: 'n40',
        address: '192.0.2.1',
      }),
    ],
  ])('%s says nothing', (_, response) => {
    expect(new Told().take(response, 0)).toEqual([]);
  });

  test('about names that nobody wants is not kept', () => {
    const told = new Told();
    const response = answer(
      'a.example',
      { name: 'a.example', target: 'b.example' },
      { name: 'b.example', address: '192.0.2.1' },
    );
    expect(told.take(response, 0, (name) => name === 'a.example')).toEqual(['a.example']);
    expect(told.seen.kept().map(([name]) => name)).toEqual(['a.example']);
  });

  test('that repeats what is known changes nothing, and says so', () => {
    const told = new Told();
    const response = answer('a.example', { name: 'a.example', address: '192.0.2.1', ttlSec: 30 });
    told.take(response, 0);
    expect(told.seen.take(response, 1000, all)).toEqual({ changes: [], isRenewed: true });
    expect(told.seen.take(response, 1000, () => false)).toEqual({ changes: [], isRenewed: false });
  });
});

describe('an address counts', () => {
  const response = (ttlSec: number, address = '192.0.2.1') =>
    answer('a.example', { name: 'a.example', address, ttlSec });

  test.each([
    ['as long as the answer says, and the extra time', 20, 25],
    ['for a while at least', 0, 15],
    ['not for ever', 0x7fff_ffff, 1005],
  ])('%s', (_, ttlSec, until) => {
    const told = new Told();
    told.take(response(ttlSec), 0);
    expect(told.seen.nextMs).toBe(until * 1000);
    expect(told.expire(until - 0.001)).toEqual([]);
    expect(told.expire(until)).toEqual(['a.example']);
    expect([told.addresses('a.example'), told.former('a.example')]).toEqual([[], ['192.0.2.1']]);
  });

  test('by the shortest time on the way to it', () => {
    const told = new Told();
    told.take(
      answer(
        'a.example',
        { name: 'a.example', target: 'b.example', ttlSec: 20 },
        { name: 'b.example', target: 'c.example', ttlSec: 60 },
        { name: 'c.example', address: '192.0.2.1', ttlSec: 40 },
      ),
      0,
    );
    expect(told.expire(25)).toEqual(['a.example']);
    expect(told.expire(45)).toEqual(['b.example', 'c.example']);
  });

  test('longer if it is told of again, and a shorter time takes nothing away', () => {
    const told = new Told();
    told.take(response(60), 0);
    told.take(response(10), 5);
    expect(told.expire(64)).toEqual([]);
    told.take(response(60), 64);
    expect(told.expire(128)).toEqual([]);
    expect(told.expire(129)).toEqual(['a.example']);
  });

  test('beside others that later answers tell of', () => {
    const told = new Told();
    told.take(response(20), 0);
    told.take(response(20, '192.0.2.2'), 10);
    expect(told.addresses('a.example')).toEqual(['192.0.2.1', '192.0.2.2']);
    told.expire(25);
    expect(told.addresses('a.example')).toEqual(['192.0.2.2']);
  });

  test('again when it is told of after its end, and is forgotten long after it', () => {
    const told = new Told();
    told.take(response(20), 0);
    told.expire(25);
    expect(told.seen.nextMs).toBe(125_000);
    expect(told.take(response(20), 30)).toEqual(['a.example']);
    expect(told.addresses('a.example')).toEqual(['192.0.2.1']);
    expect(told.expire(200)).toEqual(['a.example']);
    expect([told.addresses('a.example'), told.former('a.example')]).toEqual([[], []]);
    expect(told.seen.kept()).toEqual([]);
    expect(told.seen.nextMs).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('of too much', () => {
  const named = (name: string, ...addresses: readonly string[]) =>
    answer(name, ...addresses.map((address) => ({ name, address })));

  test('names, the one that was spoken of longest ago goes', () => {
    const told = new Told({ namesMax: 2 });
    told.take(named('a', '192.0.2.1'), 0);
    told.take(named('b', '192.0.2.1'), 1);
    told.take(named('a', '192.0.2.1'), 2);
    expect(told.take(named('c', '192.0.2.1'), 3)).toEqual(['c', 'b']);
    expect(told.addresses('b')).toEqual([]);
    expect(told.seen.kept().map(([name]) => name)).toEqual(['a', 'c']);
  });

  test('addresses of a name, likewise', () => {
    const told = new Told({ addressesPerNameMax: 2 });
    told.take(named('a', '192.0.2.1', '192.0.2.2'), 0);
    told.take(named('a', '192.0.2.1'), 1);
    told.take(named('a', '192.0.2.3'), 2);
    expect(told.addresses('a')).toEqual(['192.0.2.1', '192.0.2.3']);
  });

  test('addresses of all names, likewise', () => {
    const told = new Told({ addressesMax: 3 });
    told.take(named('a', '192.0.2.1', '192.0.2.2'), 0);
    expect(told.take(named('b', '192.0.2.1', '192.0.2.2'), 1)).toEqual(['b', 'a']);
    expect(told.seen.kept().map(([name]) => name)).toEqual(['b']);
  });
});

describe('what was kept', () => {
  const SEC = 1000;
  const kept = [
    [
      'a.example',
      [
        ['192.0.2.1', 100 * SEC],
        ['192.0.2.2', 40 * SEC],
      ],
    ],
  ] as const;

  test('counts as it did, and for a while if nobody was there to see the answers', () => {
    const seen = new SeenNames(TERMS);
    expect(seen.restore(kept, 50 * SEC, 60 * SEC)).toEqual([
      { name: 'a.example', addresses: ['192.0.2.1'], former: ['192.0.2.2'] },
    ]);
    expect(seen.nextMs).toBe(100 * SEC);
    const late = new SeenNames(TERMS);
    expect(late.restore(kept, 50 * SEC, 120 * SEC)).toMatchObject([{ addresses: ['192.0.2.1'] }]);
    expect(late.nextMs).toBe(135 * SEC);
  });

  test('is forgotten if it is very old, and does not last for ever if the clock was set back', () => {
    const seen = new SeenNames(TERMS);
    expect(seen.restore([['a', [['192.0.2.1', 10 * SEC]]]], 50 * SEC, 200 * SEC)).toEqual([
      { name: 'a', addresses: [], former: [] },
    ]);
    const early = new SeenNames(TERMS);
    early.restore([['a', [['192.0.2.1', 1e9 * SEC]]]], 50 * SEC, 0);
    expect(early.nextMs).toBe(1005 * SEC);
  });
});

test('whatever is answered when, what was told is what is there, and nothing outlives its time or its bounds', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'd');
  const record = fc.oneof(
    fc.record({ name: names, address: fc.nat(5).map((n) => `192.0.2.${n}`), ttlSec: fc.nat(60) }),
    fc.record({ name: names, target: names, ttlSec: fc.nat(60) }),
  );
  const step = fc.tuple(names, fc.array(record, { maxLength: 5 }), fc.nat(30));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const told = new Told({ namesMax: 3, addressesPerNameMax: 4, addressesMax: 9 });
      let nowSec = 0;
      for (const [question, records, laterSec] of steps) {
        nowSec += laterSec;
        told.expire(nowSec);
        told.take(answer(question, ...records), nowSec);
        const kept = told.seen.kept();
        expect(kept.length).toBeLessThanOrEqual(3);
        expect(kept.flatMap(([, addresses]) => addresses).length).toBeLessThanOrEqual(9);
        const known = new Map(kept);
        for (const [name, { addresses, former }] of told.names) {
          const its = known.get(name) ?? [];
          const current = its.filter(([, untilMs]) => untilMs > nowSec * 1000).map(([address]) => address);
          expect([...addresses].toSorted()).toEqual(current.toSorted());
          expect(addresses.length + former.length).toBe(its.length);
        }
        expect(told.seen.nextMs).toBeGreaterThan(nowSec * 1000);
      }
    }),
    repeatableRuns(200, 20_000),
  );
});
