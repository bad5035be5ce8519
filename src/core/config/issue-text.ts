/** Turns a zod issue into a sentence that says what was found and what is accepted, in Poplin's own words. */
import type { z } from 'zod';
import { suggestionText } from './suggestion.ts';

type Issue = z.core.$ZodIssue;

const KINDS: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a string',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
};

/** What a value is, with the value where it is short: `the string "abc"`, `a list`. */
export function showValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (value === null) return 'null';
  if (typeof value === 'object') return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  const short = text.length > 60 ? `${text.slice(0, 57)}…` : text;
  return typeof value === 'string' ? `the string ${short}` : short;
}

/** The sentence for an issue at a value; `secret` keeps the value out of it. */
export function describeIssue(issue: Issue, value: unknown, secret: boolean): string {
  // A message written in the schema is the better one; zod's own all begin with these words.
  if (!/^(Invalid|Too (small|big)|Unrecognized)/.test(issue.message)) return issue.message;
  if (value === undefined) return missing(issue);
  const found = secret ? 'the value given' : showValue(value);
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${KINDS[issue.expected] ?? `of type ${issue.expected}`}, not ${found}`;
    case 'too_small':
      return `must ${atLeast(issue)}, not ${amount(issue, value, found)}`;
    case 'too_big':
      return `must ${atMost(issue)}, not ${amount(issue, value, found)}`;
    case 'invalid_value': {
      const words = issue.values.map((option) => (typeof option === 'string' ? option : String(option)));
      const hint = typeof value === 'string' && !secret ? suggestionText(value, words) : '';
      return `must be ${oneOf(words)}, not ${found}${hint}`;
    }
    case 'invalid_union':
      return unionText(issue, value, found, secret);
    case 'invalid_format':
      return `has the wrong form: ${found}${'pattern' in issue && issue.pattern ? ` (must match ${issue.pattern})` : ` (must be ${issue.format})`}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}, not ${found}`;
    default:
      return `is not valid: ${found}`;
  }
}

function missing(issue: Issue): string {
  if (issue.code === 'invalid_type')
    return `is required: ${KINDS[issue.expected] ?? `a value of type ${issue.expected}`}`;
  if (issue.code === 'invalid_value') return `is required: ${oneOf(issue.values.map(String))}`;
  if (issue.code === 'invalid_union' && 'options' in issue && Array.isArray(issue.options))
    return `is required: ${oneOf(issue.options.map(String))}`;
  return 'is required';
}

function oneOf(words: readonly string[]): string {
  const quoted = words.map((word) => JSON.stringify(word));
  return quoted.length === 1 ? (quoted[0] as string) : `one of ${quoted.join(', ')}`;
}

function unionText(
  issue: Extract<Issue, { code: 'invalid_union' }>,
  value: unknown,
  found: string,
  secret: boolean,
): string {
  if ('options' in issue && Array.isArray(issue.options)) {
    const words = issue.options.map(String);
    const hint = typeof value === 'string' && !secret ? suggestionText(value, words) : '';
    return `must be ${oneOf(words)}, not ${found}${hint}`;
  }
  const kinds = new Set<string>();
  for (const branch of issue.errors) {
    for (const inner of branch) {
      if (inner.code === 'invalid_type' && inner.path.length === 0)
        kinds.add(KINDS[inner.expected] ?? inner.expected);
    }
  }
  return kinds.size > 0
    ? `must be ${[...kinds].join(' or ')}, not ${found}`
    : `fits none of the accepted forms: ${found}`;
}

type SizeIssue = Extract<Issue, { code: 'too_small' | 'too_big' }>;

function unit(issue: SizeIssue, count: number | bigint): string {
  const plural = Number(count) === 1 ? '' : 's';
  if (issue.origin === 'string') return ` character${plural}`;
  return issue.origin === 'array' || issue.origin === 'set' ? ` entr${plural ? 'ies' : 'y'}` : '';
}

function atLeast(issue: Extract<Issue, { code: 'too_small' }>): string {
  const count = unit(issue, issue.minimum);
  if (count === '') return `be ${issue.inclusive === false ? 'above' : 'at least'} ${issue.minimum}`;
  return `have ${issue.exact ? 'exactly' : 'at least'} ${issue.minimum}${count}`;
}

function atMost(issue: Extract<Issue, { code: 'too_big' }>): string {
  const count = unit(issue, issue.maximum);
  if (count === '') return `be ${issue.inclusive === false ? 'below' : 'at most'} ${issue.maximum}`;
  return `have ${issue.exact ? 'exactly' : 'at most'} ${issue.maximum}${count}`;
}

function amount(issue: SizeIssue, value: unknown, found: string): string {
  const length = typeof value === 'string' || Array.isArray(value) ? value.length : undefined;
  return length === undefined || unit(issue, 0) === '' ? found : String(length);
}
