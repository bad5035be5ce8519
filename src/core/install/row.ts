/**
 * The form of the table of checks: what is looked at, for which networks, the verdicts there are, and the function that chooses among them.
 * Texts are templates, `{name}` is filled from what the verdict tells; so the documentation prints what an operator will read.
 */
import type { HostFacts, InstallPlan } from './facts.ts';

export type FindingLevel = 'ok' | 'warning' | 'problem' | 'unknown';

/** One way in which a check may end. */
export interface Outcome {
  readonly level: FindingLevel;
  readonly found: string;
  /** What to do; lines that begin with two spaces are commands, or what to write into a file. */
  readonly remedy?: string;
}

type Values = Readonly<Record<string, string | number>>;

/** A verdict: which outcome, and what its templates are filled with. */
export type Told<Name extends string = string> = readonly [outcome: Name, values?: Values];

/** A row of the table. */
export interface AnyCheck {
  /** What is looked at, for the documentation. */
  readonly looks: string;
  /** For which networks, in words and as a test; absent: for all. */
  readonly where?: { readonly text: string; readonly holds: (plan: InstallPlan) => boolean };
  readonly outcomes: Readonly<Record<string, Outcome>>;
  /** At least one verdict. Pure. */
  readonly judge: (facts: HostFacts, plan: InstallPlan) => readonly Told[];
}

/** A row whose verdicts name its own outcomes alone. */
interface Check<Name extends string> extends AnyCheck {
  readonly outcomes: Readonly<Record<Name, Outcome>>;
  readonly judge: (facts: HostFacts, plan: InstallPlan) => readonly Told<NoInfer<Name>>[];
}

/** Declares a row. */
export function check<Name extends string>(row: Check<Name>): AnyCheck {
  return row;
}

/** The template with its places filled. Throws RangeError for a place that nothing was told for. */
export function fill(template: string, values: Values = {}): string {
  return template.replaceAll(/\{([a-z][A-Za-z]*)\}/g, (_place, name: string) => {
    const value = values[name];
    if (value === undefined) throw new RangeError(`"${template}": nothing was told for {${name}}`);
    return String(value);
  });
}

/** What an ordinary user is told where only root sees. */
export const AS_ROOT = 'run it as root: sudo poplin install check';

/** The outcome of a check whose facts were not to be seen. */
export const UNSEEN = {
  level: 'unknown',
  found: 'not seen: {why}',
  remedy: AS_ROOT,
} as const satisfies Outcome;
