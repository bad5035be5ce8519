/**
 * A parsed text whose every value knows where it stands. JSON and YAML readers both produce this tree, so that
 * validation and its line numbers are written once.
 */
import { formatPath, type KeyPath, type Problem } from './problem.ts';

export interface LocatedMember {
  readonly key: string;
  readonly keyOffset: number;
  readonly node: LocatedNode;
}

/** A value with the offset of its first character. */
export type LocatedNode =
  | { readonly kind: 'object'; readonly offset: number; readonly members: readonly LocatedMember[] }
  | { readonly kind: 'array'; readonly offset: number; readonly items: readonly LocatedNode[] }
  | { readonly kind: 'scalar'; readonly offset: number; readonly value: unknown };

/** A text with its tree; `root` is absent where the syntax is broken, and `problems` then say how. */
export interface LocatedDocument {
  readonly source: string;
  readonly root?: LocatedNode;
  readonly problems: readonly Problem[];
  /** Line and column, from 1, of an offset. */
  readonly position: (offset: number) => { readonly line: number; readonly column: number };
}

/** Values nested deeper than this are refused, before any recursive code meets them. */
export const MAX_DEPTH = 200;
export const TOO_DEEP = `nested deeper than ${MAX_DEPTH} levels: flatten it`;

/** One text in the hands of a reader, which ends in one of the two kinds of document. */
export interface SourceText {
  readonly problem: (offset: number, message: string) => Problem;
  /** The document of a text whose syntax is broken. */
  readonly broken: (problems: readonly Problem[]) => LocatedDocument;
  /** The document of a text that was read; repeated keys become its problems. */
  readonly whole: (root: LocatedNode) => LocatedDocument;
}

/** `source` is what problems call the text. */
export function sourceText(text: string, source: string): SourceText {
  const position = lineIndex(text);
  return {
    problem: (offset, message) => ({ source, path: '', ...position(offset), message }),
    broken: (problems) => ({ source, position, problems }),
    whole: (root) => ({ source, position, root, problems: repeatedKeys(root, source, position) }),
  };
}

/** A function from offsets to lines and columns (both from 1); `\n`, `\r\n` and `\r` end a line. */
function lineIndex(text: string): (offset: number) => { line: number; column: number } {
  const starts = [0];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x0a || (code === 0x0d && text.charCodeAt(i + 1) !== 0x0a)) starts.push(i + 1);
  }
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (starts[low] as number) + 1 };
  };
}

/** A problem for every key that stands twice in one object. */
function repeatedKeys(root: LocatedNode, source: string, position: LocatedDocument['position']): Problem[] {
  const problems: Problem[] = [];
  const visit = (node: LocatedNode, path: (string | number)[]): void => {
    if (node.kind === 'array')
      for (const [index, item] of node.items.entries()) visit(item, [...path, index]);
    if (node.kind !== 'object') return;
    const first = new Map<string, LocatedMember>();
    for (const member of node.members) {
      const where = [...path, member.key];
      const earlier = first.get(member.key);
      if (earlier === undefined) first.set(member.key, member);
      else {
        const message = `is given twice (first in line ${position(earlier.keyOffset).line}): keep one`;
        problems.push({ source, path: formatPath(where), ...position(member.keyOffset), message });
      }
      visit(member.node, where);
    }
  };
  visit(root, []);
  return problems;
}

/** The plain value of a tree; of repeated keys the last one counts, as in JSON.parse. */
export function plainValue(node: LocatedNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'array') return node.items.map(plainValue);
  return Object.fromEntries(node.members.map((member) => [member.key, plainValue(member.node)]));
}

/** The last member of that name; with `fold`, an exact match first, then one that differs in case only. */
export function memberOf(node: LocatedNode, key: string, fold: boolean): LocatedMember | undefined {
  if (node.kind !== 'object') return undefined;
  const exact = node.members.findLast((member) => member.key === key);
  if (exact !== undefined || !fold) return exact;
  return node.members.findLast((member) => member.key.toLowerCase() === key.toLowerCase());
}

/** The node at a path, or undefined where the text has none. */
export function nodeAt(root: LocatedNode, path: KeyPath, fold: boolean): LocatedNode | undefined {
  let node: LocatedNode | undefined = root;
  for (const part of path) {
    if (node === undefined) return undefined;
    if (typeof part === 'number') node = node.kind === 'array' ? node.items[part] : undefined;
    else node = memberOf(node, part, fold)?.node;
  }
  return node;
}

/** A problem at a key path: at its value, or for a missing key at the object that lacks it. */
export function problemAt(
  document: LocatedDocument,
  path: KeyPath,
  message: string,
  options: { readonly fold?: boolean; readonly secret?: boolean } = {},
): Problem {
  const fold = options.fold ?? false;
  let offset = document.root?.offset ?? 0;
  let found: LocatedNode | undefined;
  for (let length = path.length; length >= 0 && document.root !== undefined; length--) {
    found = nodeAt(document.root, path.slice(0, length), fold);
    if (found === undefined) continue;
    offset = found.offset;
    if (length < path.length) found = undefined;
    break;
  }
  const problem = {
    source: document.source,
    path: formatPath(path),
    ...document.position(offset),
    message,
  };
  return found === undefined || options.secret ? problem : { ...problem, value: plainValue(found) };
}
