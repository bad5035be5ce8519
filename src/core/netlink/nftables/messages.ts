/** The messages of nf_tables: tables, chains, rules, sets, elements and the generation, with all their attributes. */
import { type Codec, i32be, rest, text, u32be, u64be, type ValueOf } from '#core/codec/index.ts';
import { attribute, attributeList, attributes, nest } from '../attribute.ts';
import { data } from './data.ts';
import { expression, expressionList } from './expression-codecs.ts';
import { generic } from './header.ts';

const number = (type: number) => attribute(type, u32be);
const handle = (type: number) => attribute(type, u64be);

/** NFTA_TABLE_*. */
export const tableMessage = generic(
  attributes({
    name: attribute(1, text),
    flags: number(2),
    use: number(3),
    handle: handle(4),
    userData: attribute(6, rest),
    owner: number(7),
  }),
);

const hook = attributes({
  number: number(1),
  priority: attribute(2, i32be),
  device: attribute(3, text),
  devices: nest(4, attributeList(1, text, false)),
});

/** NFTA_CHAIN_*. */
export const chainMessage = generic(
  attributes({
    table: attribute(1, text),
    handle: handle(2),
    name: attribute(3, text),
    hook: nest(4, hook),
    policy: number(5),
    use: number(6),
    type: attribute(7, text),
    counters: nest(8, attributes({ bytes: attribute(1, u64be), packets: attribute(2, u64be) })),
    flags: number(10),
    id: number(11),
    userData: attribute(12, rest),
  }),
);

/** NFTA_RULE_*. */
export const ruleMessage = generic(
  attributes({
    table: attribute(1, text),
    chain: attribute(2, text),
    handle: handle(3),
    expressions: nest(4, expressionList),
    /** The handle of the rule before this one. */
    position: handle(6),
    userData: attribute(7, rest),
    id: number(9),
    positionId: number(10),
    chainId: number(11),
  }),
);

const setDescription = attributes({
  size: number(1),
  concatenation: nest(2, attributeList(1, attributes({ length: number(1) }))),
});

/** NFTA_SET_*. */
export const setMessage = generic(
  attributes({
    table: attribute(1, text),
    name: attribute(2, text),
    flags: number(3),
    keyType: number(4),
    keyLength: number(5),
    dataType: number(6),
    dataLength: number(7),
    policy: number(8),
    description: nest(9, setDescription),
    id: number(10),
    timeoutMs: attribute(11, u64be),
    gcIntervalMs: number(12),
    userData: attribute(13, rest),
    objectType: number(15),
    handle: handle(16),
    expression: nest(17, expression),
    expressions: nest(18, expressionList),
  }),
);

/** NFTA_SET_ELEM_*. */
export const setElement = attributes({
  key: nest(1, data),
  data: nest(2, data),
  flags: number(3),
  timeoutMs: attribute(4, u64be),
  expirationMs: attribute(5, u64be),
  userData: attribute(6, rest),
  expression: nest(7, expression),
  object: attribute(9, text),
  keyEnd: nest(10, data),
  expressions: nest(11, expressionList),
});
export type WireElement = ValueOf<typeof setElement>;

const NLA_F_NESTED = 0x8000;
const KEY = 1;
const VALUE = 1;
const REGISTERS_BYTES = 64;

/** setElement, quicker for elements that are a key and nothing else, which come by the thousand. */
const quickElement: Codec<WireElement> = {
  shape: setElement.shape,
  decode: (reader) => setElement.decode(reader),
  encode: (writer, element) => {
    const value = onlyKeyOf(element);
    if (value === undefined) return setElement.encode(writer, element);
    writer.u16le(((value.length + 3) & ~3) + 8);
    writer.u16le(KEY | NLA_F_NESTED);
    writer.u16le(value.length + 4);
    writer.u16le(VALUE);
    writer.raw(value);
    writer.align(4);
  },
};

/** The register of an element without data, flags and whatever else there may be. */
function onlyKeyOf(element: WireElement): Uint8Array | undefined {
  for (const name in element) if (name !== 'key') return undefined;
  const { key } = element;
  for (const name in key) if (name !== 'value') return undefined;
  const value = key?.value;
  return value === undefined || value.length > REGISTERS_BYTES ? undefined : value;
}

/** NFTA_SET_ELEM_LIST_*. */
export const elementsMessage = generic(
  attributes({
    table: attribute(1, text),
    set: attribute(2, text),
    elements: nest(3, attributeList(1, quickElement)),
    setId: number(4),
  }),
);

/** NFTA_GEN_*. */
export const generationMessage = generic(
  attributes({ id: number(1), processId: number(2), processName: attribute(3, text) }),
);

export type TableMessage = ValueOf<typeof tableMessage>;
export type ChainMessage = ValueOf<typeof chainMessage>;
export type RuleMessage = ValueOf<typeof ruleMessage>;
export type SetMessage = ValueOf<typeof setMessage>;
export type ElementsMessage = ValueOf<typeof elementsMessage>;
export type GenerationMessage = ValueOf<typeof generationMessage>;
