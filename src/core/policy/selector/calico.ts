/**
 * Calico's selector language: `has(k)`, `k == 'v'`, `k in {'a', "b"}`, `k contains 'v'`, `all()`, with `!`, `&&`, `||` and parentheses.
 * Strings have no escapes; an empty text selects all. Source: the comments on `selector` in projectcalico.org/v3.
 */
import { canonical } from './canonical.ts';
import type { LabelsOf, Selector } from './selector.ts';

/** A text that is no selector; the message has the place, counted from 1. */
export class CalicoSelectorError extends Error {
  override readonly name = 'CalicoSelectorError';
}

/** As Calico's own limit for the name of a label. */
const MAX_LABEL_LENGTH = 512;
/** Deeper than anybody writes, and shallow enough for the stack. */
const MAX_DEPTH = 200;
const LABEL = /[a-zA-Z0-9_./-]+/y;
const SPACE = /\s*/y;

/** Reads a selector over the labels of `of`. Throws CalicoSelectorError and nothing else. `global()` selects nothing that is in a namespace. */
export function parseCalicoSelector(text: string, of: LabelsOf): Selector {
  return canonical(new Parser(text, of).whole());
}

class Parser {
  readonly #text: string;
  readonly #of: LabelsOf;
  #at = 0;
  #depth = 0;

  constructor(text: string, of: LabelsOf) {
    this.#text = text;
    this.#of = of;
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
    if (++this.#depth > MAX_DEPTH) throw this.#fail(`it is nested more than ${MAX_DEPTH} deep`);
    try {
      if (this.#take('!')) return { op: 'not', part: this.#operation() };
      if (this.#take('(')) {
        const inner = this.#or();
        if (!this.#take(')')) throw this.#fail('a closing parenthesis is expected');
        return inner;
      }
      return this.#term();
    } finally {
      this.#depth--;
    }
  }

  #term(): Selector {
    const key = this.#label();
    if ((key === 'all' || key === 'global' || key === 'has') && this.#take('(')) {
      const selector: Selector =
        key === 'has' ? { op: 'has', of: this.#of, key: this.#label() } : called(key);
      if (!this.#take(')')) throw this.#fail('a closing parenthesis is expected');
      return selector;
    }
    const of = this.#of;
    if (this.#take('==')) return { op: 'in', of, key, values: [this.#string()] };
    if (this.#take('!=')) return { op: 'not', part: { op: 'in', of, key, values: [this.#string()] } };
    if (this.#word('not')) {
      if (!this.#word('in')) throw this.#fail('"in" is expected after "not"');
      return { op: 'not', part: { op: 'in', of, key, values: this.#strings() } };
    }
    if (this.#word('in')) return { op: 'in', of, key, values: this.#strings() };
    if (this.#word('contains')) return { op: 'contains', of, key, value: this.#string() };
    for (const op of ['starts', 'ends'] as const) {
      if (!this.#word(op)) continue;
      if (!this.#word('with')) throw this.#fail(`"with" is expected after "${op}"`);
      return { op, of, key, value: this.#string() };
    }
    throw this.#fail('an operator is expected: ==, !=, in, not in, contains, starts with, ends with');
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
    if (this.#take('}')) return values;
    do values.push(this.#string());
    while (this.#take(','));
    if (!this.#take('}')) throw this.#fail('a comma or a closing brace is expected');
    return values;
  }

  /** A word of the language, not the beginning of a longer one. */
  #word(word: string): boolean {
    const after = this.#text[this.#at + word.length] ?? ' ';
    return /[a-zA-Z0-9_./-]/.test(after) ? false : this.#take(word);
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

  #fail(why: string): CalicoSelectorError {
    return new CalicoSelectorError(`${JSON.stringify(this.#text)}, character ${this.#at + 1}: ${why}`);
  }
}

/** `global()` stands alone, in place of a selector of namespaces, and is looked for there; among others it selects no namespace. */
function called(name: 'all' | 'global'): Selector {
  return name === 'all' ? { op: 'all' } : { op: 'none' };
}
