/** The command line: `poplin COMMAND`. Errors people can act on are one line; others show where they came from. */
import { Command, CommanderError } from 'commander';
import { keepHeapSmall, restartSmall } from '#io/memory/index.ts';
import packageJson from '../../../package.json' with { type: 'json' };

/** Errors whose message says all: what is wrong with what the user gave, or what the machine lacks. */
const TOLD_IN_ONE_LINE = new Set([
  'LabError',
  'ConfigError',
  'KubeconfigError',
  'NodeAddressError',
  'ListeningError',
  'FlagError',
  'HostNetworkError',
]);

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

try {
  const program = await buildProgram(process.argv.slice(2));
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
