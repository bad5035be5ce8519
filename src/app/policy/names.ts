/** What names in policies were seen to stand for, as the agent of this host keeps it; and why a rule with names did not match. */
import { type PolicyGraph, refText, type UnnamedRule } from '#core/policy/index.ts';
import { SeenNames } from '#core/policy/names/index.ts';
import { systemClock } from '#io/clock/index.ts';
import { POLICY_NAMES_FILE, readKeptNames } from '#io/policy-names/index.ts';
import { PolicyUsageError } from './objects.ts';

export interface NameFlags {
  readonly names?: string;
  readonly from?: readonly string[];
}

/** Tells the graph of a file, or else of the agent's if the objects are those of the cluster. False if there is none. */
export function loadNames(graph: PolicyGraph, { names, from }: NameFlags): boolean {
  const path = names ?? (from === undefined ? POLICY_NAMES_FILE : undefined);
  if (path === undefined) return false;
  try {
    const kept = readKeptNames(path);
    if (kept === undefined && names !== undefined) throw new PolicyUsageError(`${path} is not there`);
    if (kept === undefined) return false;
    for (const { name, addresses } of new SeenNames().restore(kept.names, kept.keptMs, systemClock.now()))
      graph.upsertDomain(name, addresses);
    return true;
  } catch (error) {
    if (names === undefined) return false; // it is the agent's, and may be for root alone
    throw new PolicyUsageError((error as Error).message, { cause: error });
  }
}

/** Addresses that are named; more are counted. */
const SHOWN = 4;

/** One line for each rule, none if there are no rules. */
export function unnamedText(rules: readonly UnnamedRule[], isKnown: boolean): string {
  return rules
    .map(({ policy, rule, domains, addresses }) => {
      const shown = addresses.slice(0, SHOWN).join(', ');
      const more = addresses.length > SHOWN ? ` and ${addresses.length - SHOWN} more` : '';
      const seen =
        addresses.length > 0
          ? `answers said ${shown}${more}`
          : isKnown
            ? 'no answer for it was seen on this node'
            : 'what answers said is not known here (--names)';
      return `  · ${refText(policy)} ${rule.path} is about ${domains.join(', ')}: ${seen}\n`;
    })
    .join('');
}
