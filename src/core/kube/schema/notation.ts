/**
 * The compact notation of the built-in types: one type per line (indented lines continue it), one word per field.
 *   TYPE FIELD[(ENUM|ENUM)][!][:KIND][~MERGEKEY[,retainKeys]] ...   or   TYPE ...OTHER FIELD ...
 * `!` means required. KIND: string (default), bool, int32, int64, double, time, microTime, quantity, intOrString, bytes,
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
  microTime: { type: 'string', format: 'date-time' },
  bytes: { type: 'string', format: 'byte' },
  quantity: { format: 'quantity', 'x-kubernetes-int-or-string': true },
  intOrString: { format: 'int-or-string', 'x-kubernetes-int-or-string': true },
  any: { 'x-kubernetes-preserve-unknown-fields': true },
};

const FIELD = /^([\w$-]+)(?:\(([^)]*)\))?(!)?(?::([^~]+))?(?:~(\*|\w+)(?:,(retainKeys))?)?$/;

/** All built-in types, by short name (`PodSpec`) and by OpenAPI reference. */
export class TypeLibrary implements SchemaSource {
  readonly #nodes = new Map<string, SchemaNode>();
  readonly #fullNames = new Map<string, string>();

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
    for (const word of words) {
      if (word.startsWith('...')) {
        const base = this.type(word.slice(3));
        Object.assign(properties, base.properties);
        required.push(...(base.required ?? []));
        continue;
      }
      const match = FIELD.exec(word);
      if (match === null) throw new Error(`type ${name}: cannot read field "${word}"`);
      const [, field = '', values, mandatory, kind = 'string', mergeKey, retainKeys] = match;
      const allowed = values?.split('|');
      const node = this.#kind(kind, allowed);
      properties[field] =
        mergeKey === undefined
          ? node
          : {
              ...node,
              'x-kubernetes-patch-strategy': retainKeys === undefined ? 'merge' : 'merge,retainKeys',
              ...(mergeKey !== '*' && { 'x-kubernetes-patch-merge-key': mergeKey }),
            };
      if (mandatory !== undefined) required.push(field);
    }
    return { type: 'object', properties, ...(required.length > 0 && { required }) };
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
