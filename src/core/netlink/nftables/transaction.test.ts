import { describe, expect, test } from 'vitest';
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
import { decodeMessage, messageType } from '../message.ts';
import { NFT_MESSAGE } from './header.ts';
import { elementsMessage } from './messages.ts';
import { encodeNftOps } from './transaction.ts';

const here = { family: 'inet', table: 't' } as const;
const table: NftTable = { kind: 'nft-table', family: 'inet', name: 't' };
const ports: NftSet = { kind: 'nft-set', ...here, name: 'p', keyType: ['inet_service'] };
const verdicts: NftSet = { kind: 'nft-set', ...here, name: 'v', keyType: ['ipv4_addr'], dataType: 'verdict' };
const target: NftChain = { kind: 'nft-chain', ...here, name: 'target', rules: [] };
const input: NftChain = {
  kind: 'nft-chain',
  ...here,
  name: 'i',
  hook: { hook: 'input', priority: 0, type: 'filter', policy: 'accept' },
  rules: [
    rule('inet', [match.inSet(field.dport('tcp'), ports), act.accept]),
    rule('inet', [match.vmap(field.saddr(4), verdicts)]),
  ],
};
const web = element(ports, [80]);
const jump = element(verdicts, ['10.0.0.1'], { data: { verdict: 'jump', chain: 'target' } });
const ALL: readonly NftObject[] = [table, ports, verdicts, target, input, web, jump];

const NAMES = new Map(Object.entries(NFT_MESSAGE).map(([name, number]) => [number, name]));
const stateOf = (objects: readonly KernelObject[]) =>
  new Map(objects.map((object) => [keyOf(object), object]));
const add = (object: NftObject): KernelOp => ({ verb: 'add', object });
const remove = (object: NftObject): KernelOp => ({ verb: 'remove', object });
const replace = (object: NftObject, previous: NftObject): KernelOp => ({ verb: 'replace', object, previous });

