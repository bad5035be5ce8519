/** The conditions of rules: comparisons, ranges, prefixes, sets and verdict maps. Each ends the rule where it does not hold. */
import { prefixParts } from '#base/ip/index.ts';
import { DATA_TYPES, type NftDataType, type NftValue, paddedBytes, valueBytes } from './datatype.ts';
import { type NftExpression, FIRST_REGISTER as R, type Register, type Relation } from './expression.ts';
import type { Field } from './field.ts';
import { formatHex } from './hex.ts';
import type { NftSet } from './objects.ts';
import { type RulePart, type RuleScope, satisfy } from './rule.ts';

/** What rules need to know of a set they refer to. */
export type SetReference = Pick<NftSet, 'name' | 'keyType'> & Partial<Pick<NftSet, 'dataType' | 'interval'>>;

export const match = {
  /**
   * The field has a value; a prefix for addresses (`10.0.0.0/8`), names that end in `*` for links (`veth*`),
   * a list of bits of which one is set for ct state, ct status and TCP flags (`established,related`).
   */
  is: (what: Field, value: NftValue): RulePart => equality(what, value, false),
  not: (what: Field, value: NftValue): RulePart => equality(what, value, true),
  less: (what: Field, value: NftValue): RulePart => order(what, 'lt', value),
  lessOrEqual: (what: Field, value: NftValue): RulePart => order(what, 'lte', value),
  greater: (what: Field, value: NftValue): RulePart => order(what, 'gt', value),
  greaterOrEqual: (what: Field, value: NftValue): RulePart => order(what, 'gte', value),
  /** From and to are included. */
  between: (what: Field, from: NftValue, to: NftValue): RulePart => between(what, from, to),
  notBetween: (what: Field, from: NftValue, to: NftValue): RulePart => notBetween(what, from, to),
  /** The bits of `mask` have exactly the values they have in `value`: tcp flags `syn` of `syn,rst`. */
  bits: (what: Field, value: NftValue, mask: NftValue): RulePart => maskedBits(what, value, mask),
  /** The field, or several as one concatenated key, is in a set. Throws RangeError if the types differ. */
  inSet: (what: Field | readonly Field[], set: SetReference): RulePart => lookup(what, set, {}),
  notInSet: (what: Field | readonly Field[], set: SetReference): RulePart =>
    lookup(what, set, { inverted: true }),
  /** Looks the verdict up; the rule goes on where the map has none. */
  vmap: (what: Field | readonly Field[], map: SetReference): RulePart =>
    lookup(what, map, { result: 'verdict' }),
} as const;

function loading(what: Field, then: (scope: RuleScope) => readonly NftExpression[]): RulePart {
  return (scope) => [...satisfy(scope, what.requires), ...then(scope)];
}

const cmp = (relation: Relation, bytes: Uint8Array): NftExpression => ({
  op: 'cmp',
  register: R,
  relation,
  value: formatHex(bytes),
});

function equality(what: Field, value: NftValue, inverted: boolean): RulePart {
  const row = DATA_TYPES[what.type];
  const relation = inverted ? 'neq' : 'eq';
  if (row.bits) return anyBit(what, value, inverted);
  if (row.form === 'ip' && typeof value === 'string' && value.includes('/')) {
    return loading(what, () => prefixMatch(what, value, relation));
  }
  if (row.form === 'name' && typeof value === 'string' && value.endsWith('*')) {
    const stem = valueBytes(what.type, value.slice(0, -1)).subarray(0, value.length - 1);
    return loading(what, () => [...what.load(R), cmp(relation, stem)]);
  }
  const bytes = valueBytes(what.type, value);
  return loading(what, (scope) => {
    if (!inverted) learn(scope, what, value);
    return [...what.load(R), cmp(relation, bytes)];
  });
}

/** A comparison the author wrote himself serves the fields after it too. */
function learn(scope: RuleScope, what: Field, value: NftValue): void {
  if (what.text === 'meta l4proto' && typeof value === 'string') scope.transport = value;
  else if (what.text === 'meta nfproto' && scope.network === undefined) {
    scope.network = value === 'ipv4' ? 'ip' : value === 'ipv6' ? 'ip6' : undefined;
  } else if (what.text === 'meta protocol' && (value === 'ip' || value === 'ip6' || value === 'arp')) {
    scope.network ??= value;
  } else if (what.text === 'meta iiftype' && value === 'ether') scope.ethernet = true;
}

