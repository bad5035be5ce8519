/** Expressions that move, change and compare register contents, between the vocabulary and the wire. */
import { CT_KEYS, FIB_INPUTS, META_KEYS, type PayloadBase, type Relation } from '#core/nft/index.ts';
import { dataHex, dataVerdict, hexData, registerOf, VERDICT_REGISTER, verdictData } from './data.ts';
import { bitSet, enumeration } from './enumeration.ts';
import type { Readers, Writers } from './expression-mapping.ts';

const bases = enumeration<Record<PayloadBase, number>>({ link: 0, network: 1, transport: 2 });
const relations = enumeration<Record<Relation, number>>({ eq: 0, neq: 1, lt: 2, lte: 3, gt: 4, gte: 5 });
const metaKeys = enumeration(META_KEYS);
const ctKeys = enumeration(CT_KEYS);
const directions = enumeration({ original: 0, reply: 1 });
const orders = enumeration({ host: 0, network: 1 });
const numgenModes = enumeration({ inc: 0, random: 1 });
const fibResults = enumeration({ oif: 1, oifname: 2, type: 3 });
const fibFlags = bitSet({ saddr: 1, daddr: 2, mark: 4, iif: 8, oif: 16, present: 32 });
/** NFT_RT_TCPMSS, NFT_EXTHDR_OP_TCPOPT, NFT_LOOKUP_F_INV, NFT_HASH_JENKINS, NFT_HASH_SYM. */
const RT_TCPMSS = 3;
const EXTHDR_TCPOPT = 1;
const LOOKUP_INVERTED = 1;
const HASH_JENKINS = 0;
const HASH_SYMMETRIC = 1;

export const loadWriters = {
  payload: (e) => ({
    name: 'payload',
    data: { destination: e.register, base: bases.number(e.base), offset: e.offset, length: e.length },
  }),
  meta: (e) => ({ name: 'meta', data: { destination: e.register, key: META_KEYS[e.key] } }),
  'meta-set': (e) => ({ name: 'meta', data: { key: META_KEYS[e.key], source: e.register } }),
  ct: (e) => ({
    name: 'ct',
    data: {
      destination: e.register,
      key: CT_KEYS[e.key],
      ...(e.direction && { direction: directions.number(e.direction) }),
    },
  }),
  'ct-set': (e) => ({ name: 'ct', data: { key: CT_KEYS[e.key], source: e.register } }),
  cmp: (e) => ({
    name: 'cmp',
    data: { source: e.register, operation: relations.number(e.relation), data: hexData(e.value) },
  }),
  range: (e) => ({
    name: 'range',
    data: {
      source: e.register,
      operation: e.inverted ? 1 : 0,
      from: hexData(e.from),
      to: hexData(e.to),
    },
  }),
  bitwise: (e) => ({
    name: 'bitwise',
    data: {
      source: e.source,
      destination: e.register,
      length: e.mask.length / 2 - 1,
      mask: hexData(e.mask),
      xor: hexData(e.xor),
    },
  }),
  byteorder: (e) => ({
    name: 'byteorder',
    data: {
      source: e.source,
      destination: e.register,
      operation: orders.number(e.to),
      length: e.length,
      size: e.size,
    },
  }),
  lookup: (e) => ({
    name: 'lookup',
    data: {
      set: e.set,
      source: e.register,
      ...(e.result !== undefined && { destination: e.result === 'verdict' ? VERDICT_REGISTER : e.result }),
      ...(e.inverted && { flags: LOOKUP_INVERTED }),
    },
  }),
  immediate: (e) => ({ name: 'immediate', data: { destination: e.register, data: hexData(e.value) } }),
  verdict: (e) => ({
    name: 'immediate',
    data: { destination: VERDICT_REGISTER, data: verdictData(e.verdict) },
  }),
  fib: (e) => ({
    name: 'fib',
    data: {
      destination: e.register,
      result: fibResults.number(e.result),
      flags: fibFlags.bits(e.present ? [...e.input, 'present'] : e.input),
    },
  }),
  numgen: (e) => ({
    name: 'numgen',
    data: {
      destination: e.register,
      modulus: e.modulus,
      type: numgenModes.number(e.mode),
      ...(e.offset && { offset: e.offset }),
    },
  }),
  jhash: (e) => ({
    name: 'hash',
    data: {
      source: e.source,
      destination: e.register,
      length: e.length,
      modulus: e.modulus,
      ...(e.seed !== undefined && { seed: e.seed }),
      ...(e.offset && { offset: e.offset }),
      type: HASH_JENKINS,
    },
  }),
  symhash: (e) => ({
    name: 'hash',
    data: {
      destination: e.register,
      modulus: e.modulus,
      ...(e.offset && { offset: e.offset }),
      type: HASH_SYMMETRIC,
    },
  }),
  rt: (e) => ({ name: 'rt', data: { destination: e.register, key: RT_TCPMSS } }),
  'tcp-option-set': (e) => ({
    name: 'exthdr',
    data: {
      type: e.option,
      offset: e.offset,
      length: e.length,
      operation: EXTHDR_TCPOPT,
      source: e.register,
    },
  }),
} as const satisfies Partial<Writers>;

