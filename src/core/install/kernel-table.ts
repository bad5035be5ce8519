/** Checks of the process and of the kernel: what it can do, and what of it is set. */
import type { InstallPlan, KernelFacts } from './facts.ts';
import { type FeatureState, featureState, isPlanned } from './features.ts';
import { FEATURE_NAMES, FEATURES, type FeatureName, type FeatureRow } from './features-table.ts';
import { AS_ROOT, check, type Outcome, type Told } from './row.ts';

const privileges = check({
  looks: 'root, and the capabilities the agent needs',
  outcomes: {
    root: { level: 'ok', found: 'root' },
    'not-root': {
      level: 'unknown',
      found: 'not root: what only root sees is unknown below',
      remedy: AS_ROOT,
    },
    lacking: {
      level: 'problem',
      found: 'root without {capabilities}',
      remedy: 'run it on the host; a container needs --cap-add for each of them',
    },
  },
  judge: ({ isRoot, lackingCapabilities }) => {
    if (!isRoot) return [['not-root']];
    if (lackingCapabilities.length === 0) return [['root']];
    return [['lacking', { capabilities: lackingCapabilities.join(', ') }]];
  },
});

type FeatureOutcome = 'works' | 'loadable' | 'absent' | 'fileless' | 'barred' | 'untold';

/** The outcomes of a group of features; `level` is that of what is lacking. */
function featureOutcomes(level: 'problem' | 'warning'): Readonly<Record<FeatureOutcome, Outcome>> {
  const meanwhile = level === 'problem' ? '' : 'nothing where they are not used; else ';
  return {
    works: { level: 'ok', found: '{release} has {features}' },
    loadable: { level: 'ok', found: 'modules that come when they are first used: {modules}' },
    absent: {
      level,
      found: 'not in this kernel: {features}',
      remedy: `${meanwhile}a kernel that has it`,
    },
    fileless: {
      level,
      found: 'built as modules, but their files are not here: {features}',
      remedy: `${meanwhile}install the package with all modules of {release}, and run\n  modprobe -a {modules}`,
    },
    barred: {
      level,
      found: 'modules that may not be loaded: {features}',
      remedy: `${meanwhile}take away what keeps them, and run\n  modprobe -a {modules}`,
    },
    untold: {
      level: 'unknown',
      found: 'neither lists of modules nor the options of this kernel are here to tell of: {features}',
      remedy:
        'run it on the host and not in a container, or let it try, which loads modules:\n  sudo poplin install check --load-modules',
    },
  };
}

interface Judged {
  readonly row: FeatureRow;
  readonly state: FeatureState;
}

const GROUPS: Readonly<Record<FeatureState['state'], FeatureOutcome>> = {
  works: 'works',
  ready: 'works',
  loadable: 'loadable',
  absent: 'absent',
  fileless: 'fileless',
  barred: 'barred',
  unknown: 'untold',
};

/** One verdict for each state that any of the features is in, so that a report stays short. */
function judgeFeatures(
  kernel: KernelFacts,
  names: readonly FeatureName[],
  isNeeded: boolean,
): Told<FeatureOutcome>[] {
  const judged = names.map((name): Judged => ({ row: FEATURES[name], state: featureState(name, kernel) }));
  const { release } = kernel;
  return Object.keys(featureOutcomes('problem')).flatMap((key): Told<FeatureOutcome>[] => {
    const outcome = key as FeatureOutcome;
    const own = judged.filter(({ state }) => GROUPS[state.state] === outcome);
    if (own.length === 0) return [];
    const features = own.map((each) => describe(each, isNeeded)).join(', ');
    const modules = [...new Set(own.flatMap(({ state }) => modulesOf(state)))];
    return [[outcome, { release, features, modules: modules.join(outcome === 'loadable' ? ', ' : ' ') }]];
  });
}

function modulesOf(state: FeatureState): readonly string[] {
  if (state.state === 'loadable') return state.modules;
  return 'module' in state ? [state.module] : [];
}

function describe({ row, state }: Judged, isNeeded: boolean): string {
  const notes = [
    ...(isNeeded || state.state === 'works' || state.state === 'ready' ? [] : [usersOf(row)]),
    ...('module' in state ? [state.module] : []),
    ...('why' in state ? [state.why] : []),
  ];
  return notes.length === 0 ? row.what : `${row.what} (${notes.join(': ')})`;
}

function usersOf({ neededBy }: FeatureRow): string {
  if (neededBy === 'all') return 'all';
  const { backends = [], plugins = [], policies } = neededBy;
  return [
    ...backends.map((name) => `backend ${name}`),
    ...plugins.map((name) => `plugin ${name}`),
    ...(policies ? ['policies'] : []),
  ].join(', ');
}

const ofPolicies = (name: FeatureName): boolean => {
  const { neededBy }: FeatureRow = FEATURES[name];
  return neededBy !== 'all' && neededBy.policies === true;
};
const named = (plan: InstallPlan, holds: (isNeeded: boolean, isPolicy: boolean) => boolean) =>
  FEATURE_NAMES.filter((name) => holds(isPlanned(name, plan), ofPolicies(name)));

const kernel = check({
  looks: 'what the planned network cannot do without: links, tunnels, nf_tables, NAT',
  outcomes: featureOutcomes('problem'),
  judge: (facts, plan) =>
    judgeFeatures(
      facts.kernel,
      named(plan, (isNeeded) => isNeeded),
      true,
    ),
});

