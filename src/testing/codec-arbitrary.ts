/**
 * fast-check values for a codec, made from its shape, so that no test needs a second description of the wire format; and the
 * paths of a shape, by which a test sees that its values have exercised every declared field and attribute.
 */
import * as fc from 'fast-check';
import { formatIp, formatMac } from '#base/ip/index.ts';
import type { Codec, FieldShape, Shape } from '#core/codec/index.ts';

type RecordShape = Shape & { readonly of: 'record' };
type ChoiceShape = Shape & { readonly of: 'choice' };

/** Type numbers of netlink attributes have 14 bits; the two above are flags. */
const MAX_ATTRIBUTE_TYPE = 0x3fff;

/** Values that the codec encodes and decodes to their equals. */
export function arbitraryOf<T>(codec: Codec<T>): fc.Arbitrary<T> {
  return arbitraryOfShape(codec.shape) as fc.Arbitrary<T>;
}

/** Values of a shape. */
export function arbitraryOfShape(shape: Shape): fc.Arbitrary<unknown> {
  switch (shape.of) {
    case 'integer':
      return integerOf(shape.bits, shape.signed === true);
    case 'bigint':
      return fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    case 'bytes':
      return shape.length === undefined
        ? fc.uint8Array({ maxLength: 12 })
        : fc.uint8Array({ minLength: shape.length, maxLength: shape.length });
    case 'text':
      return textOf(shape.maxBytes ?? 48);
    case 'ip':
      return fc.oneof(...addressSizes(shape.family).map(bytesOf)).map(formatIp);
    case 'mac':
      return bytesOf(6).map(formatMac);
    case 'flag':
      return fc.constant(true);
    case 'constant':
      return fc.constant(shape.value);
    case 'named':
      return namedOf(shape);
    case 'list':
      return fc.array(arbitraryOfShape(shape.item), { minLength: shape.lengthMin ?? 0, maxLength: 3 });
    case 'choice':
      return fc.oneof(...Object.values(shape.cases).map(arbitraryOfShape));
    case 'record':
      return recordOf(shape);
  }
}

function integerOf(bits: number, signed: boolean): fc.Arbitrary<number> {
  return signed
    ? fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
    : fc.integer({ min: 0, max: 2 ** bits - 1 });
}

function bytesOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

function addressSizes(family: 4 | 6 | undefined): number[] {
  return family === 4 ? [4] : family === 6 ? [16] : [4, 16];
}

function textOf(maxBytes: number): fc.Arbitrary<string> {
  const encoder = new TextEncoder();
  return fc
    .string({ unit: 'binary', maxLength: Math.min(12, maxBytes) })
    .filter((text) => !text.includes('\0') && encoder.encode(text).length <= maxBytes);
}

function namedOf(shape: Shape & { readonly of: 'named' }): fc.Arbitrary<unknown> {
  const names = fc.constantFrom(...shape.names);
  const { values } = shape;
  if (values === undefined) return names;
  const taken = new Set<unknown>(values);
  return fc.oneof(
    { arbitrary: names, weight: 3 },
    arbitraryOfShape(shape.base).filter((value) => !taken.has(value)),
  );
}

function recordOf(shape: RecordShape): fc.Arbitrary<unknown> {
  const entries = Object.entries(shape.fields);
  const choices = entries.filter((entry): entry is [string, FieldShape & { shape: ChoiceShape }] =>
    isChoice(entry[1].shape),
  );
  const plain = entries.filter(([, field]) => !isChoice(field.shape));
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [name, field] of plain) {
    const keys = choices.filter(([, { shape: choice }]) => choice.by === name);
    model[name] = withCases(
      arbitraryOfShape(field.shape),
      keys.flatMap(([, { shape: c }]) => Object.keys(c.cases)),
    );
  }
  const types = entries.flatMap(([, { type }]) => (type === undefined ? [] : [type]));
  if (types.length > 0) model['unknown'] = unknownAttributes(new Set(types));
  const requiredKeys = plain.filter(([, field]) => !field.optional).map(([name]) => name);
  const base = fc.record(model, { requiredKeys, noNullPrototype: true }) as fc.Arbitrary<
    Record<string, unknown>
  >;
  return choices.length === 0 ? base : base.chain((value) => withChoices(value, choices));
}

