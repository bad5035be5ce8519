import { beforeEach, describe, expect, test } from 'vitest';
import { type KernelObject, type KernelOp, keyOf } from '#core/kernel/index.ts';
import {
  act,
  element,
  field,
  match,
  type NftChain,
  type NftObject,
  type NftSet,
  type NftTable,
  rule,
} from '#core/nft/index.ts';
import { encodeMessage, NLM_F } from '../message.ts';
import { NFT_MESSAGE } from './header.ts';
import { generationMessage, ruleMessage, setMessage } from './messages.ts';
import { NftMirror } from './mirror.ts';
import { ruleToWire } from './objects.ts';
import { setToWire } from './set.ts';
import { encodeNftOps } from './transaction.ts';

const TABLE = 'poplin-lab';
const here = { family: 'inet', table: TABLE } as const;
const table: NftTable = { kind: 'nft-table', family: 'inet', name: TABLE };
const chain: NftChain = { kind: 'nft-chain', ...here, name: 'c', rules: [] };
const hosts: NftSet = { kind: 'nft-set', ...here, name: 'h', keyType: ['ipv4_addr'] };
const nets: NftSet = { kind: 'nft-set', ...here, name: 'n', keyType: ['ipv4_addr'], interval: true };
const one = element(hosts, ['10.0.0.1']);

let mirror: NftMirror;
beforeEach(() => {
  mirror = new NftMirror();
});

/** What the kernel would tell of objects that were added or removed; of rules it tells apart. */
function tell(verb: 'add' | 'remove', ...objects: NftObject[]): void {
  const literal = { ...hosts, name: '__set0' };
  const state = new Map<string, KernelObject>([hosts, nets, literal].map((set) => [keyOf(set), set]));
  const { messages } = encodeNftOps(
    objects.map((object) => ({ verb, object })),
    state,
  );
  for (const message of messages) mirror.apply(message);
}

type Place = { readonly position?: number; readonly flags?: number };

function tellRule(
  handle: number,
  mark: number,
  { position, flags = NLM_F.CREATE | NLM_F.APPEND }: Place = {},
): void {
  const wire = ruleToWire(chain, rule('inet', [match.is(field.mark, mark), act.accept]));
  const attributes = {
    ...wire.attributes,
    handle: BigInt(handle),
    ...(position !== undefined && { position: BigInt(position) }),
  };
  mirror.apply(
    encodeMessage(ruleMessage, { type: NFT_MESSAGE.NEWRULE, flags, payload: { ...wire, attributes } }),
  );
}

function tellRuleGone(handle: number): void {
  const wire = ruleToWire(chain, { expressions: [] });
  const attributes = { ...wire.attributes, handle: BigInt(handle) };
  mirror.apply(
    encodeMessage(ruleMessage, { type: NFT_MESSAGE.DELRULE, flags: 0, payload: { ...wire, attributes } }),
  );
}

/** The marks that the chain's rules look for, in order. */
function marks(): number[] {
  mirror.takeChanged();
  const found = mirror.state.get(keyOf(chain)) as NftChain;
  return found.rules.map(({ expressions }) => {
    const cmp = expressions.find((each) => each.op === 'cmp');
    return cmp?.op === 'cmp' ? Number.parseInt(cmp.value.slice(2, 4), 16) : -1;
  });
}

describe('objects', () => {
  test('appear, and are told once', () => {
    tell('add', table, hosts, nets, chain, one);
    expect([...mirror.takeChanged()].sort()).toEqual([table, hosts, nets, chain, one].map(keyOf).sort());
    expect(mirror.state.get(keyOf(one))).toEqual(one);
    expect([...mirror.takeChanged()]).toEqual([]);
  });

  test('told again are no change', () => {
    tell('add', table, hosts, one);
    mirror.takeChanged();
    tell('add', table, hosts, one);
    expect([...mirror.takeChanged()]).toEqual([]);
  });

  test('vanish', () => {
    tell('add', table, hosts, chain, one, element(hosts, ['10.0.0.2']));
    mirror.takeChanged();
    tell('remove', one);
    expect([...mirror.takeChanged()]).toEqual([keyOf(one)]);
    tell('remove', chain);
    expect([...mirror.takeChanged()]).toEqual([keyOf(chain)]);
  });

  test('vanish with their set, and everything with its table', () => {
    tell('add', table, hosts, chain, one);
    mirror.takeChanged();
    const payload = { family: 1, version: 0, resourceId: 0, attributes: { table: TABLE, name: 'h' } };
    mirror.apply(encodeMessage(setMessage, { type: NFT_MESSAGE.DELSET, flags: 0, payload }));
    expect([...mirror.takeChanged()].sort()).toEqual([one, hosts].map(keyOf).sort());
    tell('remove', table);
    expect([...mirror.takeChanged()].sort()).toEqual([table, chain].map(keyOf).sort());
    expect(mirror.state.size).toBe(0);
  });

  test('of other tables are passed over', () => {
    tell('add', { ...table, name: 'firewalld' }, { ...chain, table: 'firewalld' });
    const attributes = { id: 7 };
    const payload = { family: 0, version: 0, resourceId: 7, attributes };
    mirror.apply(encodeMessage(generationMessage, { type: NFT_MESSAGE.NEWGEN, flags: 0, payload }));
    expect(mirror.state.size).toBe(0);
    expect(mirror.takeNeedsDump()).toBe(false);
  });

  test('of a table of ours that is not known lead to a dump', () => {
    tell('add', chain);
    expect(mirror.takeNeedsDump()).toBe(true);
    expect(mirror.takeNeedsDump()).toBe(false);
  });
});

