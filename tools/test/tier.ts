/** The tiers of tests, and the parts they run in: the files that may run side by side, and those that want the machine for themselves. */
import { globSync } from 'node:fs';
import { ROOT } from '../command.ts';
import { ALONE } from './alone.ts';
import { filesRunInstead } from './skips.ts';

/** The run of vitest is told by the first, tools/test.ts by the second. */
const IS_SOAK = process.env['POPLIN_SOAK'] !== undefined || process.argv.includes('--soak');

/** A tier; its name is that of its first vitest project. */
export interface Tier {
  readonly name: string;
  readonly files: readonly string[];
  /** Files of other tiers that run in this one as well. */
  readonly borrowed?: readonly string[];
  /** True if its tests need root and touch the machine's kernel. */
  readonly privileged: boolean;
  /** True if it runs under the kernel of tools/vm. */
  readonly virtual?: true;
  /** False if its files share a process, for which they have to be starting quickly more than they have to be apart. */
  readonly isolated: boolean;
  /** How many files run at once; as many as vitest likes if it is not said. */
  readonly workers?: number;
  readonly testTimeoutMs: number;
  /** For each part of the tier; not in a soak run. */
  readonly limitMinutes: number;
}

/** Files of a tier that one run of vitest takes. */
export interface Part {
  readonly tier: Tier;
  /** The name of its vitest project. */
  readonly name: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** True if nothing else may run meanwhile, neither another file nor another tier. */
  readonly isAlone: boolean;
}

/** Two, also where there are more processors: tests wait more than they count, and a machine has only one kernel. */
const SIDE_BY_SIDE = 2;

export const TIERS: readonly Tier[] = [
  {
    name: 'unit',
    files: ['{src,tools}/**/*.test.{ts,mjs}', 'test/oracle/*.test.ts'],
    privileged: false,
    isolated: false,
    testTimeoutMs: 30_000,
    limitMinutes: 5,
  },
  privileged('kernel', 60_000, 15),
  privileged('interop', 120_000, 20),
  privileged('e2e', 180_000, 20),
  {
    // All others run beside it, so it takes half as long again as by itself.
    ...privileged('vm', 480_000, 40),
    // What is skipped elsewhere, and what the agent rests on: it has to hold on a kernel that is years older, too.
    borrowed: [
      ...filesRunInstead('vm'),
      'test/kernel/netlink-socket-nft.test.ts',
      'test/kernel/kernel-contract.test.ts',
    ],
    virtual: true,
    isolated: false,
    workers: 1,
  },
];

/** A tier's parts: the files that may run side by side, then those of alone.ts. */
export function partsOf(tier: Tier): Part[] {
  const { name, files, borrowed = [], virtual } = tier;
  const alone = virtual === true ? [] : Object.keys(ALONE).filter((path) => path.startsWith(`test/${name}/`));
  const parts = [{ tier, name, include: [...files, ...borrowed], exclude: alone, isAlone: false }];
  if (alone.length > 0)
    parts.push({ tier, name: `${name}-alone`, include: alone, exclude: [], isAlone: true });
  return parts;
}

/** A part's files whose path contains one of the filters; all of them without filters. */
export function filesOf({ include, exclude }: Part, filters: readonly string[]): string[] {
  const paths = globSync([...include], { cwd: ROOT }).filter((path) => !exclude.includes(path));
  return paths.filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)));
}

function privileged(name: string, testTimeoutMs: number, limitMinutes: number): Tier {
  return {
    name,
    // Files of a soak alone take minutes.
    files: [`test/${name}/**/*.test.ts`, ...(IS_SOAK ? [`test/${name}/**/*.soak.ts`] : [])],
    privileged: true,
    isolated: true,
    workers: SIDE_BY_SIDE,
    testTimeoutMs,
    limitMinutes,
  };
}
