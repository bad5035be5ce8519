/** `poplin install check`: whether this host can run Poplin as planned, and what to do where it cannot. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { formatProblem } from '#core/config/index.ts';
import { checkHost, hasProblem, type InstallPlan, portsOf } from '#core/install/index.ts';
import { BACKEND_TYPES, enabledFamilies, type NetConf, parseNetConf } from '#core/lease/index.ts';
import { gatherHostFacts } from '#io/host-facts/index.ts';
import { createRuleTool } from '#io/rule-tool/index.ts';
import { describeFindings } from './report.ts';

interface CheckFlags {
  readonly netConf?: string;
  readonly backend: string;
  readonly family: 'ipv4' | 'ipv6' | 'dual';
  readonly confDir: string;
  readonly binDir: string;
  readonly rootDir: string;
  readonly json?: boolean;
}

const STATUS = { problems: 1, usage: 2 } as const;
const DEFAULT_WIDTH = 100;
/** A network to judge by where none is given: what it is called does not matter. */
const SOME_NETWORK = { ipv4: '10.244.0.0/16', ipv6: 'fd00:10:244::/48' } as const;
/** Keys without which these backends are no configuration. */
const NEEDED_KEYS: Readonly<Record<string, object>> = { ipsec: { PSK: 'x'.repeat(96) } };

export function installCommand(): Command {
  const command = new Command('install').description('What an installation needs.');
  command
    .command('check')
    .exitOverride(({ exitCode, code, message }) => {
      throw new CommanderError(exitCode === 0 ? 0 : STATUS.usage, code, message);
    })
    .description('Say whether this host can run Poplin, before it is installed or after.')
    .option('--net-conf <file>', 'the network that is planned, as net-conf.json')
    .addOption(
      new Option('--backend <type>', 'without --net-conf: its backend')
        .choices(BACKEND_TYPES)
        .default('vxlan'),
    )
    .addOption(
      new Option('--family <which>', 'without --net-conf: its address families')
        .choices(['ipv4', 'ipv6', 'dual'])
        .default('dual'),
    )
    .option('--conf-dir <dir>', 'where the container runtime looks for networks', '/etc/cni/net.d')
    .option('--bin-dir <dir>', 'where it looks for plugins', '/opt/cni/bin')
    .option('--root-dir <dir>', 'prefix of all files that are looked at', '/')
    .option('--json', 'a JSON array: check, level (ok, warning, problem, unknown), found, remedy')
    .addHelpText(
      'after',
      `
Examples:
  poplin install check
  poplin install check --net-conf net-conf.json --json
  poplin install check --backend wireguard --family ipv4

The kernel is tried out in a network namespace that is made for it and goes again; modules may be loaded by that. Nothing else is
changed. docs/install.md has what each check looks for.
Exit status: 0 it can, perhaps with warnings; 1 problems; 2 the options or the network configuration are wrong.`,
    )
    .action(execute);
  return command;
}

async function execute(flags: CheckFlags): Promise<void> {
  const plan = planOf(flags);
  if (typeof plan === 'string') {
    process.stderr.write(`poplin install check: ${plan}\n`);
    process.exitCode = STATUS.usage;
    return;
  }
  const ports = Object.values(portsOf(plan.netConf.backend) ?? {});
  const facts = await gatherHostFacts({
    plan,
    ports: new Set(ports),
    root: flags.rootDir,
    rules: createRuleTool(),
    onStep: (what) => {
      if (process.stderr.isTTY && flags.json !== true) process.stderr.write(`\r\x1b[Klooking at ${what} …`);
    },
  });
  if (process.stderr.isTTY && flags.json !== true) process.stderr.write('\r\x1b[K');
  const findings = checkHost(facts, plan);
  const width = process.stdout.columns ?? DEFAULT_WIDTH;
  process.stdout.write(
    flags.json ? `${JSON.stringify(findings, null, 2)}\n` : describeFindings(findings, width),
  );
  if (hasProblem(findings)) process.exitCode = STATUS.problems;
}

/** What is planned, or why that is no plan. */
function planOf(flags: CheckFlags): InstallPlan | string {
  const { confDir, binDir } = flags;
  const netConf = netConfOf(flags);
  if (typeof netConf === 'string') return netConf;
  const families = enabledFamilies(netConf).map((key) => (key === 'ipv4' ? 4 : 6));
  return { netConf, families, confDir, binDir };
}

function netConfOf({ netConf: file, backend, family }: CheckFlags): NetConf | string {
  let text: string;
  if (file === undefined) {
    text = JSON.stringify({
      ...(family === 'ipv6' ? { EnableIPv4: false } : { Network: SOME_NETWORK.ipv4 }),
      ...(family !== 'ipv4' && { EnableIPv6: true, IPv6Network: SOME_NETWORK.ipv6 }),
      Backend: { Type: backend, ...NEEDED_KEYS[backend] },
    });
  } else {
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      return (error as Error).message;
    }
  }
  const parsed = parseNetConf(text, file ?? `--backend ${backend}`);
  return parsed.ok ? parsed.value : parsed.problems.map(formatProblem).join('\n');
}