/** `NEWTABLE 0`: the messages with the operations they serve. */
function sent(ops: readonly KernelOp[], state: readonly NftObject[] = []): string[] {
  const { messages, opIndex } = encodeNftOps(ops, stateOf(state));
  return messages.map((message, i) => `${NAMES.get(messageType(message))} ${opIndex[i]}`);
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** Annotated bytes: what stands behind `//` is for people. */
function bytesOf(text: string): string {
  return text
    .split('\n')
    .map((line) => line.replace(/\/\/.*/, '').trim())
    .filter((line) => line !== '')
    .join(' ');
}

describe('bytes on the wire', () => {
  test('a table', () => {
    expect(hex(encodeNftOps([add(table)]).messages[0] as Uint8Array)).toBe(
      bytesOf(`
        24 00 00 00  // nlmsg_len 36
        00 0a        // NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE
        00 04        // NLM_F_CREATE; the socket adds NLM_F_REQUEST
        00 00 00 00  // sequence
        00 00 00 00  // port id
        01 00 00 00  // NFPROTO_INET, version 0, res_id 0
        06 00 01 00  // NFTA_TABLE_NAME
        74 00 00 00  //   "t"
        08 00 02 00  // NFTA_TABLE_FLAGS
        00 00 00 00
      `).replace(/ {2}/g, ' '),
    );
  });

  test('an element', () => {
    expect(hex(encodeNftOps([add(web)], stateOf([ports])).messages[0] as Uint8Array)).toBe(
      bytesOf(`
        38 00 00 00  // nlmsg_len 56
        0c 0a        // NFT_MSG_NEWSETELEM
        00 04        // NLM_F_CREATE
        00 00 00 00
        00 00 00 00
        01 00 00 00
        06 00 01 00  // NFTA_SET_ELEM_LIST_TABLE
        74 00 00 00
        06 00 02 00  // NFTA_SET_ELEM_LIST_SET
        70 00 00 00
        14 00 03 80  // NFTA_SET_ELEM_LIST_ELEMENTS, nested
        10 00 01 80  //   NFTA_LIST_ELEM, nested
        0c 00 01 80  //     NFTA_SET_ELEM_KEY, nested
        06 00 01 00  //       NFTA_DATA_VALUE
        00 50 00 00  //         80, big-endian
      `),
    );
  });

  test('a rule', () => {
    const chain: NftChain = { ...target, name: 'c', rules: [rule('inet', [act.jump('x')])] };
    const [, , bytes] = encodeNftOps([add(chain)]).messages;
    expect(hex((bytes as Uint8Array).subarray(16))).toBe(
      bytesOf(`
        01 00 00 00
        06 00 01 00  // NFTA_RULE_TABLE
        74 00 00 00
        06 00 02 00  // NFTA_RULE_CHAIN
        63 00 00 00
        3c 00 04 80  // NFTA_RULE_EXPRESSIONS, nested
        38 00 01 80  //   NFTA_LIST_ELEM, nested
        0e 00 01 00  //     NFTA_EXPR_NAME
        69 6d 6d 65 64 69 61 74 65 00 00 00
        24 00 02 80  //     NFTA_EXPR_DATA, nested
        08 00 01 00  //       NFTA_IMMEDIATE_DREG
        00 00 00 00  //         NFT_REG_VERDICT
        18 00 02 80  //       NFTA_IMMEDIATE_DATA, nested
        14 00 02 80  //         NFTA_DATA_VERDICT, nested
        08 00 01 00  //           NFTA_VERDICT_CODE
        ff ff ff fd  //             NFT_JUMP
        06 00 02 00  //           NFTA_VERDICT_CHAIN
        78 00 00 00
      `),
    );
  });
});

describe('order', () => {
  test('additions: tables, sets, chains, elements, rules, in whatever order they are given', () => {
    const ops = ALL.toReversed().map(add);
    expect(sent(ops)).toEqual([
      'NEWTABLE 6',
      'NEWSET 4',
      'NEWSET 5',
      'NEWCHAIN 2',
      'DELRULE 2',
      'NEWCHAIN 3',
      'DELRULE 3',
      'NEWSETELEM 0',
      'NEWSETELEM 1',
      'NEWRULE 2',
      'NEWRULE 2',
    ]);
  });

  test('removals: rules, elements, sets, chains', () => {
    const ops = [target, input, verdicts, web, jump].map(remove);
    expect(sent(ops, ALL)).toEqual([
      'DELRULE 0',
      'DELRULE 1',
      'DELSETELEM 3',
      'DELSETELEM 2',
      'DELSET 2',
      'DELCHAIN 0',
      'DELCHAIN 1',
    ]);
  });

  test('a table takes all that lies in it with it', () => {
    expect(sent(ALL.map(remove), ALL)).toEqual(['DELTABLE 0']);
  });

  test('elements go before others come', () => {
    expect(sent([add(element(ports, [81])), remove(web)], ALL)).toEqual(['DELSETELEM 1', 'NEWSETELEM 0']);
  });
});

describe('replacing', () => {
  const hooked = (hook: Partial<NonNullable<NftChain['hook']>>): NftChain => ({
    ...input,
    hook: { ...(input.hook as NonNullable<NftChain['hook']>), ...hook },
  });

  test('rules flushes and adds them', () => {
    const fewer = { ...input, rules: input.rules.slice(1) };
    expect(sent([replace(fewer, input)])).toEqual(['DELRULE 0', 'NEWRULE 0']);
  });

  test('a policy leaves the rules alone', () => {
    expect(sent([replace(hooked({ policy: 'drop' }), input)])).toEqual(['NEWCHAIN 0']);
  });

  test('a priority makes the chain anew', () => {
    expect(sent([replace(hooked({ priority: 1 }), input)])).toEqual([
      'DELRULE 0',
      'DELCHAIN 0',
      'NEWCHAIN 0',
      'DELRULE 0',
      'NEWRULE 0',
      'NEWRULE 0',
    ]);
  });

  test('a set makes it anew, with what uses it and what is in it', () => {
    expect(sent([replace({ ...ports, interval: true }, ports)], ALL)).toEqual([
      'DELRULE 0',
      'DELSETELEM 0',
      'DELSET 0',
      'NEWSET 0',
      'NEWSETELEM 0',
      'NEWRULE 0',
      'NEWRULE 0',
    ]);
  });

  test('a set together with its chain and an element', () => {
    const ranges = { ...ports, interval: true };
    const ops = [
      replace(ranges, ports),
      replace({ ...input, rules: input.rules.slice(0, 1) }, input),
      remove(web),
      add(element(ranges, [[1, 1023]])),
    ];
    expect(sent(ops, ALL)).toEqual([
      'DELRULE 1',
      'DELSETELEM 0',
      'DELSET 0',
      'NEWSET 0',
      'NEWSETELEM 3',
      'NEWRULE 1',
    ]);
  });

  test('an element removes and adds it', () => {
    const other = element(verdicts, ['10.0.0.1'], { data: { verdict: 'drop' } });
    expect(sent([replace(other, jump)], ALL)).toEqual(['DELSETELEM 0', 'NEWSETELEM 0']);
  });
});

describe('elements', () => {
  test('are at most 1,000 and 64 KiB a message, and none is lost', () => {
    const hosts: NftSet = { kind: 'nft-set', ...here, name: 'h', keyType: ['ipv6_addr'] };
    const made = Array.from({ length: 2500 }, (_, i) =>
      element(hosts, [`fd00::${i.toString(16)}`], { comment: i < 1250 ? 'x'.repeat(200) : '' }),
    );
    const { messages, opIndex } = encodeNftOps([hosts, ...made].map(add));
    const lists = messages
      .slice(1)
      .map((message) => decodeMessage(elementsMessage, message).payload.attributes.elements);
    expect(lists.flat()).toHaveLength(2500);
    for (const [i, list] of lists.entries()) {
      expect(list?.length).toBeLessThanOrEqual(1000);
      expect(messages[i + 1]?.length).toBeLessThan(65_000);
    }
    // Each message names the operation of its first element.
    expect(opIndex[1]).toBe(1);
    expect(opIndex[2]).toBe(1 + (lists[0]?.length ?? 0));
  });

  test('of a set that is neither among the operations nor there are refused', () => {
    expect(() => encodeNftOps([add(web)])).toThrow(
      "element of nft set inet t p: the set is neither in these operations nor in the kernel's state",
    );
  });
});

test('an operation on anything else is refused', () => {
  const link: KernelOp = { verb: 'add', object: { kind: 'link', name: 'x', detail: { type: 'dummy' } } };
  expect(() => encodeNftOps([link])).toThrow('link is no nf_tables object');
});
