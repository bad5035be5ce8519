/** `poplin install check`: whether this host can run Poplin as planned, and what to do where it cannot. */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { formatProblem } from '#core/config/index.ts';
import { checkHost, type FindingLevel, type InstallPlan, worstLevel } from '#core/install/index.ts';
import { BACKEND_TYPES, enabledFamilies, type NetConf, parseNetConf } from '#core/lease/index.ts';
import { gatherHostFacts } from '#io/host-facts/index.ts';
import { createRuleTool } from '#io/rule-tool/index.ts';
import { describeFindings } from './report.ts';

interface CheckFlags {
  readonly netConf?: string;
  readonly backend: string;
  readonly family: 'ipv4' | 'ipv6' | 'dual';
  readonly iface?: string;
  readonly healthzPort: number;
  readonly loadModules?: boolean;
  readonly confDir: string;
  readonly binDir: string;
  readonly rootDir: string;
  readonly json?: boolean;
}

/** By the worst of the findings. */
const STATUS: Readonly<Record<FindingLevel, number>> = { ok: 0, warning: 0, problem: 1, unknown: 3 };
const USAGE_STATUS = 2;
/** Where the output is no terminal; a wider one is not filled, for long lines are hard to read. */
const WIDTH = { usual: 80, most: 100 } as const;
/** A network to judge by where none is given: what it is called does not matter. */
const SOME_NETWORK = { ipv4: '10.244.0.0/16', ipv6: 'fd00:10:244::/48' } as const;
/** Keys without which these backends are no configuration. */
const NEEDED_KEYS: Readonly<Record<string, object>> = { ipsec: { PSK: 'x'.repeat(96) } };

export function installCommand(): Command {
  const command = new Command('install').description('What an installation needs.');
  command
    .command('check')
    .exitOverride(({ exitCode, code, message }) => {
      throw new CommanderError(exitCode === 0 ? 0 : USAGE_STATUS, code, message);
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
    .option('--iface <link>', "the agent's: the link, or one of its addresses, that leads to other nodes")
    .option('--healthz-port <port>', "the agent's: port of /healthz; 0: none", portNumber, 0)
    .option('--load-modules', 'try out what needs modules that are not loaded, too: they stay')
    .option('--conf-dir <dir>', 'where the container runtime looks for networks', '/etc/cni/net.d')
    .option('--bin-dir <dir>', 'where it looks for plugins', '/opt/cni/bin')
    .option('--root-dir <dir>', 'prefix of all files that are looked at', '/')
    .option('--json', 'a JSON array: check, outcome, level (ok, warning, problem, unknown), found, remedy')
    .addHelpText(
      'after',
      `
Examples:
  poplin install check
  poplin install check --net-conf net-conf.json --json
  poplin install check --backend wireguard --family ipv4

Nothing on the host is changed. Whether the kernel can do a thing is tried out in a network namespace that is made for it and goes
again, where no module has to be loaded for that; else it is looked up. With --load-modules they are loaded: some of them put devices
into every namespace (tunl0, ip6tnl0, dummy0, ifb0, ifb1), which stay.
docs/install.md has what each check looks for, and what each outcome means.
Exit status: 0 it can, perhaps with warnings; 1 problems; 3 no problem was seen, but not all could be; 2 the options or the network
configuration are wrong.`,
    )
    .action(execute);
  return command;
}

async function execute(flags: CheckFlags): Promise<void> {
  const plan = planOf(flags);
  if (typeof plan === 'string') {
    process.stderr.write(`poplin install check: ${plan}\n`);
    process.exitCode = USAGE_STATUS;
    return;
  }
  const isWatched = process.stderr.isTTY && flags.json !== true;
  const facts = await gatherHostFacts({
    plan,
    root: flags.rootDir,
    rules: createRuleTool(),
    mayLoadModules: flags.loadModules === true,
    programFile: import.meta.filename,
    onStep: (what) => {
      if (isWatched) process.stderr.write(`\r\x1b[Klooking at ${what} …`);
    },
  });
  if (isWatched) process.stderr.write('\r\x1b[K');
  const findings = checkHost(facts, plan);
  const width = Math.min(process.stdout.columns ?? WIDTH.usual, WIDTH.most);
  process.stdout.write(
    flags.json ? `${JSON.stringify(findings, null, 2)}\n` : describeFindings(findings, width),
  );
  process.exitCode = STATUS[worstLevel(findings)];
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('a port is a number from 0 to 65535');
  return port;
}

/** What is planned, or why that is no plan. */
function planOf(flags: CheckFlags): InstallPlan | string {
  const { confDir, binDir, iface, healthzPort } = flags;
  const netConf = netConfOf(flags);
  if (typeof netConf === 'string') return netConf;
  return {
    netConf,
    families: enabledFamilies(netConf).map((key) => (key === 'ipv4' ? 4 : 6)),
    isExample: flags.netConf === undefined,
    ...(iface !== undefined && { iface }),
    ...(healthzPort !== 0 && { healthPort: healthzPort }),
    confDir,
    binDir,
  };
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
