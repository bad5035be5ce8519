/** `poplin cleanup`. */
import { Command, Option } from 'commander';
import { cleanUp } from './cleanup.ts';
import { CleanupRefused, describeRows, type Row } from './report.ts';

interface CleanupFlags {
  readonly rootDir: string;
  readonly subnetFile?: string;
  readonly network?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly flannel?: boolean;
  readonly flannelOnly?: boolean;
}

const STATUS = { failed: 1, refused: 2 } as const;

export function cleanupCommand(): Command {
  return new Command('cleanup')
    .description('Take off this host what Poplin made: links, routes, rules, tables, files.')
    .option('--root-dir <dir>', "the agent's --root-dir", '/')
    .option('--subnet-file <file>', "flannel's -subnet-file, if it was given")
    .addOption(
      new Option(
        '--network <name>',
        'of several networks of this host: that one, and nothing else',
      ).conflicts(['flannel', 'flannelOnly']),
    )
    .option('--dry-run', 'only say what would go')
    .option(
      '--force',
      'also while pods are attached, which are cut off (with --network from it alone), or while flanneld runs',
    )
    .option(
      '--flannel',
      'also what flannel left: its devices, chains and tables, cni0 if it is empty, subnet.env',
    )
    .addOption(
      new Option('--flannel-only', 'what flannel left and nothing else, beside an agent that runs').conflicts(
        'flannel',
      ),
    )
    .option('--json', 'a JSON array: what, done, reason')
    .addHelpText(
      'after',
      `
Examples:
  poplin cleanup --dry-run
  poplin cni uninstall && poplin cleanup
  poplin cleanup --flannel-only
  poplin cleanup --network second

Nothing that is not Poplin's is touched. Labs, installed plugins and sysctls stay. The command can be repeated.
Exit status: 0 all is gone, 1 something could not be removed, 2 refused, and nothing was changed.`,
    )
    .action(execute);
}

async function execute(flags: CleanupFlags): Promise<void> {
  let rows: Row[];
  try {
    rows = await cleanUp({
      root: flags.rootDir,
      ...(flags.subnetFile !== undefined && { subnetFile: flags.subnetFile }),
      ...(flags.network !== undefined && { network: flags.network }),
      isDry: flags.dryRun ?? false,
      isForced: flags.force ?? false,
      ...(flags.flannel && { flannel: 'too' }),
      ...(flags.flannelOnly && { flannel: 'only' }),
    });
  } catch (error) {
    if (!(error instanceof CleanupRefused)) throw error;
    process.stderr.write(`poplin cleanup: ${error.message}\n`);
    process.exitCode = STATUS.refused;
    return;
  }
  process.stdout.write(flags.json ? `${JSON.stringify(rows, null, 2)}\n` : describeRows(rows));
  if (rows.some(({ done }) => done === 'failed')) process.exitCode = STATUS.failed;
}
