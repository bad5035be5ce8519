/**
 * Reads JSON as people write it: with line and block comments and trailing commas, keeping positions.
 * Repeated keys are problems: JSON.parse silently takes the last, and one of the two was meant.
 */
import { createScanner, type Node, type ParseError, parseTree } from 'jsonc-parser';
import {
  type LocatedDocument,
  type LocatedMember,
  type LocatedNode,
  MAX_DEPTH,
  type SourceText,
  sourceText,
  TOO_DEEP,
} from './located.ts';
import { firstPerLine, type Problem } from './problem.ts';

/** Parses the text; syntax errors and repeated keys are in `problems`, nothing is thrown. */
export function readJson(text: string, source: string): LocatedDocument {
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const reading = sourceText(body, source);
  const tooDeep = findTooDeep(body);
  if (tooDeep !== undefined) return reading.broken([reading.problem(tooDeep, TOO_DEEP)]);
  const errors: ParseError[] = [];
  const tree = parseTree(body, errors, { allowTrailingComma: true });
  if (errors.length > 0 || tree === undefined) return reading.broken(syntaxProblems(body, errors, reading));
  return reading.whole(locate(tree));
}

function locate(node: Node): LocatedNode {
  const children = node.children ?? [];
  const { offset } = node;
  if (node.type === 'array') return { kind: 'array', offset, items: children.map(locate) };
  if (node.type !== 'object') return { kind: 'scalar', offset, value: node.value as unknown };
  const members = children.map((property): LocatedMember => {
    const [key, value] = property.children as [Node, Node];
    return { key: key.value as string, keyOffset: key.offset, node: locate(value) };
  });
  return { kind: 'object', offset, members };
}

function syntaxProblems(text: string, errors: readonly ParseError[], { problem }: SourceText): Problem[] {
  if (text.trim() === '') return [problem(0, 'the text is empty: expected a JSON value')];
  return firstPerLine(errors.map((error) => problem(error.offset, syntaxMessage(text, error))));
}

// The codes of jsonc-parser's ParseErrorCode, which is a const enum and so has no run-time value.
const SYNTAX_MESSAGES: Readonly<Record<number, string>> = {
  1: 'not a JSON word',
  2: 'not a JSON number',
  3: 'expected a key in double quotes',
  4: 'expected a value',
  5: 'expected ":" after the key',
  6: 'expected "," between entries',
  7: 'expected "}": an object is not closed',
  8: 'expected "]": a list is not closed',
  9: 'expected the end of the text',
  10: 'a comment cannot stand here',
  11: 'a "/*" comment is not closed',
  12: 'a string is not closed: expected a double quote before the end of the line',
  13: 'a number breaks off',
  14: 'a \\u escape needs four hexadecimal digits',
  15: 'not a JSON escape: only \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u are',
  16: 'a control character in a string: write it as an escape',
};

function syntaxMessage(text: string, error: ParseError): string {
  const message = SYNTAX_MESSAGES[error.error] ?? 'not JSON';
  const found = text.slice(error.offset, error.offset + Math.min(error.length, 20));
  if (error.offset >= text.length) return `${message}, but the text ends`;
  return found.trim() === '' ? message : `${message}, found ${JSON.stringify(found)}`;
}

function findTooDeep(text: string): number | undefined {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (let token: number = scanner.scan(); token !== TOKEN_EOF; token = scanner.scan()) {
    if (token === TOKEN_OPEN_BRACE || token === TOKEN_OPEN_BRACKET) depth++;
    else if (token === TOKEN_CLOSE_BRACE || token === TOKEN_CLOSE_BRACKET) depth--;
    if (depth > MAX_DEPTH) return scanner.getTokenOffset();
  }
  return undefined;
}

// jsonc-parser's SyntaxKind, a const enum as well.
const TOKEN_OPEN_BRACE = 1;
const TOKEN_CLOSE_BRACE = 2;
const TOKEN_OPEN_BRACKET = 3;
const TOKEN_CLOSE_BRACKET = 4;
const TOKEN_EOF = 17;
