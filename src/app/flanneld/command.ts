/** `poplin flanneld`, and the executable under the name `flanneld`: takes flannel's command line as it is. */
import { Command } from 'commander';
import { type Logger, pino } from 'pino';
import packageJson from '../../../package.json' with { type: 'json' };
import { FlagError } from './go-flags.ts';
import { type FlanneldCall, type FlanneldOptions, parseFlanneld } from './options.ts';
import { flanneldUsage } from './usage.ts';

export const FLANNELD = 'flanneld';

/** Go's exit status for a command line that cannot be read. */
const USAGE_STATUS = 2;

/** Runs until the signal aborts. */
export type RunFlanneld = (options: FlanneldOptions, logger: Logger, signal: AbortSignal) => Promise<void>;

/** `words` are those of the whole command line; what stands behind `flanneld` is read by Go's rules, not by commander's. */
export function flanneldCommand(run: RunFlanneld, words: readonly string[] = process.argv.slice(2)): Command {
  return new Command(FLANNELD)
    .description("Run the agent of this node with flannel's flags and FLANNELD_ variables.")
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .passThroughOptions()
    .argument('[flags...]', 'as of flanneld: see poplin flanneld --help')
    .action(() => execute(run, words.slice(words.indexOf(FLANNELD) + 1)));
}

async function execute(run: RunFlanneld, args: readonly string[]): Promise<void> {
  let call: FlanneldCall;
  try {
    call = parseFlanneld(args, process.env);
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    process.stderr.write(`${error.message}\n${flanneldUsage(FLANNELD)}`);
    process.exitCode = USAGE_STATUS;
    return;
  }
  if (call === 'help') process.stdout.write(flanneldUsage(FLANNELD));
  else if (call === 'version') process.stderr.write(`poplin ${packageJson.version}\n`);
  else await serve(run, call);
}

/** Until SIGTERM or SIGINT; the exit status is 1 if it could not run. */
async function serve(run: RunFlanneld, options: FlanneldOptions): Promise<void> {
  const logger = pino({ level: options.logLevel, base: {} }, pino.destination(2));
  const stop = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stop.abort());
  for (const warning of options.warnings) logger.warn({ reason: warning }, 'flag');
  try {
    await run(options, logger, stop.signal);
  } catch (error) {
    if (stop.signal.aborted) return;
    logger.fatal({ err: error }, 'flanneld cannot run');
    process.exitCode = 1;
  }
}
