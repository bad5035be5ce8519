/** `poplin bgp run`: a speaker in the foreground, out of a file. This process becomes the speaker's own, with nothing else in it. */
import { Command } from 'commander';
import { restartSmall, SMALL_FLAGS } from '#io/memory/index.ts';
import { SPEAK, speak } from './process/index.ts';
import { readSpeakerFile } from './speaker-file.ts';

/** Of a speaker that runs alone, unless it is given another. */
export const SPEAKER_SOCKET = '/run/poplin/bgp.sock';

/** Adds the command. */
export function runCommand(command: Command): Command {
  return command
    .description('Run a speaker in the foreground: sessions with neighbors, as a file has them.')
    .requiredOption('-f, --file <path>', 'YAML: asn, routerId, neighbors and more ("poplin bgp schema")')
    .option('--socket <path>', 'where other commands ask it', SPEAKER_SOCKET)
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent', 'info')
    .addHelpText(
      'after',
      `
A file:
  asn: 65001
  routerId: 10.0.0.1
  routes: [10.42.0.0/16]
  neighbors:
    - name: tor
      address: 10.0.0.254
      asn: 65000

SIGHUP, or "poplin bgp reload", reads the file again; sessions end only where they must. SIGTERM ends them all with a word
to each neighbor. Routes are learned and told, and not programmed into the kernel. The log is JSON lines on standard error.`,
    )
    .action(async (flags: { readonly file: string; readonly socket: string; readonly logLevel: string }) => {
      const args = [flags.file, flags.socket, flags.logLevel] as const;
      restartSmall(SMALL_FLAGS.noThread, [SPEAK, ...args]);
      await speak(args);
    });
}

/** What a speaker has its file read by (process/read-apart.ts): the setup as JSON, or one line of what is wrong for each fault. */
export function setupCommand(): Command {
  return new Command('setup').argument('<file>').action((file: string) => {
    try {
      process.stdout.write(JSON.stringify(readSpeakerFile(file)));
    } catch (error) {
      process.stderr.write(error instanceof Error ? error.message : String(error));
      process.exitCode = 1;
    }
  });
}
