/**
 * Calico's selector language: `has(k)`, `k == 'v'`, `k in {'a', "b"}`, `k contains 'v'`, `all()`, with `!`, `&&`, `||` and parentheses.
 * Strings have no escapes; an empty text selects all. Sources: the comments on `selector` in projectcalico.org/v3, and what its parser takes
 * besides (`notin`, `startswith`, a comma at the end of a list).
 */
import { canonical } from './canonical.ts';
import { holds, type LabelTerm } from './match.ts';
import type { LabelsOf, Selector } from './selector.ts';

/** A text that is no selector; the message has the place, counted from 1. */
export class CalicoSelectorError extends Error {
  override readonly name = 'CalicoSelectorError';
}

export interface CalicoSelectorOptions {
  /** `global()` may stand in place of a selector of namespaces: what is in no namespace. */
  readonly allowsGlobal?: boolean;
}

/** As Calico's own limit for the name of a label. */
const MAX_LABEL_LENGTH = 512;
/** Deeper than anybody writes, and shallow enough for the stack. */
const MAX_DEPTH = 200;
const LABEL = /[a-zA-Z0-9_./-]+/y;
const SPACE = /\s*/y;
/** None of them is the beginning of a longer word; space within them may be left out. */
const WORDS = {
  in: /in(?![\w./-])/y,
  notIn: /not\s*in(?![\w./-])/y,
  contains: /contains(?![\w./-])/y,
  starts: /starts\s*with(?![\w./-])/y,
  ends: /ends\s*with(?![\w./-])/y,
} as const;

/** Reads a selector over the labels of `of`; gives its canonical form. Throws CalicoSelectorError and nothing else. */
export function parseCalicoSelector(
  text: string,
  of: LabelsOf,
  options: CalicoSelectorOptions = {},
): Selector {
  return canonical(new Parser(text, of, options).whole());
}

class Parser {
  readonly #text: string;
  readonly #of: LabelsOf;
  readonly #options: CalicoSelectorOptions;
  #at = 0;
  #depth = 0;

  constructor(text: string, of: LabelsOf, options: CalicoSelectorOptions) {
    this.#text = text;
    this.#of = of;
    this.#options = options;
  }

