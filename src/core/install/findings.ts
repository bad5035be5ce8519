/** The table of all checks, and the report: what each has to say of a host. */
import type { HostFacts, InstallPlan } from './facts.ts';
import { KERNEL_CHECKS } from './kernel-table.ts';
import { NETWORK_CHECKS } from './network-table.ts';
import { PLACE_CHECKS } from './place-table.ts';
import { type AnyCheck, type FindingLevel, fill, type Told } from './row.ts';
import { SOFTWARE_CHECKS } from './software-table.ts';

/** Every check by its name, in the order of the report. */
export const CHECKS = {
  ...KERNEL_CHECKS,
  ...NETWORK_CHECKS,
  ...SOFTWARE_CHECKS,
  ...PLACE_CHECKS,
} as const satisfies Readonly<Record<string, AnyCheck>>;

export type CheckName = keyof typeof CHECKS;
export const CHECK_NAMES = Object.keys(CHECKS) as readonly CheckName[];

/** One entry of the report. Names of checks and outcomes are stable: programs may know them; texts are for people. */
export interface Finding {
  readonly check: CheckName;
  readonly outcome: string;
  readonly level: FindingLevel;
  readonly found: string;
  /** What to do; lines that begin with two spaces are commands, or what to write into a file. */
  readonly remedy?: string;
}

/** What is so on the host, in the order of CHECK_NAMES; each check that is for the planned network has its say. */
export function checkHost(facts: HostFacts, plan: InstallPlan): Finding[] {
  return CHECK_NAMES.flatMap((name) => {
    const row: AnyCheck = CHECKS[name];
    if (row.where?.holds(plan) === false) return [];
    const findings = row.judge(facts, plan).map((told) => findingOf(name, row, told));
    // What is so in both families is said once.
    return [...new Map(findings.map((finding) => [finding.found, finding])).values()];
  });
}

function findingOf(name: CheckName, { outcomes }: AnyCheck, [outcome, values]: Told): Finding {
  const verdict = outcomes[outcome];
  if (verdict === undefined) throw new RangeError(`check ${name} has no outcome "${outcome}"`);
  const { level, found, remedy } = verdict;
  return {
    check: name,
    outcome,
    level,
    found: fill(found, values),
    ...(remedy !== undefined && { remedy: fill(remedy, values) }),
  };
}

/** The worst of a report: a problem, else something that was not to be seen, else whether it is a warning. */
export function worstLevel(findings: readonly Finding[]): FindingLevel {
  const order: readonly FindingLevel[] = ['problem', 'unknown', 'warning'];
  return order.find((level) => findings.some((each) => each.level === level)) ?? 'ok';
}