describe('rules', () => {
  beforeEach(() => {
    tell('add', table, chain);
    tellRule(1, 1);
    tellRule(2, 2);
    tellRule(3, 3);
  });

  test('are appended', () => {
    expect(marks()).toEqual([1, 2, 3]);
  });

  test('are put behind the one that is named', () => {
    tellRule(4, 4, { position: 1 });
    expect(marks()).toEqual([1, 4, 2, 3]);
  });

  test('are put first without a position and without NLM_F_APPEND', () => {
    tellRule(4, 4, { flags: NLM_F.CREATE });
    expect(marks()).toEqual([4, 1, 2, 3]);
  });

  test('that took another’s place at an end lead to a dump', () => {
    tellRuleGone(1);
    tellRule(4, 4, { flags: NLM_F.APPEND });
    expect(mirror.takeNeedsDump()).toBe(true);
  });

  test('behind one that is not known lead to a dump', () => {
    tellRule(4, 4, { position: 99 });
    expect(mirror.takeNeedsDump()).toBe(true);
  });

  test('told again keep their place', () => {
    tellRule(2, 7);
    expect(marks()).toEqual([1, 7, 3]);
  });

  test('vanish by their handle', () => {
    tellRuleGone(2);
    tellRuleGone(77);
    expect(marks()).toEqual([1, 3]);
  });

  test('change the chain, which is told once', () => {
    mirror.takeChanged();
    tellRule(4, 4);
    tellRule(5, 5);
    expect([...mirror.takeChanged()]).toEqual([keyOf(chain)]);
    tellRuleGone(5);
    tellRule(5, 5);
    expect([...mirror.takeChanged()]).toEqual([]);
  });
});

describe('sets', () => {
  test('of ranges show whole ranges only', () => {
    tell('add', table, nets, element(nets, ['10.0.0.0/8']), element(nets, ['11.0.0.0/8']));
    mirror.takeChanged();
    expect(mirror.state.get(`nft element inet ${TABLE} n 10.0.0.0`)).toEqual(element(nets, ['10.0.0.0/8']));
    tell('remove', element(nets, ['10.0.0.0/8']));
    expect([...mirror.takeChanged()]).toEqual([`nft element inet ${TABLE} n 10.0.0.0`]);
    expect(mirror.state.get(`nft element inet ${TABLE} n 11.0.0.0`)).toEqual(element(nets, ['11.0.0.0/8']));
  });

  test('that traffic fills show no elements', () => {
    const seen = { ...hosts, dynamic: true };
    tell('add', table, seen, one);
    expect([...mirror.takeChanged()].sort()).toEqual([table, seen].map(keyOf).sort());
  });

  test('inside rules, which have no name of their own, are none', () => {
    tell('add', table);
    const wire = setToWire({ ...hosts, name: '__set0' }, 1);
    const payload = { ...wire, attributes: { ...wire.attributes, flags: 3 } };
    mirror.apply(encodeMessage(setMessage, { type: NFT_MESSAGE.NEWSET, flags: 0, payload }));
    tell('add', { ...one, set: '__set0' });
    expect([...mirror.takeChanged()]).toEqual([keyOf(table)]);
    expect(mirror.takeNeedsDump()).toBe(false);
  });
});