const kernelOthers = check({
  looks: 'what other backends and the CNI plugins need',
  outcomes: featureOutcomes('warning'),
  judge: (facts, plan) =>
    judgeFeatures(
      facts.kernel,
      named(plan, (isNeeded, isPolicy) => !isNeeded && !isPolicy),
      false,
    ),
});

const kernelPolicies = check({
  looks: 'what network policies need: ranges, marks and logs of nf_tables, and the same on bridges',
  outcomes: featureOutcomes('warning'),
  judge: (facts, plan) =>
    judgeFeatures(
      facts.kernel,
      named(plan, (_isNeeded, isPolicy) => isPolicy),
      false,
    ),
});

const trials = check({
  looks:
    'which features were tried in a namespace of their own: those whose modules are there already; with `--load-modules` all',
  outcomes: {
    tried: { level: 'ok', found: '{tried} of {all} features were tried, without loading modules' },
    loaded: {
      level: 'ok',
      found: '{tried} of {all} features were tried; modules that came with it and stay: {modules}',
    },
    'not-root': { level: 'unknown', found: 'nothing was tried: {why}', remedy: AS_ROOT },
    failed: {
      level: 'unknown',
      found: 'nothing could be tried: {why}',
      remedy: 'run it on the host, or give the container CAP_SYS_ADMIN',
    },
  },
  judge: ({ isRoot, kernel: { trials: results, untried, newModules } }) => {
    if (untried !== undefined) return [[isRoot ? 'failed' : 'not-root', { why: untried }]];
    const values = { tried: results.size, all: FEATURE_NAMES.length };
    if (newModules === undefined) return [['tried', values]];
    return [['loaded', { ...values, modules: newModules.join(', ') || 'none' }]];
  },
});

/** Turned on by the agent: a file that turns it off wins at the next boot, and whenever somebody loads it. */
const FORWARDING = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const;

const forwarding = check({
  looks: 'whether packets are forwarded, which the agent turns on, and files that turn it off at boot',
  outcomes: {
    on: { level: 'ok', found: '{paths}: on' },
    'agent-turns-on': { level: 'ok', found: '{paths}: off; the agent turns it on' },
    'off-at-boot': {
      level: 'warning',
      found: '{file} sets {path} to 0: the agent sets it to 1 again, with a gap',
      remedy: 'take the line out of {file}',
    },
  },
  judge: ({ sysctls, bootSysctls }, { families }) => {
    const paths = families.map((family) => FORWARDING[family]);
    const hindered = paths.flatMap((path): Told<'off-at-boot'>[] => {
      const last = bootSysctls.findLast((each) => each.path === path);
      return last?.value === '0' ? [['off-at-boot', { file: last.file, path }]] : [];
    });
    if (hindered.length > 0) return hindered;
    const off = paths.filter((path) => sysctls.get(path) === '0');
    return off.length > 0
      ? [['agent-turns-on', { paths: off.join(', ') }]]
      : [['on', { paths: paths.join(', ') }]];
  },
});

/** Fewer connections than a busy node has; the kernel drops what is over. */
const FEW_CONNECTIONS = 65_536;
const NEARLY_FULL = 0.8;

const conntrack = check({
  looks: 'room for tracked connections',
  outcomes: {
    'not-yet': { level: 'ok', found: 'connections are not tracked yet' },
    enough: { level: 'ok', found: '{count} of {most} connections are tracked' },
    few: {
      level: 'warning',
      found: 'no more than {most} connections are tracked, and what is over is dropped',
      remedy: '  sysctl -w net.netfilter.nf_conntrack_max={more}',
    },
    full: {
      level: 'warning',
      found: '{count} of {most} connections are tracked, and what is over is dropped',
      remedy: '  sysctl -w net.netfilter.nf_conntrack_max={more}',
    },
  },
  judge: ({ sysctls }) => {
    const number = (path: string) => Number(sysctls.get(path) ?? Number.NaN);
    const most = number('net/netfilter/nf_conntrack_max');
    const count = number('net/netfilter/nf_conntrack_count');
    if (Number.isNaN(most)) return [['not-yet']];
    const values = { most, count: Number.isNaN(count) ? 0 : count };
    if (most < FEW_CONNECTIONS) return [['few', { ...values, more: FEW_CONNECTIONS * 2 }]];
    if (count > most * NEARLY_FULL) return [['full', { ...values, more: most * 2 }]];
    return [['enough', values]];
  },
});

const clock = check({
  looks: 'a clock that was never set: certificates and leases go by it',
  outcomes: {
    set: { level: 'ok', found: 'it was set' },
    unset: {
      level: 'problem',
      found:
        'it says {today}, and this program was made on {made}: certificates are refused, and leases do not end',
      remedy: 'let it be set, as by\n  timedatectl set-ntp true',
    },
  },
  // Dates as ISO 8601 has them are in the order of time.
  judge: ({ clock: { today, made } }) => (today < made ? [['unset', { today, made }]] : [['set']]),
});

export const KERNEL_CHECKS = {
  privileges,
  kernel,
  'kernel-others': kernelOthers,
  'kernel-policies': kernelPolicies,
  trials,
  forwarding,
  conntrack,
  clock,
} as const;
