/**
 * The compact notation of the built-in types: one type per line (indented lines continue it), one word per field.
 *   TYPE FIELD[(ENUM|ENUM)][!][=NUMBER[*]][:KIND][~MERGEKEY[,retainKeys]] ...   or   TYPE ...OTHER[=NUMBER] FIELD ...
 * `!` means required. NUMBER is the protobuf field; `2.4` lies in the message that field 2 embeds; `*` means that Go holds
 * it by pointer, so that a zero on the wire is a value and not an absence. KIND: string (default), bool, int32, int64, double, time, microTime, quantity, intOrString, bytes,
 * any, a TYPE, []KIND or map:KIND (`map` alone is of strings). `~KEY`: strategic patches merge the list by KEY; `~*`:
 * they merge it as a set. An ENUM that starts with `|` also allows the empty text.
 */
import type { SchemaNode, SchemaSource } from './node.ts';

export interface TypeTable {
  /** The OpenAPI package the names get: io.k8s.api.core.v1. */
  readonly package: string;
  readonly text: string;
}

const REFERENCE = '#/components/schemas/';

const SCALARS: Readonly<Record<string, SchemaNode>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  time: { type: 'string', format: 'date-time' },
  microTime: { type: 'string', format: 'micro-time' },
  bytes: { type: 'string', format: 'byte' },
  quantity: { format: 'quantity', 'x-kubernetes-int-or-string': true },
  intOrString: { format: 'int-or-string', 'x-kubernetes-int-or-string': true },
  any: { 'x-kubernetes-preserve-unknown-fields': true },
};

const FIELD =
  /^([\w$-]+)(?:\(([^)]*)\))?(!)?(?:=([\d.]+)(\*)?)?(?::([^~]+))?(?:~(\*|\w+)(?:,(retainKeys))?)?$/;

export interface WireField {
  readonly field: string;
  readonly node: SchemaNode;
  /** Whether a zero or an empty message is a value; otherwise it stands for absence. */
  readonly keepsZero: boolean;
}

/** Protobuf fields by number; a nested message's fields belong to the outer object. */
export type WireMessage = Map<number, WireField | WireMessage>;

function addWireField(message: WireMessage, numbers: readonly number[], field: WireField): void {
  const [number = 0, ...inner] = numbers;
  if (inner.length === 0) {
    message.set(number, field);
    return;
  }
  const known = message.get(number);
  const nested: WireMessage = known instanceof Map ? known : new Map();
  message.set(number, nested);
  addWireField(nested, inner, field);
}

/** All built-in types, by short name (`PodSpec`) and by OpenAPI reference. */
export class TypeLibrary implements SchemaSource {
  readonly #nodes = new Map<string, SchemaNode>();
  readonly #fullNames = new Map<string, string>();
  readonly #wire = new Map<string, WireMessage>();

  constructor(tables: readonly TypeTable[]) {
    const lines: [name: string, words: string[]][] = [];
    for (const table of tables) {
      for (const line of table.text.trim().split(/\n(?! )/)) {
        const [name = '', ...words] = line.split(/\s+/);
        if (this.#fullNames.has(name)) throw new Error(`type ${name} is declared twice`);
        this.#fullNames.set(name, `${table.package}.${name}`);
        lines.push([name, words]);
      }
    }
    for (const [name, words] of lines) this.#nodes.set(this.fullName(name), this.#compile(name, words));
  }

  /** The OpenAPI name of a type: io.k8s.api.core.v1.PodSpec. */
  fullName(name: string): string {
    const full = this.#fullNames.get(name);
    if (full === undefined) throw new Error(`unknown type ${name}`);
    return full;
  }

  has(name: string): boolean {
    return this.#fullNames.has(name);
  }

  /** The schema of a type by its short name. */
  type(name: string): SchemaNode {
    return this.resolve(this.reference(name));
  }

  reference(name: string): SchemaNode {
    return { $ref: REFERENCE + this.fullName(name) };
  }

  resolve(node: SchemaNode): SchemaNode {
    if (node.$ref === undefined) return node;
    const found = this.#nodes.get(node.$ref.slice(REFERENCE.length));
    if (found === undefined) throw new Error(`unknown schema reference ${node.$ref}`);
    return found;
  }

  /** The protobuf fields of a type, by its reference; empty when its table has no numbers. */
  wireOf(reference: SchemaNode): WireMessage {
    return this.#wire.get((reference.$ref ?? '').slice(REFERENCE.length)) ?? new Map<number, WireField>();
  }

  /** All schemas a type can reach, itself included, by OpenAPI name. */
  reachable(name: string, into: Map<string, SchemaNode> = new Map()): Map<string, SchemaNode> {
    const visit = (node: SchemaNode): void => {
      if (node.$ref !== undefined) {
        const full = node.$ref.slice(REFERENCE.length);
        if (into.has(full)) return;
        const target = this.resolve(node);
        into.set(full, target);
        visit(target);
      }
      for (const property of Object.values(node.properties ?? {})) visit(property);
      if (node.items !== undefined) visit(node.items);
      if (typeof node.additionalProperties === 'object') visit(node.additionalProperties);
    };
    visit(this.reference(name));
    return into;
  }

  #compile(name: string, words: readonly string[]): SchemaNode {
    const properties: Record<string, SchemaNode> = {};
    const required: string[] = [];
    const wire: WireMessage = new Map();
    this.#wire.set(this.fullName(name), wire);
    for (const word of words) {
      if (word.startsWith('...')) {
        const [base = '', number] = word.slice(3).split('=');
        Object.assign(properties, this.type(base).properties);
        required.push(...(this.type(base).required ?? []));
        if (number !== undefined) wire.set(Number(number), this.wireOf(this.reference(base)));
        continue;
      }
      const { field, node, isRequired, numbers, isPointer } = this.#field(name, word);
      properties[field] = node;
      if (isRequired) required.push(field);
      if (numbers !== undefined) {
        addWireField(wire, numbers, { field, node, keepsZero: isPointer || isRequired });
      }
    }
    return { type: 'object', properties, ...(required.length > 0 && { required }) };
  }

  #field(type: string, word: string) {
    const match = FIELD.exec(word);
    if (match === null) throw new Error(`type ${type}: cannot read field "${word}"`);
    const [, field = '', values, mandatory, number, pointer, kind = 'string', mergeKey, retainKeys] = match;
    const node = this.#kind(kind, values?.split('|'));
    const merging = {
      'x-kubernetes-patch-strategy': retainKeys === undefined ? 'merge' : 'merge,retainKeys',
      ...(mergeKey !== '*' && { 'x-kubernetes-patch-merge-key': mergeKey ?? '' }),
    };
    return {
      field,
      node: mergeKey === undefined ? node : { ...node, ...merging },
      isRequired: mandatory !== undefined,
      numbers: number?.split('.').map(Number),
      isPointer: pointer !== undefined,
    };
  }

  #kind(kind: string, allowed: readonly string[] | undefined): SchemaNode {
    if (kind.startsWith('[]')) return { type: 'array', items: this.#kind(kind.slice(2), allowed) };
    if (kind === 'map') return { type: 'object', additionalProperties: { type: 'string' } };
    if (kind.startsWith('map:')) {
      return { type: 'object', additionalProperties: this.#kind(kind.slice(4), allowed) };
    }
    const scalar = SCALARS[kind];
    if (scalar === undefined) return this.reference(kind);
    return allowed === undefined ? scalar : { ...scalar, enum: allowed };
  }
}
