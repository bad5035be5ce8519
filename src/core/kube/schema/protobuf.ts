/**
 * Reads objects in the Kubernetes protobuf encoding, which Go clients prefer for what they write (`kubectl create
 * namespace` among them). Only reading: answers are always JSON. Fields the tables do not know are skipped, as Go does.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
 */
import { base64, fromUtf8 } from '#base/bytes.ts';
import { formatTime } from '#base/rfc3339.ts';
import type { JsonObject } from '../json.ts';
import { BUILT_IN_TYPES } from './library.ts';
import type { SchemaNode } from './node.ts';
import type { WireField, WireMessage } from './notation.ts';

/** Bytes that are no protobuf object of ours; the message names the place. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError';
}

const MAGIC = [0x6b, 0x38, 0x73, 0x00];
const DEPTH_LIMIT = 64;

interface RawField {
  readonly number: number;
  /** Varints and fixed numbers as integers, everything else as bytes. */
  readonly value: bigint | Uint8Array;
  readonly isFixed64: boolean;
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new ProtobufError(`a number ends early at byte ${this.#at - 1}`);
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtobufError(`a number is longer than 10 bytes at byte ${this.#at}`);
  }

  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) {
      throw new ProtobufError(
        `${length} bytes are announced at byte ${this.#at}, ${this.#bytes.length - this.#at} are left`,
      );
    }
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }

  field(): RawField {
    const key = this.varint();
    const number = Number(key >> 3n);
    const wireType = Number(key & 7n);
    switch (wireType) {
      case 0:
        return { number, value: this.varint(), isFixed64: false };
      case 1:
        return { number, value: this.take(8), isFixed64: true };
      case 2:
        return { number, value: this.take(Number(this.varint())), isFixed64: false };
      case 5:
        return { number, value: this.take(4), isFixed64: false };
      default:
        throw new ProtobufError(`unknown wire type ${wireType} of field ${number} at byte ${this.#at}`);
    }
  }
}

function fieldsOf(bytes: Uint8Array): Map<number, RawField['value']> {
  const reader = new Reader(bytes);
  const fields = new Map<number, RawField['value']>();
  while (!reader.done) {
    const { number, value } = reader.field();
    fields.set(number, value);
  }
  return fields;
}

const bytesOf = (value: RawField['value'] | undefined): Uint8Array =>
  value instanceof Uint8Array ? value : new Uint8Array();

const textOf = (value: RawField['value'] | undefined): string => {
  const text = fromUtf8(bytesOf(value));
  if (text === undefined) throw new ProtobufError('a text is not valid UTF-8');
  return text;
};

const integerOf = (value: RawField['value'] | undefined): number =>
  typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : 0;

function timeOf(bytes: Uint8Array, digits: number): string | undefined {
  if (bytes.length === 0) return undefined;
  const fields = fieldsOf(bytes);
  return formatTime(integerOf(fields.get(1)), integerOf(fields.get(2)), digits);
}

function intOrStringOf(bytes: Uint8Array): string | number {
  const fields = fieldsOf(bytes);
  return integerOf(fields.get(1)) === 0 ? integerOf(fields.get(2)) : textOf(fields.get(3));
}

function scalar(value: RawField['value'], node: SchemaNode): unknown {
  switch (node.format) {
    case 'quantity':
      return textOf(fieldsOf(bytesOf(value)).get(1));
    case 'int-or-string':
      return intOrStringOf(bytesOf(value));
    case 'date-time':
      return timeOf(bytesOf(value), 0);
    case 'micro-time':
      return timeOf(bytesOf(value), 6);
    case 'byte':
      return base64(bytesOf(value));
    default:
  }
  switch (node.type) {
    case 'boolean':
      return integerOf(value) !== 0;
    case 'integer':
      return integerOf(value);
    case 'string':
      return textOf(value);
    default:
      return undefined;
  }
}

const isZero = (value: unknown): boolean =>
  value === '' ||
  value === 0 ||
  value === false ||
  (typeof value === 'object' && value !== null && Object.keys(value).length === 0);

function single(value: RawField['value'], node: SchemaNode, depth: number): unknown {
  if (node.$ref === undefined) return scalar(value, node);
  return message(bytesOf(value), BUILT_IN_TYPES.wireOf(node), {}, depth + 1);
}

function put(
  target: JsonObject,
  { field, node, keepsZero }: WireField,
  value: RawField['value'],
  depth: number,
) {
  if (field === '__proto__') return;
  if (node.items !== undefined) {
    const list = Array.isArray(target[field]) ? (target[field] as unknown[]) : [];
    list.push(single(value, node.items, depth));
    target[field] = list;
    return;
  }
  if (typeof node.additionalProperties === 'object') {
    const entry = fieldsOf(bytesOf(value));
    const map = (target[field] ?? {}) as JsonObject;
    const key = textOf(entry.get(1));
    if (key === '__proto__') throw new ProtobufError('a map has the key "__proto__", which is refused');
    map[key] = single(entry.get(2) ?? new Uint8Array(), node.additionalProperties, depth);
    target[field] = map;
    return;
  }
  const decoded = single(value, node, depth);
  if (decoded !== undefined && (keepsZero || !isZero(decoded))) target[field] = decoded;
}

function message(bytes: Uint8Array, wire: WireMessage, target: JsonObject, depth: number): JsonObject {
  if (depth > DEPTH_LIMIT) throw new ProtobufError(`messages are nested more than ${DEPTH_LIMIT} deep`);
  const reader = new Reader(bytes);
  while (!reader.done) {
    const { number, value } = reader.field();
    const known = wire.get(number);
    if (known instanceof Map) message(bytesOf(value), known, target, depth + 1);
    else if (known !== undefined) put(target, known, value, depth);
  }
  return target;
}

/** Whether objects of the built-in kind can be read from protobuf. */
export const readsProtobuf = (kind: string): boolean =>
  BUILT_IN_TYPES.has(kind) && BUILT_IN_TYPES.wireOf(BUILT_IN_TYPES.reference(kind)).size > 0;

/** Reads an object from its enveloped form. Throws ProtobufError. */
export function decodeProtobuf(bytes: Uint8Array): JsonObject {
  if (MAGIC.some((byte, index) => bytes[index] !== byte)) {
    throw new ProtobufError('the body does not start with the Kubernetes protobuf prefix "k8s\\0"');
  }
  const envelope = fieldsOf(bytes.subarray(MAGIC.length));
  const identity = fieldsOf(bytesOf(envelope.get(1)));
  const [apiVersion, kind] = [textOf(identity.get(1)), textOf(identity.get(2))];
  if (!readsProtobuf(kind)) {
    throw new ProtobufError(`objects of kind "${kind}" are not read from protobuf: send JSON`);
  }
  const wire = BUILT_IN_TYPES.wireOf(BUILT_IN_TYPES.reference(kind));
  return message(bytesOf(envelope.get(2)), wire, { apiVersion, kind }, 0);
}