export const loadReaders = {
  payload: (d) => {
    const register = registerOf(d.destination);
    const base = bases.name(d.base);
    if (register === undefined || base === undefined || d.source !== undefined) return undefined;
    return { op: 'payload', base, offset: d.offset ?? 0, length: d.length ?? 0, register };
  },
  meta: (d) => {
    const key = metaKeys.name(d.key);
    const register = registerOf(d.destination ?? d.source);
    if (key === undefined || register === undefined) return undefined;
    return d.destination === undefined ? { op: 'meta-set', key, register } : { op: 'meta', key, register };
  },
  ct: (d) => {
    const key = ctKeys.name(d.key);
    const register = registerOf(d.destination ?? d.source);
    if (key === undefined || register === undefined) return undefined;
    if (d.destination === undefined) return { op: 'ct-set', key, register };
    const direction = directions.name(d.direction);
    return { op: 'ct', key, ...(direction && { direction }), register };
  },
  cmp: (d) => {
    const register = registerOf(d.source);
    const relation = relations.name(d.operation);
    const value = dataHex(d.data);
    if (register === undefined || relation === undefined || value === undefined) return undefined;
    return { op: 'cmp', register, relation, value };
  },
  range: (d) => {
    const register = registerOf(d.source);
    const from = dataHex(d.from);
    const to = dataHex(d.to);
    if (register === undefined || from === undefined || to === undefined) return undefined;
    return { op: 'range', register, ...(d.operation === 1 && { inverted: true }), from, to };
  },
  bitwise: (d) => {
    const source = registerOf(d.source);
    const register = registerOf(d.destination);
    const mask = dataHex(d.mask);
    const xor = dataHex(d.xor);
    if (source === undefined || register === undefined || mask === undefined || xor === undefined) {
      return undefined;
    }
    return (d.operation ?? 0) === 0 ? { op: 'bitwise', source, register, mask, xor } : undefined;
  },
  byteorder: (d) => {
    const source = registerOf(d.source);
    const register = registerOf(d.destination);
    const to = orders.name(d.operation);
    if (source === undefined || register === undefined || to === undefined) return undefined;
    return { op: 'byteorder', source, register, to, length: d.length ?? 0, size: d.size ?? 0 };
  },
  lookup: (d) => {
    const register = registerOf(d.source);
    if (register === undefined || d.set === undefined) return undefined;
    const result = d.destination === VERDICT_REGISTER ? 'verdict' : registerOf(d.destination);
    return {
      op: 'lookup',
      set: d.set,
      register,
      ...(d.flags === LOOKUP_INVERTED && { inverted: true }),
      ...(result !== undefined && { result }),
    };
  },
  immediate: (d) => {
    if (d.destination === VERDICT_REGISTER) {
      const verdict = dataVerdict(d.data);
      return verdict && { op: 'verdict', verdict };
    }
    const register = registerOf(d.destination);
    const value = dataHex(d.data);
    if (register === undefined || value === undefined) return undefined;
    return { op: 'immediate', register, value };
  },
  fib: (d) => {
    const register = registerOf(d.destination);
    const result = fibResults.name(d.result);
    const flags = fibFlags.names(d.flags ?? 0);
    if (register === undefined || result === undefined || flags === undefined) return undefined;
    const input = FIB_INPUTS.filter((each) => flags.includes(each));
    return { op: 'fib', input, result, ...(flags.includes('present') && { present: true }), register };
  },
  numgen: (d) => {
    const register = registerOf(d.destination);
    const mode = numgenModes.name(d.type);
    if (register === undefined || mode === undefined) return undefined;
    return {
      op: 'numgen',
      mode,
      modulus: d.modulus ?? 0,
      ...(d.offset ? { offset: d.offset } : {}),
      register,
    };
  },
  hash: (d) => {
    const register = registerOf(d.destination);
    if (register === undefined) return undefined;
    const modulus = d.modulus ?? 0;
    const offset = d.offset ? { offset: d.offset } : {};
    if (d.type === HASH_SYMMETRIC) return { op: 'symhash', modulus, ...offset, register };
    const source = registerOf(d.source);
    if (source === undefined || d.length === undefined) return undefined;
    const seed = d.seed === undefined ? {} : { seed: d.seed };
    return { op: 'jhash', source, length: d.length, modulus, ...seed, ...offset, register };
  },
  rt: (d) => {
    const register = registerOf(d.destination);
    return register === undefined || d.key !== RT_TCPMSS ? undefined : { op: 'rt', key: 'tcpmss', register };
  },
  exthdr: (d) => {
    const register = registerOf(d.source);
    if (register === undefined || d.operation !== EXTHDR_TCPOPT || d.type === undefined) return undefined;
    return {
      op: 'tcp-option-set',
      option: d.type,
      offset: d.offset ?? 0,
      length: d.length ?? 0,
      register,
    };
  },
} as const satisfies Partial<Readers>;
