/**
 * Reads YAML 1.2 (lab topologies) into the same located tree as JSON, so that both share schemas and problems.
 * Anchors and aliases are followed within a limit; tags that make anything but plain values are problems.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument } from 'yaml';
import {
  type LocatedDocument,
  type LocatedMember,
  type LocatedNode,
  MAX_DEPTH,
  sourceText,
  TOO_DEEP,
} from './located.ts';
import { firstPerLine } from './problem.ts';

/** Aliases can multiply a short text without end; no topology comes near this many values. */
const MAX_NODES = 100_000;

/** Parses one YAML document; syntax errors, repeated keys and unsupported forms are in `problems`. */
export function readYaml(text: string, source: string): LocatedDocument {
  const { problem, broken, whole } = sourceText(text, source);
  try {
    const parsed = parseDocument(text, { prettyErrors: false, uniqueKeys: false });
    const problems = parsed.errors.map((error) => problem(error.pos[0], syntaxText(error.message)));
    if (problems.length > 0) return broken(firstPerLine(problems));
    if (parsed.contents === null) return broken([problem(0, 'the text is empty')]);
    return whole(new Converter(parsed).convert(parsed.contents, 0));
  } catch (error) {
    if (error instanceof UnsupportedYaml) return broken([problem(error.offset, error.message)]);
    // The parser itself is recursive: its stack gives out where a text nests without end.
    if (error instanceof RangeError) return broken([problem(0, TOO_DEEP)]);
    throw error;
  }
}

class UnsupportedYaml extends Error {
  override readonly name = 'UnsupportedYaml';
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

class Converter {
  private nodes = 0;
  private readonly document: Document;

  constructor(document: Document) {
    this.document = document;
  }

  convert(node: Node | null, depth: number, fallback = 0): LocatedNode {
    const offset = node?.range?.[0] ?? fallback;
    if (depth > MAX_DEPTH) throw new UnsupportedYaml(TOO_DEEP, offset);
    if (++this.nodes > MAX_NODES)
      throw new UnsupportedYaml(`more than ${MAX_NODES} values: use fewer aliases`, offset);
    if (node === null) return { kind: 'scalar', offset, value: null };
    if (isAlias(node)) {
      const target = node.resolve(this.document);
      if (target === undefined) throw new UnsupportedYaml(`no anchor &${node.source}`, offset);
      return { ...this.convert(target, depth + 1), offset };
    }
    if (isScalar(node)) return { kind: 'scalar', offset, value: scalarValue(node.value, offset) };
    if (isSeq(node)) {
      const items = node.items.map((item) => this.convert(item as Node | null, depth + 1, offset));
      return { kind: 'array', offset, items };
    }
    if (isMap(node)) {
      const members = node.items.map((pair): LocatedMember => {
        const key = pair.key as Node;
        const keyOffset = key?.range?.[0] ?? offset;
        const name = isScalar(key) ? key.value : undefined;
        if (typeof name !== 'string' && typeof name !== 'number' && typeof name !== 'boolean')
          throw new UnsupportedYaml('a key must be a word', keyOffset);
        return {
          key: String(name),
          keyOffset,
          node: this.convert(pair.value as Node | null, depth + 1, keyOffset),
        };
      });
      return { kind: 'object', offset, members };
    }
    throw new UnsupportedYaml('not a plain YAML value', offset);
  }
}

function scalarValue(value: unknown, offset: number): unknown {
  if (value === null || ['string', 'number', 'boolean'].includes(typeof value)) return value;
  if (typeof value === 'bigint') return Number(value);
  throw new UnsupportedYaml(
    'not a plain YAML value: only strings, numbers, true, false and null are',
    offset,
  );
}

function syntaxText(message: string): string {
  if (message.includes('call stack')) return TOO_DEEP;
  const text = message.charAt(0).toLowerCase() + message.slice(1);
  return `not YAML: ${text}`;
}