const isChoice = (shape: Shape): shape is ChoiceShape => shape.of === 'choice';

/** A field that others depend on takes one of the values that mean something, more often than not. */
function withCases(arbitrary: fc.Arbitrary<unknown>, cases: readonly string[]): fc.Arbitrary<unknown> {
  return cases.length === 0
    ? arbitrary
    : fc.oneof({ arbitrary: fc.constantFrom(...cases), weight: 8 }, arbitrary);
}

function withChoices(
  value: Record<string, unknown>,
  choices: readonly [string, { readonly shape: ChoiceShape; readonly optional: boolean }][],
): fc.Arbitrary<Record<string, unknown>> {
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const [name, { shape }] of choices) model[name] = arbitraryOfShape(chosen(shape, value));
  const requiredKeys = choices.filter(([, field]) => !field.optional).map(([name]) => name);
  return fc
    .record(model, { requiredKeys, noNullPrototype: true })
    .map((chosenFields) => ({ ...value, ...chosenFields }));
}

/** The shape a choice has beside these siblings; bytes if they name none. */
function chosen(shape: ChoiceShape, siblings: Readonly<Record<string, unknown>>): Shape {
  const by = siblings[shape.by];
  const found = typeof by === 'string' && Object.hasOwn(shape.cases, by) ? shape.cases[by] : undefined;
  return found ?? { of: 'bytes' };
}

function unknownAttributes(declared: ReadonlySet<number>): fc.Arbitrary<unknown> {
  const type = fc
    .integer({ min: 0, max: MAX_ATTRIBUTE_TYPE })
    .filter((number) => !declared.has(number))
    .chain((number) => fc.constantFrom(number, number | 0x4000, number | 0x8000));
  return fc.array(fc.record({ type, bytes: fc.uint8Array({ maxLength: 9 }) }, { noNullPrototype: true }), {
    minLength: 1,
    maxLength: 2,
  });
}

/** Every field a shape declares, as paths: `attributes.kind.data<vxlan>.id`. */
export function declaredPaths(shape: Shape, prefix = ''): string[] {
  switch (shape.of) {
    case 'record':
      return Object.entries(shape.fields).flatMap(([name, field]) => {
        const path = prefix === '' ? name : `${prefix}.${name}`;
        return [path, ...declaredPaths(field.shape, path)];
      });
    case 'list':
      return declaredPaths(shape.item, `${prefix}[]`);
    case 'choice':
      return Object.entries(shape.cases).flatMap(([name, inner]) => {
        const path = `${prefix}<${name}>`;
        return [path, ...declaredPaths(inner, path)];
      });
    default:
      return [];
  }
}

/** Adds the declared paths a value has something at. */
export function collectPaths(
  shape: Shape,
  value: unknown,
  into: Set<string>,
  prefix = '',
  siblings: Readonly<Record<string, unknown>> = {},
): void {
  if (shape.of === 'list') {
    for (const item of value as readonly unknown[]) collectPaths(shape.item, item, into, `${prefix}[]`);
  } else if (shape.of === 'choice') {
    const name = String(siblings[shape.by]);
    const inner = Object.hasOwn(shape.cases, name) ? shape.cases[name] : undefined;
    if (inner === undefined) return;
    into.add(`${prefix}<${name}>`);
    collectPaths(inner, value, into, `${prefix}<${name}>`);
  } else if (shape.of === 'record') {
    const record = value as Readonly<Record<string, unknown>>;
    for (const [name, field] of Object.entries(shape.fields)) {
      if (record[name] === undefined) continue;
      const path = prefix === '' ? name : `${prefix}.${name}`;
      into.add(path);
      collectPaths(field.shape, record[name], into, path, record);
    }
  }
}