  whole(): Selector {
    this.#skip();
    if (this.#at === this.#text.length) return { op: 'all' };
    const selector = this.#or();
    if (this.#at < this.#text.length) throw this.#fail('nothing more is expected here');
    return selector;
  }

  #or(): Selector {
    const parts = [this.#and()];
    while (this.#take('||')) parts.push(this.#and());
    return parts.length === 1 ? (parts[0] as Selector) : { op: 'or', parts };
  }

  #and(): Selector {
    const parts = [this.#operation()];
    while (this.#take('&&')) parts.push(this.#operation());
    return parts.length === 1 ? (parts[0] as Selector) : { op: 'and', parts };
  }

  #operation(): Selector {
    let isNegated = false;
    while (this.#take('!')) isNegated = !isNegated;
    const part = this.#inner();
    return isNegated ? { op: 'not', part } : part;
  }

  #inner(): Selector {
    if (!this.#take('(')) return this.#term();
    if (++this.#depth > MAX_DEPTH) throw this.#fail(`it is nested more than ${MAX_DEPTH} deep`);
    const selector = this.#or();
    this.#close();
    this.#depth--;
    return selector;
  }

  #term(): Selector {
    const start = this.#at;
    const key = this.#label();
    if ((key === 'all' || key === 'global' || key === 'has') && this.#take('('))
      return this.#call(key, start);
    if (this.#take('==')) return this.#in(key, [this.#string()]);
    if (this.#take('!=')) return { op: 'not', part: this.#in(key, [this.#string()]) };
    if (this.#word(WORDS.notIn)) return { op: 'not', part: this.#in(key, this.#strings()) };
    if (this.#word(WORDS.in)) return this.#in(key, this.#strings());
    if (this.#word(WORDS.contains)) return this.#part('contains', key);
    if (this.#word(WORDS.starts)) return this.#part('starts', key);
    if (this.#word(WORDS.ends)) return this.#part('ends', key);
    throw this.#fail('an operator is expected: ==, !=, in, not in, contains, starts with, ends with');
  }

  #call(name: 'all' | 'global' | 'has', start: number): Selector {
    if (name === 'has') {
      const key = this.#label();
      this.#close();
      return meaning({ op: 'has', of: this.#of, key });
    }
    this.#close();
    if (name === 'all') return { op: 'all' };
    if (this.#options.allowsGlobal !== true)
      throw this.#fail('global() may only be a namespaceSelector of a rule', start);
    return { op: 'not', part: { op: 'has', of: 'self', key: 'namespace' } };
  }

  #in(key: string, values: readonly string[]): Selector {
    return meaning({ op: 'in', of: this.#of, key, values });
  }

  #part(op: 'contains' | 'starts' | 'ends', key: string): Selector {
    return meaning({ op, of: this.#of, key, value: this.#string() });
  }

  #label(): string {
    LABEL.lastIndex = this.#at;
    const found = LABEL.exec(this.#text)?.[0];
    if (found === undefined) throw this.#fail('the name of a label is expected');
    if (found.length > MAX_LABEL_LENGTH)
      throw this.#fail(`the name of a label has at most ${MAX_LABEL_LENGTH} characters, not ${found.length}`);
    this.#at += found.length;
    this.#skip();
    return found;
  }

  #string(): string {
    const quote = this.#text[this.#at];
    if (quote !== '"' && quote !== "'") throw this.#fail('a text in quotes is expected');
    const end = this.#text.indexOf(quote, this.#at + 1);
    if (end < 0) throw this.#fail('the closing quote is missing');
    const value = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    this.#skip();
    return value;
  }

  #strings(): string[] {
    if (!this.#take('{')) throw this.#fail('a list in braces is expected');
    const values: string[] = [];
    while (!this.#take('}')) {
      values.push(this.#string());
      if (this.#take(',')) continue;
      if (this.#text[this.#at] !== '}') throw this.#fail('a comma or a closing brace is expected');
    }
    return values;
  }

  #word(word: RegExp): boolean {
    word.lastIndex = this.#at;
    const found = word.exec(this.#text)?.[0];
    if (found === undefined) return false;
    this.#at += found.length;
    this.#skip();
    return true;
  }

  #close(): void {
    if (!this.#take(')')) throw this.#fail('a closing parenthesis is expected');
  }

  #take(token: string): boolean {
    if (!this.#text.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    this.#skip();
    return true;
  }

  #skip(): void {
    SPACE.lastIndex = this.#at;
    this.#at += SPACE.exec(this.#text)?.[0].length ?? 0;
  }

  #fail(why: string, at = this.#at): CalicoSelectorError {
    return new CalicoSelectorError(`${JSON.stringify(this.#text)}, character ${at + 1}: ${why}`);
  }
}

const PREFIXES: readonly (readonly [string, LabelsOf])[] = [
  ['pcns.', 'namespace'],
  ['pcsa.', 'service-account'],
];

/**
 * Calico gives its endpoints labels for what they are, and their namespace's and service account's under a prefix. Here nobody carries them:
 * who asks for one is told what it stands for.
 */
function meaning(term: LabelTerm): Selector {
  const { of, key } = term;
  if (of === 'namespace' && key === 'projectcalico.org/name')
    return { ...term, of: 'self', key: 'namespace' };
  if (of === 'service-account' && key === 'projectcalico.org/name')
    return { ...term, of: 'self', key: 'serviceAccount' };
  if (of !== 'member') return term;
  if (key === 'projectcalico.org/namespace') return { ...term, of: 'self', key: 'namespace' };
  if (key === 'projectcalico.org/serviceaccount') return { ...term, of: 'self', key: 'serviceAccount' };
  if (key === 'projectcalico.org/orchestrator')
    return holds(term, 'k8s') ? { op: 'in', of: 'self', key: 'kind', values: ['pod'] } : { op: 'none' };
  for (const [prefix, whose] of PREFIXES) {
    if (key.startsWith(prefix) && key.length > prefix.length)
      return meaning({ ...term, of: whose, key: key.slice(prefix.length) });
  }
  return term;
}