describe('a dump', () => {
  test('brings what is new, takes what is gone and tells only these', () => {
    tell('add', table, hosts, one, element(hosts, ['10.0.0.2']));
    mirror.takeChanged();
    mirror.beginResync();
    tell('add', table, hosts, one, nets);
    mirror.endResync();
    expect([...mirror.takeChanged()].sort()).toEqual(
      [`nft element inet ${TABLE} h 10.0.0.2`, keyOf(nets)].sort(),
    );
  });

  test('leaves objects of other kinds in the shared map alone', () => {
    const link: KernelObject = { kind: 'link', name: 'eth0', detail: { type: 'dummy' } };
    const shared = new Map([[keyOf(link), link]]);
    mirror = new NftMirror(shared);
    mirror.beginResync();
    tell('add', table);
    mirror.endResync();
    expect([...shared.keys()]).toEqual([keyOf(link), keyOf(table)]);
  });

  test('takes rules in the order they come', () => {
    mirror.beginResync();
    tell('add', table, chain);
    tellRule(9, 1, { flags: NLM_F.APPEND });
    tellRule(4, 2, { flags: NLM_F.APPEND, position: 9 });
    mirror.endResync();
    expect(marks()).toEqual([1, 2]);
  });

  test('asks for the rules and elements of our tables only', () => {
    mirror.beginResync();
    const requests = mirror.dumpRequests();
    const overview = [requests.next(), requests.next(), requests.next()];
    expect(overview.every(({ done }) => !done)).toBe(true);
    tell('add', { ...table, name: 'firewalld' }, table, hosts, { ...nets, dynamic: true });
    const types = [...requests].map((bytes) => bytes[4]);
    expect(types).toEqual([NFT_MESSAGE.GETRULE & 0xff, NFT_MESSAGE.GETSETELEM & 0xff]);
  });
});

describe('elements of an own transaction', () => {
  const PORT = 0x8123_4567;
  const two = element(hosts, ['10.0.0.2']);
  const additions = [one, two].map((object) => ({ verb: 'add', object }) as const);

  /** As tell, in the name of whoever has the port. */
  const tellOf = (port: number, verb: 'add' | 'remove', ...objects: NftObject[]) => {
    const state = new Map<string, KernelObject>([hosts, nets].map((set) => [keyOf(set), set]));
    const { messages } = encodeNftOps(
      objects.map((object) => ({ verb, object })),
      state,
    );
    for (const message of messages) mirror.apply(from(port, message));
  };
  const tellGeneration = (port: number) => {
    const payload = { family: 0, version: 0, resourceId: 0, attributes: { id: 7 } };
    const bytes = encodeMessage(generationMessage, { type: NFT_MESSAGE.NEWGEN, flags: 0, payload });
    mirror.apply(from(port, bytes));
  };
  const from = (port: number, message: Uint8Array) => {
    new DataView(message.buffer, message.byteOffset).setUint32(12, port, true);
    return message;
  };

  beforeEach(() => {
    mirror.setOwnPort(PORT);
    tell('add', table, hosts, nets);
    mirror.takeChanged();
  });

  test('are there with its generation, and nobody is told', () => {
    mirror.expect(additions);
    tellOf(PORT, 'add', one, two);
    tellGeneration(1);
    expect(mirror.state.has(keyOf(one))).toBe(false);
    tellGeneration(PORT);
    expect(mirror.state.get(keyOf(one))).toBe(one);
    expect(mirror.state.get(keyOf(two))).toBe(two);
    expect(mirror.takeChanged()).toEqual(new Set());
    tell('remove', one);
    expect(mirror.takeChanged()).toEqual(new Set([keyOf(one)]));
  });

  test('come between what others did before and after', () => {
    mirror.expect(additions);
    tellOf(1, 'add', one);
    tellOf(1, 'remove', one);
    tellGeneration(1);
    tellGeneration(PORT);
    tellOf(1, 'remove', two);
    expect([one, two].map((each) => mirror.state.has(keyOf(each)))).toEqual([true, false]);
  });

  test('vanish with their set, and are dumped where the set is not known any more', () => {
    mirror.expect(additions);
    tellGeneration(PORT);
    mirror.expect(additions);
    tell('remove', hosts);
    expect(mirror.state.has(keyOf(two))).toBe(false);
    tellGeneration(PORT);
    expect(mirror.state.has(keyOf(two))).toBe(false);
    expect(mirror.takeNeedsDump()).toBe(true);
  });

  test('that was refused are not there', () => {
    mirror.expect(additions);
    mirror.expectNoMore();
    tellGeneration(PORT);
    expect(mirror.state.has(keyOf(one))).toBe(false);
  });

  const READ: Readonly<Record<string, readonly KernelOp[]>> = {
    'of a set of ranges': [{ verb: 'add', object: element(nets, ['10.0.0.0/24']) }],
    'beside a removal': [...additions, { verb: 'remove', object: element(hosts, ['10.0.0.3']) }],
    'of a set that is nowhere': [{ verb: 'add', object: { ...one, set: 'none' } }],
    'with a comment': [{ verb: 'add', object: { ...one, comment: 'c' } }],
  };
  test.each(Object.entries(READ))('are read from their notifications: %s', (_name, ops) => {
    mirror.expect(ops);
    tellOf(PORT, 'add', one);
    expect(mirror.state.has(keyOf(one))).toBe(true);
  });

  test('are read while a dump is under way', () => {
    mirror.expect(additions);
    mirror.beginResync();
    tellOf(PORT, 'add', table, hosts, one);
    mirror.endResync();
    expect(mirror.state.has(keyOf(one))).toBe(true);
  });
});
