/** What lies in a register while a rule is printed: a field of the packet, perhaps changed, a value, or what a map gave. */
import { compare } from '#base/bytes.ts';
import { DATA_TYPES, type NftDataType } from './datatype.ts';
import { prefixLength } from './element.ts';
import type { Relation } from './expression.ts';
import { printBytes } from './print-value.ts';

export interface Term {
  readonly text: string;
  readonly type: NftDataType;
  /** Registers of four bytes it takes. */
  readonly registers: number;
  /** Only the first bytes of the field were loaded. */
  readonly partial?: boolean;
  readonly mask?: { readonly mask: Uint8Array; readonly xor: Uint8Array };
  /** A number in network order, though its type has host order. */
  readonly sortable?: boolean;
  readonly value?: Uint8Array;
  readonly isMap?: boolean;
  /** 1 and 0 mean that there is something or not. */
  readonly existence?: boolean;
}

const SIGNS: Readonly<Record<Relation, string>> = {
  eq: '==',
  neq: '!=',
  lt: '<',
  lte: '<=',
  gt: '>',
  gte: '>=',
};

/** How many registers of four bytes a value of the type takes. */
export function registersFor(type: NftDataType): number {
  return Math.ceil(DATA_TYPES[type].bytes / 4);
}

/** The condition that a comparison makes: `ip saddr 10.0.0.0/8`, `ct state new`, `meta mark & 0x4000 == 0x4000`. */
export function printComparison(term: Term, relation: Relation, value: Uint8Array): string {
  if (term.existence) return `${term.text} ${value.some((byte) => byte !== 0) ? 'exists' : 'missing'}`;
  if (term.mask !== undefined) return maskedComparison(term, term.mask.mask, relation, value);
  const sign = relation === 'eq' ? '' : `${SIGNS[relation]} `;
  return `${term.text} ${sign}${comparedValue(term, value)}`;
}

/** The expression in the register, on the right of a `set`. */
export function printTerm(term: Term, as: NftDataType): string {
  if (term.value !== undefined) return printBytes(as, term.value, false);
  if (term.mask === undefined) return term.text;
  const { mask, xor } = term.mask;
  const print = (bytes: Uint8Array) => printBytes(term.type, bytes, false);
  // (x & mask) ^ xor, said with the bits that are kept, turned round and set.
  const set = mask.map((byte, i) => (byte & (xor[i] as number)) ^ (xor[i] as number));
  const turned = xor.map((byte, i) => byte & (mask[i] as number));
  const kept = mask.map((byte, i) => byte | (set[i] as number));
  return [
    term.text,
    ...(kept.some((byte) => byte !== 0xff) ? [`& ${print(kept)}`] : []),
    ...(turned.some((byte) => byte !== 0) ? [`^ ${print(turned)}`] : []),
    ...(set.some((byte) => byte !== 0) ? [`| ${print(set)}`] : []),
  ].join(' ');
}

function comparedValue(term: Term, value: Uint8Array): string {
  const { bytes, form } = DATA_TYPES[term.type];
  if (form === 'ip' && value.length < bytes) {
    const padded = new Uint8Array(bytes);
    padded.set(value);
    return `${printBytes(term.type, padded, false)}/${value.length * 8}`;
  }
  if (form === 'name' && value.length < bytes) return `"${String.fromCharCode(...value)}*"`;
  return printBytes(term.type, value, term.sortable === true);
}

function maskedComparison(term: Term, mask: Uint8Array, relation: Relation, value: Uint8Array): string {
  const row = DATA_TYPES[term.type];
  const print = (bytes: Uint8Array) => printBytes(term.type, bytes, false);
  const isZero = value.every((byte) => byte === 0);
  if (row.bits && isZero) return `${term.text} ${relation === 'eq' ? '! ' : ''}${print(mask)}`;
  if (row.bits) return `${term.text} ${relation === 'eq' ? '' : '!= '}${print(value)} / ${print(mask)}`;
  if (row.form === 'ip') {
    const inverse = mask.map((byte) => ~byte & 0xff);
    const length = prefixLength(new Uint8Array(mask.length), inverse);
    const isNetwork = compare(
      value,
      value.map((byte, i) => byte & (mask[i] as number)),
    );
    if (length !== undefined && isNetwork === 0)
      return `${term.text} ${relation === 'neq' ? '!= ' : ''}${print(value)}/${length}`;
  }
  return `${term.text} & ${print(mask)} ${SIGNS[relation]} ${print(value)}`;
}
