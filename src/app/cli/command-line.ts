/** The command line: `poplin COMMAND`. */
import { Command, CommanderError } from 'commander';
import { keepHeapSmall, restartSmall } from '#io/memory/index.ts';
import packageJson from '../../../package.json' with { type: 'json' };

/** Only the code of the command that was asked for is loaded: an agent lives long, and must be small. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  agent: async () => {
    restartSmall();
    keepHeapSmall();
    return (await import('#app/agent/index.ts')).agentCommand();
  },
  flanneld: async () => {
    restartSmall();
    keepHeapSmall();
    const { flanneldCommand, runFlanneld } = await import('#app/flanneld/index.ts');
    return flanneldCommand(runFlanneld);
  },
  status: async () => (await import('#app/agent/index.ts')).statusCommand(),
  cleanup: async () => (await import('#app/cleanup/index.ts')).cleanupCommand(),
  'docker-opts': async () => (await import('#app/docker-opts/index.ts')).dockerOptsCommand(),
  policy: async () => (await import('#app/policy/index.ts')).policyCommands(),
  bgp: async () => {
    const { bgpCommands } = await import('#app/bgp/index.ts');
    return bgpCommands(async (root) => (await import('#app/agent/index.ts')).agentPaths(root).statusSocket);
  },
  flows: async () => (await import('#app/policy/index.ts')).flowsCommand(),
  install: async () => (await import('#app/install/index.ts')).installCommand(),
  cni: async () => (await import('#app/cni-runtime/index.ts')).cniCommand(),
  apiserver: async () => (await import('#app/apiserver/index.ts')).apiServerCommand(),
  lab: async () => (await import('#app/lab/index.ts')).labCommand(),
};

/** Does what the arguments say. What is wrong with them is told to the user, and is the exit status. */
export async function runCommandLine(args: readonly string[]): Promise<void> {
  try {
    const program = await buildProgram(args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode;
  }
}

async function buildProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('poplin')
    .description('The network under Linux containers.')
    .version(packageJson.version)
    .enablePositionalOptions()
    .addHelpText('after', '\nStart with "poplin lab demo". Every command explains itself with --help.');
  const asked = args.find((arg) => !arg.startsWith('-')) ?? '';
  // Help, and the answer to a misspelt command, tell of all.
  const names = Object.hasOwn(COMMANDS, asked) ? [asked] : Object.keys(COMMANDS);
  for (const name of names) program.addCommand(await (COMMANDS[name] as () => Promise<Command>)());
  return program;
}
