/**
 * Reads a located tree along a zod schema: gives the plain value zod shall judge, and finds unknown keys with their
 * positions. The schema's kind decides their weight: `z.strictObject` makes an unknown key a problem, `z.object`
 * (the foreign format ignores it) a warning, `z.looseObject` accepts it.
 */
import type { z } from 'zod';
import { type LocatedDocument, type LocatedMember, type LocatedNode, plainValue } from './located.ts';
import { formatPath, type KeyPath, type Problem } from './problem.ts';
import { suggestionText } from './suggestion.ts';

export interface ConformOptions {
  /** As Go's encoding/json reads: keys match without regard to case, and null is the same as no key. */
  readonly goStyle: boolean;
}

export interface Conformed {
  readonly value: unknown;
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

/** The plain value of a node with its keys spelt as the schema spells them, and the findings about its keys. */
export function conform(
  document: LocatedDocument,
  schema: z.core.$ZodType,
  node: LocatedNode,
  path: KeyPath,
  options: ConformOptions,
): Conformed {
  const walk = new Walk(document, options);
  return { value: walk.read(schema, node, path), problems: walk.problems, warnings: walk.warnings };
}

class Walk {
  readonly problems: Problem[] = [];
  readonly warnings: Problem[] = [];
  private readonly document: LocatedDocument;
  private readonly options: ConformOptions;

  constructor(document: LocatedDocument, options: ConformOptions) {
    this.document = document;
    this.options = options;
  }

  read(schema: z.core.$ZodType | undefined, node: LocatedNode, path: KeyPath): unknown {
    const inner = schema && resolveSchema(schema, node);
    if (inner === undefined || node.kind === 'scalar') return plainValue(node);
    const def = inner._zod.def;
    if (node.kind === 'array') {
      const item = def.type === 'array' ? def.element : undefined;
      return node.items.map((child, index) =>
        this.read(def.type === 'tuple' ? def.items[index] : item, child, [...path, index]),
      );
    }
    if (def.type === 'record') {
      const entries = node.members.map(
        (member) => [member.key, this.read(def.valueType, member.node, [...path, member.key])] as const,
      );
      return Object.fromEntries(entries);
    }
    return def.type === 'object' ? this.readObject(def, node.members, path) : plainValue(node);
  }

  private readObject(def: z.core.$ZodObjectDef, members: readonly LocatedMember[], path: KeyPath): unknown {
    const keys = Object.keys(def.shape);
    const folded = new Map(keys.map((key) => [key.toLowerCase(), key]));
    const seen = new Map<string, string>();
    const entries: [string, unknown][] = [];
    for (const member of members) {
      const exact = Object.hasOwn(def.shape, member.key) ? member.key : undefined;
      const key = exact ?? (this.options.goStyle ? folded.get(member.key.toLowerCase()) : undefined);
      if (key === undefined) {
        this.unknownKey(def, member, keys, path);
        entries.push([member.key, plainValue(member.node)]);
        continue;
      }
      const other = seen.get(key);
      if (other !== undefined && other !== member.key) {
        const message = `is the same key as "${other}" (the case of letters does not count): keep one`;
        this.problems.push(this.at(member, [...path, member.key], message));
      }
      seen.set(key, member.key);
      if (this.options.goStyle && member.node.kind === 'scalar' && member.node.value === null) continue;
      entries.push([key, this.read(def.shape[key], member.node, [...path, key])]);
    }
    return Object.fromEntries(entries);
  }

  private unknownKey(
    def: z.core.$ZodObjectDef,
    member: LocatedMember,
    keys: readonly string[],
    path: KeyPath,
  ): void {
    const catchall = def.catchall?._zod.def.type;
    if (catchall !== undefined && catchall !== 'never') return;
    const hint = suggestionText(member.key, keys);
    const where = [...path, member.key];
    if (catchall === 'never') this.problems.push(this.at(member, where, `is not a known key${hint}`));
    else this.warnings.push(this.at(member, where, `is not a known key and is ignored${hint}`));
  }

  private at(member: LocatedMember, path: KeyPath, message: string): Problem {
    const { source, position } = this.document;
    return { source, path: formatPath(path), ...position(member.keyOffset), message };
  }
}

/** Strips wrappers (optional, default, pipe, …) and picks the branch of a union that the node is meant for. */
function resolveSchema(schema: z.core.$ZodType, node: LocatedNode): z.core.$ZodTypes | undefined {
  let current = schema as z.core.$ZodTypes;
  for (let steps = 0; steps < 50; steps++) {
    const def = current._zod.def;
    let next: z.core.$ZodType | undefined;
    switch (def.type) {
      case 'optional':
      case 'nullable':
      case 'nonoptional':
      case 'default':
      case 'prefault':
      case 'catch':
      case 'readonly':
        next = def.innerType;
        break;
      case 'pipe':
        next = (def.in as z.core.$ZodTypes)._zod.def.type === 'transform' ? def.out : def.in;
        break;
      case 'lazy':
        next = def.getter();
        break;
      case 'union':
        next = branchFor(def, node);
        break;
      default:
        return current;
    }
    if (next === undefined) return undefined;
    current = next as z.core.$ZodTypes;
  }
  return undefined;
}

function branchFor(
  def: z.core.$ZodUnionDef & { readonly discriminator?: string },
  node: LocatedNode,
): z.core.$ZodType | undefined {
  const fitting = def.options.filter((option) => {
    const kind = resolveSchema(option, node)?._zod.def.type;
    if (node.kind === 'array') return kind === 'array' || kind === 'tuple';
    return node.kind === 'scalar' || kind === 'object' || kind === 'record';
  });
  const discriminator = def.discriminator;
  if (discriminator !== undefined && node.kind === 'object') {
    const tag = node.members.findLast((member) => member.key === discriminator)?.node;
    const value = tag?.kind === 'scalar' ? tag.value : undefined;
    return fitting.find((option) =>
      option._zod.propValues?.[discriminator]?.has(value as z.core.util.Primitive),
    );
  }
  if (fitting.length < 2) return fitting[0];
  const value = plainValue(node);
  return fitting.find((option) => accepts(option, value)) ?? fitting[0];
}

function accepts(schema: z.core.$ZodType, value: unknown): boolean {
  const result = schema._zod.run({ value, issues: [] }, { async: false });
  return !(result instanceof Promise) && result.issues.length === 0;
}
