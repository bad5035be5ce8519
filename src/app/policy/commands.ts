/** `poplin policy`: asks the engine about policies, of a cluster or of files. */
import { Command } from 'commander';
import { explainCommand } from './explain.ts';
import { lintCommand } from './lint.ts';
import { matrixCommand } from './matrix.ts';
import { testCommand } from './test-file.ts';
import { whatIfCommand } from './what-if.ts';

export function policyCommands(): Command {
  const command = new Command('policy').description('Ask what policies allow, and why.');
  for (const each of [explainCommand(), matrixCommand(), whatIfCommand(), lintCommand(), testCommand()])
    command.addCommand(each);
  return command;
}
