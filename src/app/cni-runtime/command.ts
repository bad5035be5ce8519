/** `poplin cni`: a container runtime's side of CNI, by hand; and the plugins' installation on this host. */
import { Command } from 'commander';
import { installCommand, uninstallCommand } from './install.ts';
import { listCommand } from './list.ts';
import {
  addCommand,
  checkCommand,
  delCommand,
  gcCommand,
  netStatusCommand,
  versionCommand,
} from './operations.ts';
import { validateCommand } from './validate.ts';

export function cniCommand(): Command {
  const command = new Command('cni').description(
    'Attach containers to networks by hand; install the plugins.',
  );
  for (const each of [
    addCommand(),
    checkCommand(),
    delCommand(),
    gcCommand(),
    netStatusCommand(),
    versionCommand(),
    listCommand(),
    validateCommand(),
    installCommand(),
    uninstallCommand(),
  ]) {
    command.addCommand(each);
  }
  return command;
}
