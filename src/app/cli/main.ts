/** The command line: `poplin COMMAND`. Errors people can act on are one line; others show where they came from. */
import { Command, CommanderError } from 'commander';
import { agentCommand, statusCommand } from '#app/agent/index.ts';
import { apiServerCommand } from '#app/apiserver/index.ts';
import { labCommand } from '#app/lab/index.ts';
import packageJson from '../../../package.json' with { type: 'json' };

/** Errors whose message says all: what is wrong with what the user gave, or what the machine lacks. */
const TOLD_IN_ONE_LINE = new Set([
  'LabError',
  'ConfigError',
  'KubeconfigError',
  'NodeAddressError',
  'ListeningError',
]);

const program = new Command('poplin')
  .description('The network under Linux containers.')
  .version(packageJson.version)
  .enablePositionalOptions()
  .addCommand(agentCommand())
  .addCommand(statusCommand())
  .addCommand(apiServerCommand())
  .addCommand(labCommand())
  .addHelpText('after', '\nStart with "poplin lab demo". Every command explains itself with --help.');

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode;
  else {
    const known = error instanceof Error && TOLD_IN_ONE_LINE.has(error.name);
    const text =
      error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
    process.stderr.write(`poplin: ${text}\n`);
    process.exitCode = 1;
  }
}
