/**
 * Label selectors, in their text form: `app=web,tier in (a,b),!legacy,zone,weight>3`. A selector is the conjunction of
 * its requirements. https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
 */
import { labelKeyProblem, labelValueProblem } from '../names.ts';

export type LabelOperator = '=' | '!=' | 'in' | 'notin' | 'exists' | '!exists' | '>' | '<';

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export type LabelSelector = readonly LabelRequirement[];

/** A selector text that does not parse; the message names the text and the place. */
export class SelectorError extends Error {
  override readonly name = 'SelectorError';
}

const TOKEN = /\s*(==|!=|=|!|>|<|,|\(|\)|[^\s=!<>,()]+)/y;

class Tokens {
  readonly #text: string;
  #at = 0;
  constructor(text: string) {
    this.#text = text;
  }

  peek(): string {
    const before = this.#at;
    const token = this.next();
    this.#at = before;
    return token;
  }

  /** The next token, or '' at the end. */
  next(): string {
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.#text);
    if (match === null) {
      this.#at = this.#text.length;
      return '';
    }
    this.#at = TOKEN.lastIndex;
    return match[1] ?? '';
  }

  fail(why: string): SelectorError {
    return new SelectorError(`unable to parse label selector "${this.#text}": ${why}`);
  }
}

const isWord = (token: string): boolean => token !== '' && !/^(==|!=|=|!|>|<|,|\(|\))$/.test(token);

function readKey(tokens: Tokens): string {
  const key = tokens.next();
  if (!isWord(key)) throw tokens.fail(`found '${key}', expected a label key`);
  const problem = labelKeyProblem(key);
  if (problem !== undefined) throw tokens.fail(`key "${key}": ${problem}`);
  return key;
}

function checkValue(tokens: Tokens, value: string): string {
  const problem = labelValueProblem(value);
  if (problem !== undefined) throw tokens.fail(`value "${value}": ${problem}`);
  return value;
}

function readValue(tokens: Tokens): string {
  return isWord(tokens.peek()) ? checkValue(tokens, tokens.next()) : '';
}

function readSet(tokens: Tokens): string[] {
  if (tokens.next() !== '(') throw tokens.fail(`expected '(' after in or notin`);
  const values: string[] = [];
  for (;;) {
    values.push(readValue(tokens));
    const token = tokens.next();
    if (token === ')') return [...new Set(values)].sort();
    if (token !== ',') throw tokens.fail(`found '${token}', expected ',' or ')'`);
  }
}

function readRequirement(tokens: Tokens): LabelRequirement {
  if (tokens.peek() === '!') {
    tokens.next();
    return { key: readKey(tokens), operator: '!exists', values: [] };
  }
  const key = readKey(tokens);
  const operator = tokens.peek();
  if (operator === '' || operator === ',') return { key, operator: 'exists', values: [] };
  tokens.next();
  switch (operator) {
    case '=':
    case '==':
      return { key, operator: '=', values: [readValue(tokens)] };
    case '!=':
      return { key, operator: '!=', values: [readValue(tokens)] };
    case 'in':
    case 'notin':
      return { key, operator, values: readSet(tokens) };
    case '>':
    case '<': {
      const value = readValue(tokens);
      if (!/^\d+$/.test(value)) throw tokens.fail(`'${operator}' needs a whole number, found "${value}"`);
      return { key, operator, values: [value] };
    }
    default:
      throw tokens.fail(`found '${operator}', expected one of: =, ==, !=, in, notin, <, >`);
  }
}

/** Parses a label selector; the empty text selects everything. Throws SelectorError. */
export function parseLabelSelector(text: string): LabelSelector {
  const tokens = new Tokens(text);
  const requirements: LabelRequirement[] = [];
  if (tokens.peek() === '') return requirements;
  for (;;) {
    requirements.push(readRequirement(tokens));
    const token = tokens.next();
    if (token === '') return requirements;
    if (token !== ',') throw tokens.fail(`found '${token}', expected ',' or the end`);
    if (tokens.peek() === '') throw tokens.fail(`nothing follows the last ','`);
  }
}

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  switch (operator) {
    case 'exists':
      return key;
    case '!exists':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${values.join(',')})`;
    default:
      return `${key}${operator}${values[0] ?? ''}`;
  }
}

/** The text form of a selector; parsing it gives the selector back. */
export const formatLabelSelector = (selector: LabelSelector): string =>
  selector.map(formatRequirement).join(',');

function holds({ key, operator, values }: LabelRequirement, labels: Readonly<Record<string, unknown>>) {
  const value = Object.hasOwn(labels, key) ? String(labels[key]) : undefined;
  switch (operator) {
    case 'exists':
      return value !== undefined;
    case '!exists':
      return value === undefined;
    case '=':
    case 'in':
      return value !== undefined && values.includes(value);
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value);
    case '>':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) > Number(values[0]);
    case '<':
      return value !== undefined && /^-?\d+$/.test(value) && Number(value) < Number(values[0]);
    default:
      return operator satisfies never;
  }
}

export const matchesLabels = (
  selector: LabelSelector,
  labels: Readonly<Record<string, unknown>> | undefined,
): boolean => selector.every((requirement) => holds(requirement, labels ?? {}));
