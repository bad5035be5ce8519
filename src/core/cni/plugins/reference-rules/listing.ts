/** What `iptables -S` prints of a table, read: chains, and rules as the arguments that made them. */

export interface IptablesRule {
  readonly chain: string;
  /** What follows the chain's name in `-A CHAIN …`. */
  readonly args: readonly string[];
}

export interface IptablesListing {
  readonly chains: ReadonlySet<string>;
  readonly rules: readonly IptablesRule[];
}

/** Lines that are neither a chain nor a rule are passed over. */
export function parseListing(text: string): IptablesListing {
  const chains = new Set<string>();
  const rules: IptablesRule[] = [];
  for (const line of text.split('\n')) {
    const [verb, chain, ...args] = splitWords(line);
    if (chain === undefined) continue;
    if (verb === '-P' || verb === '-N') chains.add(chain);
    if (verb === '-A') rules.push({ chain, args });
  }
  return { chains, rules };
}

/** Words between blanks; within double quotes a backslash takes the next character as it is. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const letter = line.charAt(at);
    if (letter === '"') {
      isQuoted = !isQuoted;
      word ??= '';
    } else if (isQuoted && letter === '\\') {
      word = (word ?? '') + line.charAt(++at);
    } else if (!isQuoted && /\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + letter;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** What follows the first of these options; undefined if there is none, or if it is negated. */
export function optionOf({ args }: IptablesRule, ...options: readonly string[]): string | undefined {
  const at = args.findIndex((word) => options.includes(word));
  return at < 0 || args[at - 1] === '!' ? undefined : args[at + 1];
}

/** The chain or target that a rule leads to. */
export const targetOf = (rule: IptablesRule): string | undefined => optionOf(rule, '-j', '-g');