function prefixMatch(what: Field, prefix: string, relation: Relation): NftExpression[] {
  const { address, length } = prefixParts(prefix);
  const bytes = valueBytes(what.type, address);
  const loads = what.load(R);
  if (length === bytes.length * 8) return [...loads, cmp(relation, bytes)];
  const [first] = loads;
  if (loads.length === 1 && first?.op === 'payload' && length % 8 === 0 && length > 0) {
    // Whole bytes: load and compare only those, as nft does.
    return [{ ...first, length: length / 8 }, cmp(relation, bytes.subarray(0, length / 8))];
  }
  const mask = bytes.map((_, i) => 0xff & ~(0xff >> Math.min(8, Math.max(0, length - i * 8))));
  const network = bytes.map((byte, i) => byte & (mask[i] as number));
  return [...loads, maskOf(mask), cmp(relation, network)];
}

function maskOf(mask: Uint8Array): NftExpression {
  return {
    op: 'bitwise',
    source: R,
    register: R,
    mask: formatHex(mask),
    xor: formatHex(new Uint8Array(mask.length)),
  };
}

function anyBit(what: Field, value: NftValue, inverted: boolean): RulePart {
  const mask = valueBytes(what.type, value);
  const zero = new Uint8Array(mask.length);
  return loading(what, () => [...what.load(R), maskOf(mask), cmp(inverted ? 'eq' : 'neq', zero)]);
}

function maskedBits(what: Field, value: NftValue, mask: NftValue): RulePart {
  return loading(what, () => [
    ...what.load(R),
    maskOf(valueBytes(what.type, mask)),
    cmp('eq', valueBytes(what.type, value)),
  ]);
}

/** Puts a host-order number into network order, in which the kernel compares. */
function sorting(type: NftDataType, register: Register): NftExpression[] {
  const { bytes, order } = DATA_TYPES[type];
  if (order === 'big' || bytes === 1) return [];
  return [{ op: 'byteorder', source: register, register, to: 'network', length: bytes, size: bytes }];
}

function order(what: Field, relation: Relation, value: NftValue): RulePart {
  const bytes = valueBytes(what.type, value, true);
  return loading(what, () => [...what.load(R), ...sorting(what.type, R), cmp(relation, bytes)]);
}

function between(what: Field, from: NftValue, to: NftValue): RulePart {
  const low = valueBytes(what.type, from, true);
  const high = valueBytes(what.type, to, true);
  return loading(what, () => [...what.load(R), ...sorting(what.type, R), cmp('gte', low), cmp('lte', high)]);
}

function notBetween(what: Field, from: NftValue, to: NftValue): RulePart {
  const range: NftExpression = {
    op: 'range',
    register: R,
    inverted: true,
    from: formatHex(valueBytes(what.type, from, true)),
    to: formatHex(valueBytes(what.type, to, true)),
  };
  return loading(what, () => [...what.load(R), ...sorting(what.type, R), range]);
}

function lookup(
  what: Field | readonly Field[],
  set: SetReference,
  options: { inverted?: true; result?: Register | 'verdict' },
): RulePart {
  return (scope) => [...loadKey(scope, what, set), { op: 'lookup', set: set.name, register: R, ...options }];
}

/** Loads a set's key into consecutive registers from the first one up. */
export function loadKey(
  scope: RuleScope,
  what: Field | readonly Field[],
  set: SetReference,
): NftExpression[] {
  const fields: readonly Field[] = 'text' in what ? [what] : what;
  const types = fields.map((each) => each.type);
  if (types.join(' . ') !== set.keyType.join(' . '))
    throw new RangeError(
      `set ${set.name} has keys of type ${set.keyType.join(' . ')}, not ${types.join(' . ')}`,
    );
  const out = fields.flatMap((each) => satisfy(scope, each.requires));
  let register = R;
  for (const each of fields) {
    out.push(...each.load(register));
    if (set.interval) out.push(...sorting(each.type, register));
    register += paddedBytes(each.type) / 4;
  }
  return out;
}
