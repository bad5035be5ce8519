/** Where every process of Poplin begins. Errors people can act on are one line; others show where they came from. */

/** Errors whose message says all: what is wrong with what the user gave, or what the machine lacks. */
const TOLD_IN_ONE_LINE = new Set([
  'LabError',
  'ConfigError',
  'KubeconfigError',
  'NodeAddressError',
  'ListeningError',
  'FlagError',
  'HostNetworkError',
  'SpeakerFileError',
]);

/** Processes that live long and have no command line, by what they are started with: nothing but their own code is loaded. */
const PROCESSES: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  speak: async (args) => (await import('#app/bgp/process/index.ts')).speak(args),
};

try {
  const [name = '', ...args] = process.argv.slice(2);
  if (Object.hasOwn(PROCESSES, name)) await PROCESSES[name]?.(args);
  else await (await import('./command-line.ts')).runCommandLine(process.argv.slice(2));
} catch (error) {
  const known = error instanceof Error && TOLD_IN_ONE_LINE.has(error.name);
  const text =
    error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error);
  process.stderr.write(`poplin: ${text}\n`);
  process.exitCode = 1;
}
