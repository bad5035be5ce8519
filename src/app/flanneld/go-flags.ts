/**
 * Command lines as Go's package flag reads them (go doc flag, "Command line flag syntax"): one dash or two, `-flag=value` or
 * `-flag value`, booleans only with `=`, reading ends at the first word that is no flag and after `--`. Then variables for what
 * was not given (an empty one counts as absent, as with coreos/pkg/flagutil).
 */
import { FLAG_NAMES, FLAGS, type FlagName, type FlagRow, variableOf } from './flags-table.ts';

/** A command line that flanneld would not take either. */
export class FlagError extends Error {
  override readonly name = 'FlagError';
}

export interface FlagValues {
  /** The words given for a flag, in order, `true` for a bare boolean; of all but lists the last counts. */
  readonly given: ReadonlyMap<FlagName, readonly string[]>;
  /** By flag, where its words come from: `-iface` or `FLANNELD_IFACE`. */
  readonly sources: ReadonlyMap<FlagName, string>;
  /** Somebody asked for -h or -help. */
  readonly isHelp: boolean;
  /** What stood behind the flags: flanneld takes no arguments. */
  readonly rest: readonly string[];
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Reads words and variables; throws FlagError for the first that is wrong, in Go's words. */
export function readFlags(args: readonly string[], env: Environment): FlagValues {
  const given = new Map<FlagName, string[]>();
  const sources = new Map<FlagName, string>();
  const queue = [...args];
  let isHelp = false;
  while (queue.length > 0) {
    const word = queue[0] as string;
    if (word.length < 2 || !word.startsWith('-')) break;
    queue.shift();
    if (word === '--') break;
    const { name, value } = split(word);
    if (name === 'h' || name === 'help') {
      isHelp = true;
      break;
    }
    if (!isFlagName(name)) throw new FlagError(`flag provided but not defined: -${name}`);
    const isBool = FLAGS[name].type === 'bool';
    const text = value ?? (isBool ? 'true' : queue.shift());
    if (text === undefined) throw new FlagError(`flag needs an argument: -${name}`);
    check(
      name,
      text,
      value !== undefined && isBool ? `boolean value "${text}" for` : `value "${text}" for flag`,
    );
    given.set(name, [...(given.get(name) ?? []), text]);
    sources.set(name, `-${name}`);
  }
  for (const name of FLAG_NAMES) {
    // flanneld has printed its version before it reads variables: FLANNELD_VERSION may mean anything.
    if (name === 'version') continue;
    const variable = variableOf(name);
    const text = env[variable];
    if (given.has(name) || text === undefined || text === '') continue;
    check(name, text, `value "${text}" of ${variable} for`);
    given.set(name, [text]);
    sources.set(name, variable);
  }
  return { given, sources, isHelp, rest: queue };
}

/** What Go's strconv.ParseBool takes. */
const BOOLEANS: Readonly<Record<string, boolean>> = {
  ...Object.fromEntries(['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true])),
  ...Object.fromEntries(['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false])),
};

export function booleanOf(text: string): boolean {
  return BOOLEANS[text] === true;
}

/** A number as strconv.ParseInt reads it with base 0: prefixes 0x, 0o, 0b and 0, underscores between digits; undefined if it is none. */
export function integerOf(text: string, type: FlagRow['type'] = 'int'): number | undefined {
  const match =
    type === 'level'
      ? /^([+-]?)()([0-9]+)$/.exec(text)
      : /^([+-]?)(0[xX]_?|0[oO]_?|0[bB]_?|0_?(?=[0-9]))?([0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)$/.exec(text);
  if (match === null) return undefined;
  const [, sign, prefix = '', digits = ''] = match;
  const base = baseOf(prefix);
  const plain = digits.replaceAll('_', '').toLowerCase();
  if (plain.split('').some((digit) => Number.parseInt(digit, 16) >= base)) return undefined;
  const value = Number.parseInt(plain, base);
  return sign === '-' ? -value : value;
}

function baseOf(prefix: string): number {
  if (/^0x/i.test(prefix)) return 16;
  if (/^0b/i.test(prefix)) return 2;
  return prefix === '' ? 10 : 8;
}

function split(word: string): { name: string; value: string | undefined } {
  const bare = word.slice(word.startsWith('--') ? 2 : 1);
  if (bare === '' || bare.startsWith('-') || bare.startsWith('=')) {
    throw new FlagError(`bad flag syntax: ${word}`);
  }
  const at = bare.indexOf('=');
  return at === -1
    ? { name: bare, value: undefined }
    : { name: bare.slice(0, at), value: bare.slice(at + 1) };
}

function isFlagName(name: string): name is FlagName {
  return Object.hasOwn(FLAGS, name);
}

function check(name: FlagName, text: string, what: string): void {
  const { type, range }: FlagRow = FLAGS[name];
  if (type === 'bool' && !Object.hasOwn(BOOLEANS, text)) {
    throw new FlagError(`invalid ${what} -${name}: parse error`);
  }
  if (range === undefined) return;
  const value = integerOf(text, type);
  if (value === undefined) throw new FlagError(`invalid ${what} -${name}: parse error`);
  if (value < range[0] || value > range[1]) {
    throw new FlagError(`invalid ${what} -${name}: must be ${range[0]} to ${range[1]}`);
  }
}
