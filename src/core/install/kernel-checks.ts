/** What the kernel can do, what of it is set, and what the process may ask of it. */
import type { Finding, HostFacts, InstallPlan } from './facts.ts';
import { PROBE_NAMES, PROBES, type ProbeRow } from './probes-table.ts';

export function checkPrivileges({ isRoot, lackingCapabilities }: HostFacts): Finding[] {
  if (!isRoot)
    return [
      {
        check: 'privileges',
        level: 'unknown',
        found: 'not root: what only root sees was left out',
        remedy: 'run it again with sudo',
      },
    ];
  if (lackingCapabilities.length === 0) return [{ check: 'privileges', level: 'ok', found: 'root' }];
  return [
    {
      check: 'privileges',
      level: 'problem',
      found: `root without ${lackingCapabilities.join(', ')}`,
      remedy: 'in a container: run it with --cap-add for each of them, or on the host',
    },
  ];
}

export function checkKernel({ probes, release }: HostFacts, plan: InstallPlan): Finding[] {
  const check = 'kernel';
  if (typeof probes === 'string')
    return [{ check, level: 'unknown', found: `${release}: nothing was tried: ${probes}` }];
  const works = PROBE_NAMES.filter((name) => probes.get(name)?.works === true);
  const found = `${release}: ${works.map((name) => PROBES[name].what).join(', ')}`;
  const lacking = PROBE_NAMES.flatMap((name): Lack[] => {
    const result = probes.get(name);
    return result === undefined || result.works ? [] : [{ row: PROBES[name], error: result.error }];
  });
  const isNeeded = ({ row }: Lack): boolean => isPlanned(row, plan);
  const unneeded = lacking.filter((lack) => !isNeeded(lack));
  return [
    ...(works.length > 0 ? [{ check, level: 'ok', found } as const] : []),
    ...lacking.filter(isNeeded).map(problemOf),
    ...(unneeded.length > 0 ? [warningOf(unneeded)] : []),
  ];
}

interface Lack {
  readonly row: ProbeRow;
  readonly error: string;
}

function problemOf({ row, error }: Lack): Finding {
  return {
    check: 'kernel',
    level: 'problem',
    found: `no ${row.what} (${error})`,
    remedy: `${loading([row])}; if there is no such module: another kernel, or the package with all of its modules`,
  };
}

/** What is not planned and would not work, in one. */
function warningOf(lacks: readonly Lack[]): Finding {
  const rows = lacks.map(({ row }) => row);
  return {
    check: 'kernel',
    level: 'warning',
    found: `not in this kernel, or not loaded: ${rows.map((row) => `${row.what} (${usersOf(row)})`).join(', ')}`,
    remedy: `nothing where these are not used; else ${loading(rows)}`,
  };
}

function loading(rows: readonly ProbeRow[]): string {
  return `modprobe -a ${[...new Set(rows.flatMap((row) => row.modules))].join(' ')}`;
}

function usersOf({ neededBy }: ProbeRow): string {
  if (neededBy === 'all') return 'all';
  const { backends = [], plugins = [] } = neededBy;
  return [...backends.map((name) => `backend ${name}`), ...plugins.map((name) => `plugin ${name}`)].join(
    ', ',
  );
}

function isPlanned({ neededBy }: ProbeRow, { netConf, families }: InstallPlan): boolean {
  if (neededBy === 'all') return true;
  if (neededBy.backends?.includes(netConf.backend.type) !== true) return false;
  return neededBy.families === undefined || neededBy.families.some((family) => families.includes(family));
}

/** Turned on by the agent: a file that turns it off wins at the next boot, and whenever somebody loads it. */
const FORWARDING = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' } as const;
const NO_IPV6 = ['net/ipv6/conf/all/disable_ipv6', 'net/ipv6/conf/default/disable_ipv6'] as const;
/** Fewer connections than a busy node has; the kernel drops what is over. */
const FEW_CONNECTIONS = 65_536;

export function checkSysctls(facts: HostFacts, { families }: InstallPlan): Finding[] {
  const check = 'sysctl';
  const findings: Finding[] = [];
  if (families.includes(6)) {
    if (!facts.sysctls.has(FORWARDING[6]))
      findings.push({
        check,
        level: 'problem',
        found: 'the kernel has no IPv6',
        remedy: 'boot without ipv6.disable=1, or plan IPv4 alone',
      });
    const off = NO_IPV6.find((path) => facts.sysctls.get(path) === '1');
    if (off !== undefined)
      findings.push({ check, level: 'problem', found: `${off} is 1`, remedy: `sysctl -w ${off}=0` });
  }
  for (const family of families) {
    const path = FORWARDING[family];
    const file = facts.bootSysctls.findLast((each) => each.path === path);
    if (file?.value === '0')
      findings.push({
        check,
        level: 'warning',
        found: `${file.file} sets ${path} to 0: the agent sets it to 1 again, with a gap`,
        remedy: `take the line out of ${file.file}`,
      });
  }
  const most = Number(facts.sysctls.get('net/netfilter/nf_conntrack_max') ?? FEW_CONNECTIONS);
  if (most < FEW_CONNECTIONS)
    findings.push({
      check,
      level: 'warning',
      found: `no more than ${most} connections are tracked (net/netfilter/nf_conntrack_max)`,
      remedy: `sysctl -w net.netfilter.nf_conntrack_max=${FEW_CONNECTIONS * 2}`,
    });
  return findings.length > 0
    ? findings
    : [{ check, level: 'ok', found: 'nothing in the way; the agent turns forwarding on' }];
}
