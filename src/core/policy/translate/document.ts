/** Reading objects of an API by hand: each wrong value is a problem with its path, and reading goes on, so that all are told at once. */
import { canonicalIp, hostPrefixOf, type IpPrefix, networkOf, parsePrefix } from '#base/ip/index.ts';
import { suggestionText } from '#core/config/index.ts';

/** What is wrong in a document, or worth a word: `spec.ingress[0].ports[1].port: …`. */
export interface DocumentProblem {
  readonly path: string;
  /** With the value, where there is one, and what is expected. */
  readonly message: string;
}

/** Where a reader puts what it finds wrong. */
export interface Findings {
  /** With one of these the document is not used. */
  readonly problems: DocumentProblem[];
  readonly warnings: DocumentProblem[];
}

type Json = Readonly<Record<string, unknown>>;

/** One object of a document. Reading an absent key gives undefined and is no problem, unless `required` says so. */
export class Fields {
  readonly path: string;
  readonly #value: Json;
  readonly #findings: Findings;
  readonly #read = new Set<string>();
  readonly #isBroken: boolean;

  constructor(value: unknown, path: string, findings: Findings) {
    this.path = path;
    this.#findings = findings;
    if (value === undefined || value === null) this.fail('is missing');
    else if (!isObject(value)) this.fail(`${shown(value)} is no object`);
    this.#isBroken = !isObject(value);
    this.#value = isObject(value) ? value : {};
  }

  has(key: string): boolean {
    this.#read.add(key);
    return this.#value[key] !== undefined && this.#value[key] !== null;
  }

  object(key: string): Fields | undefined {
    return this.has(key) ? new Fields(this.#value[key], this.#at(key), this.#findings) : undefined;
  }

  objects(key: string): Fields[] | undefined {
    return this.#list(key)?.map(
      (each, index) => new Fields(each, `${this.#at(key)}[${index}]`, this.#findings),
    );
  }

  /** An empty text is none, as in the programs that these documents are made for. */
  text(key: string): string | undefined {
    const text = this.#typed(key, 'a text', (value) => (typeof value === 'string' ? value : undefined));
    return text === '' ? undefined : text;
  }

  texts(key: string): string[] | undefined {
    return this.#list(key)?.flatMap((each, index) => {
      if (typeof each === 'string') return [each];
      this.fail(`${shown(each)} is no text`, `${key}[${index}]`);
      return [];
    });
  }

  /** Numbers and texts alike, as `port` and `protocol` are given. */
  values(key: string): (string | number)[] | undefined {
    return this.#list(key)?.flatMap((each, index) => {
      if (typeof each === 'string' || typeof each === 'number') return [each];
      this.fail(`${shown(each)} is neither a number nor a text`, `${key}[${index}]`);
      return [];
    });
  }

  value(key: string): string | number | undefined {
    return this.#typed(key, 'a number or a text', (value) =>
      typeof value === 'string' || typeof value === 'number' ? value : undefined,
    );
  }

  integer(key: string, least: number, most: number): number | undefined {
    return this.#typed(key, `a whole number from ${least} to ${most}`, (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
        ? value
        : undefined,
    );
  }

  number(key: string): number | undefined {
    return this.#typed(key, 'a number', (value) => (typeof value === 'number' ? value : undefined));
  }

  flag(key: string): boolean {
    return (
      this.#typed(key, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined)) ?? false
    );
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[]): T | undefined {
    if (this.#value[key] === '') return undefined;
    return this.#typed(key, `one of ${allowed.join(', ')}`, (value) =>
      allowed.find((each) => each === value),
    );
  }

  /** A map of texts, such as labels. */
  map(key: string): Readonly<Record<string, string>> {
    const entries = Object.entries(
      this.#typed(key, 'an object', (value) => (isObject(value) ? value : undefined)) ?? {},
    );
    return Object.fromEntries(
      entries.filter((entry): entry is [string, string] => {
        if (typeof entry[1] === 'string') return true;
        this.fail(`${shown(entry[1])} is no text`, keyOf(key, entry[0]));
        return false;
      }),
    );
  }

  /** Prefixes in canonical form, each once; bits of the host are no matter, as with the API servers. Some take addresses, too. */
  prefixes(key: string, takesAddresses = false): IpPrefix[] | undefined {
    const prefixes = this.texts(key)?.flatMap((text, index) => {
      const address = takesAddresses ? canonicalIp(text) : undefined;
      const prefix = address === undefined ? prefixOf(text) : hostPrefixOf(address);
      if (prefix !== undefined) return [prefix];
      this.fail(noPrefix(text), `${key}[${index}]`);
      return [];
    });
    return prefixes && [...new Set(prefixes)];
  }

  prefix(key: string): IpPrefix | undefined {
    const text = this.text(key);
    const prefix = text === undefined ? undefined : prefixOf(text);
    if (text !== undefined && prefix === undefined) this.fail(noPrefix(text), key);
    return prefix;
  }

  /** A key without which the document says nothing. */
  required<T>(key: string, value: T | undefined): T | undefined {
    if (value === undefined && (!this.has(key) || this.#value[key] === '')) this.fail('is missing', key);
    return value;
  }

  /** Of what is no object at all nothing more is told. */
  fail(message: string, key?: string): void {
    if (this.#isBroken) return;
    this.#findings.problems.push({ path: key === undefined ? this.path : this.#at(key), message });
  }

  warn(message: string, key?: string): void {
    this.#findings.warnings.push({ path: key === undefined ? this.path : this.#at(key), message });
  }

  /** Keys that nobody asked for are misspelt, or belong to another version of the API: an API server drops them. */
  warnOfOthers(): void {
    for (const key of Object.keys(this.#value))
      if (!this.#read.has(key))
        this.warn(`is not known here, and has no effect${suggestionText(key, this.#read)}`, key);
  }

  #list(key: string): unknown[] | undefined {
    return this.#typed(key, 'a list', (value) => (Array.isArray(value) ? (value as unknown[]) : undefined));
  }

  #typed<T>(key: string, expected: string, read: (value: unknown) => T | undefined): T | undefined {
    if (!this.has(key)) return undefined;
    const value = read(this.#value[key]);
    if (value === undefined) this.fail(`${shown(this.#value[key])} is not ${expected}`, key);
    return value;
  }

  #at(key: string): string {
    return this.path === '' ? key : `${this.path}.${key}`;
  }
}

function prefixOf(text: string): IpPrefix | undefined {
  return parsePrefix(text) === undefined ? undefined : networkOf(text);
}

function noPrefix(text: string): string {
  const address = canonicalIp(text);
  const hint = address === undefined ? '' : `: for the address alone write ${hostPrefixOf(address)}`;
  return `${shown(text)} is no prefix such as 10.0.0.0/8 or fd00::/8${hint}`;
}

/** `matchLabels.app`, `matchLabels["example.com/app"]`. */
export function keyOf(map: string, key: string): string {
  return /^[\w-]+$/.test(key) ? `${map}.${key}` : `${map}[${JSON.stringify(key)}]`;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const MAX_SHOWN = 60;

/** A value as problems show it: short, and a text in quotes. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}
