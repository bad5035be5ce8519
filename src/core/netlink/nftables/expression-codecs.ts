/** The attribute tables of nf_tables expressions (NFTA_EXPR_DATA by NFTA_EXPR_NAME), as in linux/netfilter/nf_tables.h. */
import { text, u8, u16be, u32be, u64be, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributeList, attributes, dependentNest, nest } from '../attribute.ts';
import { data } from './data.ts';

const number = (type: number) => attribute(type, u32be);

const immediate = attributes({ destination: number(1), data: nest(2, data) });
const bitwise = attributes({
  source: number(1),
  destination: number(2),
  length: number(3),
  mask: nest(4, data),
  xor: nest(5, data),
  /** enum nft_bitwise_ops; 0 is mask and xor. */
  operation: number(6),
  data: nest(7, data),
  source2: number(8),
});
const byteorder = attributes({
  source: number(1),
  destination: number(2),
  operation: number(3),
  length: number(4),
  size: number(5),
});
const cmp = attributes({ source: number(1), operation: number(2), data: nest(3, data) });
const range = attributes({
  source: number(1),
  operation: number(2),
  from: nest(3, data),
  to: nest(4, data),
});
const lookup = attributes({
  set: attribute(1, text),
  source: number(2),
  destination: number(3),
  setId: number(4),
  flags: number(5),
});
const payload = attributes({
  destination: number(1),
  base: number(2),
  offset: number(3),
  length: number(4),
  source: number(5),
  checksumType: number(6),
  checksumOffset: number(7),
  checksumFlags: number(8),
});
const exthdr = attributes({
  destination: number(1),
  type: attribute(2, u8),
  offset: number(3),
  length: number(4),
  flags: number(5),
  operation: number(6),
  source: number(7),
});
const meta = attributes({ destination: number(1), key: number(2), source: number(3) });
const rt = attributes({ destination: number(1), key: number(2) });
const hash = attributes({
  source: number(1),
  destination: number(2),
  length: number(3),
  modulus: number(4),
  seed: number(5),
  offset: number(6),
  type: number(7),
});
const ct = attributes({
  destination: number(1),
  key: number(2),
  direction: attribute(3, u8),
  source: number(4),
});
const limit = attributes({
  rate: attribute(1, u64be),
  /** Seconds. */
  unit: attribute(2, u64be),
  burst: number(3),
  type: number(4),
  flags: number(5),
});
const connlimit = attributes({ count: number(1), flags: number(2) });
const counter = attributes({ bytes: attribute(1, u64be), packets: attribute(2, u64be) });
const log = attributes({
  group: attribute(1, u16be),
  prefix: attribute(2, text),
  snapBytes: number(3),
  queueThreshold: attribute(4, u16be),
  level: number(5),
  flags: number(6),
});
const reject = attributes({ type: number(1), icmpCode: attribute(2, u8) });
const nat = attributes({
  type: number(1),
  family: number(2),
  addressMin: number(3),
  addressMax: number(4),
  portMin: number(5),
  portMax: number(6),
  flags: number(7),
});
const masq = attributes({ flags: number(1), portMin: number(2), portMax: number(3) });
const redir = attributes({ portMin: number(1), portMax: number(2), flags: number(3) });
const fib = attributes({ destination: number(1), result: number(2), flags: number(3) });
const numgen = attributes({ destination: number(1), modulus: number(2), type: number(3), offset: number(4) });
const notrack = attributes({});

/** Expressions with a state of their own, which may also be attached to set elements. */
export const statefulExpression = attributes({
  name: attribute(1, text),
  data: dependentNest(2, 'name', { limit, connlimit, counter }),
});

const dynset = attributes({
  set: attribute(1, text),
  setId: number(2),
  operation: number(3),
  key: number(4),
  data: number(5),
  timeoutMs: attribute(6, u64be),
  expression: nest(7, statefulExpression),
  flags: number(9),
  expressions: nest(10, attributeList(1, statefulExpression)),
});

export const expressionData = {
  bitwise,
  byteorder,
  cmp,
  connlimit,
  counter,
  ct,
  dynset,
  exthdr,
  fib,
  hash,
  immediate,
  limit,
  log,
  lookup,
  masq,
  meta,
  nat,
  notrack,
  numgen,
  payload,
  range,
  redir,
  reject,
  rt,
} as const;

export const expression = attributes({
  name: attribute(1, text),
  data: dependentNest(2, 'name', expressionData),
});

/** NFTA_RULE_EXPRESSIONS: a list of NFTA_LIST_ELEM. */
export const expressionList = attributeList(1, expression);

export type WireExpression = ValueOf<typeof expression>;
export type ExpressionName = keyof typeof expressionData;
export type ExpressionData = { [N in ExpressionName]: ValueOf<(typeof expressionData)[N]> };
